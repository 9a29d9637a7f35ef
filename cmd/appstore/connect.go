package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
)

const defaultURL = "http://127.0.0.1:8080"

// serverFlags say where the server is and how to be let in.
type serverFlags struct {
	url       string
	tokenFile string
	json      bool
}

// connects gives c the flags of a command that talks to a server.
func (a *app) connects(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&a.server.url, "url", "", "the server's `address` (APPSTORE_URL; default "+defaultURL+")")
	c.Flags().StringVar(&a.server.tokenFile, "token-file", "", "`file` with the server's token; else APPSTORE_TOKEN has it")
	return c
}

// answersJSON gives c the flag --json.
func (a *app) answersJSON(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.server.json, "json", false, "print JSON, for programs")
	return c
}

// client is the client of the server that the flags or the environment name.
func (a *app) client() (*client.Client, error) {
	a.server.url = cmp.Or(a.server.url, a.env("APPSTORE_URL"), defaultURL)
	u, err := url.Parse(a.server.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usagef("%q is not the address of a server: write it like %s (--url, APPSTORE_URL)", a.server.url, defaultURL)
	}
	a.server.url = strings.TrimRight(a.server.url, "/")
	token := strings.TrimSpace(a.env("APPSTORE_TOKEN"))
	if a.server.tokenFile != "" {
		text, err := os.ReadFile(a.server.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	c := client.New(a.server.url, token)
	c.UserAgent = "appstore/" + programVersion()
	return c, nil
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// splitRef splits NAME[@REF].
func (a *app) splitRef(arg string) (name, ref string, err error) {
	name, ref, found := strings.Cut(arg, "@")
	if name == "" || found && ref == "" {
		return "", "", usagef("%q: write NAME or NAME@REF, such as KubeCluster@1.2.0, KubeCluster@stable or 'KubeCluster@^1.2'", arg)
	}
	a.asked = name
	return name, ref, nil
}

// link is a link of an answer as a whole address: a server that was not told
// its public address gives paths.
func (a *app) link(s string) string {
	if strings.HasPrefix(s, "/") {
		return a.server.url + s
	}
	return plain(s)
}
