// Command appstore is the AppStore: its server, and what talks to one.
//
//	appstore serve                  the server
//	appstore search, show, fetch    find plugins and get them
//	appstore init, validate, publish, import, yank, channel
//	appstore reindex, journal verify, token
//
// `appstore help` tells more. The exit codes are in exit.go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run is the whole program; it returns the exit code. It ends early, and tidily,
// when ctx does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	a := &app{in: stdin, out: stdout, err: stderr, env: env}
	root := a.root()
	root.SetArgs(queryLast(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = &usageError{err}
	}
	if err != nil {
		a.complain(ctx, err)
	}
	return exitCode(err)
}

// app is what the commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string
	started  bool // the command line was understood
	server   serverFlags
	asked    string // the plugin that the command line names
}

const rootHelp = `The AppStore keeps plugins for CloudLaunch and other host programs: it validates,
stores, indexes and serves them.

Start one, with a sample catalogue or an empty one, and look for something:

  appstore serve
  appstore search kubernetes
  appstore fetch KubeCluster@^1.2

Commands other than serve find the server in --url or APPSTORE_URL
(default ` + defaultURL + `). Writing needs the server's token, taken from
APPSTORE_TOKEN or from the file that --token-file names.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "appstore",
		Short:         "A registry of plugins: publish, search and fetch",
		Long:          rootHelp + "\n\n" + exitHelp(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       programVersion(),
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	root.SetVersionTemplate("appstore {{.Version}}\n")
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"find", "Find and get plugins:", []*cobra.Command{a.searchCommand(), a.showCommand(), a.fetchCommand()}},
		{"publish", "Publish plugins:", []*cobra.Command{
			a.initCommand(), a.validateCommand(), a.publishCommand(), a.importCommand(), a.yankCommand(), a.channelCommand(), a.draftCommand(),
		}},
		{"operate", "Run a server:", []*cobra.Command{a.serveCommand(), a.tokenCommand(), a.healthCommand(), a.reindexCommand(), a.journalCommand()}},
		{"other", "Other:", []*cobra.Command{a.versionCommand()}},
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	return root
}

// say writes a line for people.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.out, format+"\n", args...)
}

// note writes a line beside the output: what is going on.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}
