package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"appstore/api"
	"appstore/api/client"
	"appstore/api/npm"
	"appstore/api/pip"
	"appstore/registry"
)

// stopWait is how long requests under way are given at a stop; Kubernetes and
// systemd wait 30 s and 90 s before they kill.
const stopWait = 25 * time.Second

func (a *app) serveCommand() *cobra.Command {
	c := &config{}
	parts := []string{partServer, partData, partS3, partSearch}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the AppStore's server",
		Long: `Runs the server until it gets SIGINT or SIGTERM; requests under way may finish.

Without further settings it keeps everything in one folder (--data), and writes
nothing outside of it. With --s3-endpoint the objects are in a bucket, with
--elasticsearch-url the search index is in Elasticsearch; any number of servers
may share these. The data folder then holds only what can be made anew, and the
token; each server needs a folder of its own.

Every flag has a variable: --s3-bucket is APPSTORE_S3_BUCKET. Secrets are taken
from variables and files only: APPSTORE_TOKEN, APPSTORE_S3_SECRET_KEY,
APPSTORE_ELASTICSEARCH_API_KEY. Writing needs the token. Without APPSTORE_TOKEN
one is made at the first start and kept in the data folder.`,
		Example: `  appstore serve
  appstore serve --addr :8080 --data /srv/appstore --public-url https://apps.example.org/
  appstore serve --s3-endpoint https://s3.example.org --s3-bucket appstore \
      --elasticsearch-url https://search.example.org:9200`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.read(cmd, a.env, parts...); err != nil {
				return err
			}
			return a.serve(cmd.Context(), c)
		},
	}
	c.flags(cmd, parts...)
	return cmd
}

// serve runs a server until ctx ends.
func (a *app) serve(ctx context.Context, c *config) (err error) {
	log := c.logger(a.err)
	// What is closed later was opened earlier.
	closing := func(what string, f func() error) {
		if err2 := f(); err2 != nil {
			err = errors.Join(err, fmt.Errorf("close %s: %w", what, err2))
		}
	}

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.addr)
	if err != nil {
		return fmt.Errorf("%w (setting: %s)", err, c.name("addr"))
	}
	defer listener.Close()
	if err := os.MkdirAll(c.data, 0o700); err != nil {
		return fmt.Errorf("%w (setting: %s)", err, c.name("data"))
	}
	store, closeStore, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer closing("the storage", closeStore)
	tokens, err := openTokens(a.env("APPSTORE_TOKEN"), c.data)
	if err != nil {
		return err
	}
	index, err := c.openIndex(ctx, log)
	if err != nil {
		return err
	}
	defer closing("the search index", index.Close)
	reg, err := registry.Open(ctx, registry.Options{Store: store, Index: index, Dir: c.data, Log: log})
	if err != nil {
		return err
	}
	defer closing("the registry", reg.Close)
	options := api.Options{
		Registry: reg, Index: index, Token: tokens.current,
		PublicURL: c.publicURL, Version: programVersion(), Log: log,
	}
	if c.pipUpstream != "" {
		if options.PipUpstream, err = pip.NewUpstream(pip.UpstreamOptions{URL: c.pipUpstream, Store: store, Dir: c.data, Log: log}); err != nil {
			return usagef("%s: %v", c.name("pip-upstream"), err)
		}
		defer closing("the pip upstream", options.PipUpstream.Close)
	}
	if options.NPMUpstream, err = npm.NewUpstream(npm.Options{Upstream: c.npmUpstream, Dir: filepath.Join(c.data, "npm-upstream")}, reg); err != nil {
		return usagef("%s: %v", c.name("npm-upstream"), err)
	}
	handler, err := api.New(options)
	if err != nil {
		return usagef("%s: %v", c.name("public-url"), err)
	}

	server := api.NewServer(handler, log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	a.welcome(ctx, c, listener.Addr(), tokens, log)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: requests under way may finish", "within", stopWait)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		log.Warn("some requests were cut off", "error", err)
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Info("stopped")
	return nil
}

// welcome imports what was asked for and says where the server is.
func (a *app) welcome(ctx context.Context, c *config, addr net.Addr, tokens *tokens, log *slog.Logger) {
	address := localURL(addr)
	log.Info("listening", "url", address, "data", c.data, "version", programVersion())
	if tokens.fixed == "" {
		path, err := filepath.Abs(tokens.path)
		if err != nil {
			path = tokens.path
		}
		a.say("The token for writing is in %s", path)
	}
	if c.importFrom != "" {
		token, err := tokens.current()
		if err == nil {
			a.say("Importing %s ...", c.importFrom)
			err = a.importAll(ctx, client.New(address, token), []string{c.importFrom}, &progress{})
		}
		if err != nil && ctx.Err() == nil {
			log.Error("the import is not complete", "from", c.importFrom, "error", err)
		}
	}
	if ctx.Err() == nil {
		a.say("AppStore is ready at %s/", address)
	}
	if c.publicURL != "" {
		a.say("Clients see it at %s", c.publicURL)
	}
}

// localURL is where a server that listens on addr is found on its own machine.
func localURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}
