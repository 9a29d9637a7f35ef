package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"appstore/api/client"
)

func (a *app) importCommand() *cobra.Command {
	return a.connects(a.answersJSON(&cobra.Command{
		Use:   "import PATH|URL...",
		Short: "Bring in a whole catalogue",
		Long: `Brings releases into the AppStore from a folder, a file or a URL:

A folder, such as a Git checkout: every plugin.yaml in it is a release, with the
wheels, sdists and npm tarballs beside it; channels.yaml in its root says where
channels point (plugin: {channel: version}). Releases go in by version, and after
those whose packages they use. Hidden folders are left out.

CloudLaunch's app-registry.yaml: each app is a plugin, each of its versions a label
that names a line of releases. Content that changed under a label is published as
the line's next version. default_version becomes the channel stable.

A descriptor: one release.

What is there already is left alone, so an import can be repeated: it adds what has
changed. What is not valid is reported with its place and does not stop the rest.`,
		Example: `  appstore import app-registry.yaml
  appstore import https://example.org/app-registry.yaml
  appstore import ~/src/our-plugins`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return a.importAll(cmd.Context(), c, args, a.progress())
		},
	}))
}

// errIncomplete is the error of an import whose problems have been written.
var errIncomplete = &reported{errors.New("some of it was not imported")}

// importAll imports what paths and URLs name, and writes how it went.
func (a *app) importAll(ctx context.Context, c *client.Client, from []string, p *progress) error {
	im := &importer{c: c, bad: func(line string) {
		p.done()
		a.note("%s", line)
	}}
	im.step = func() {
		s := im.tally()
		p.show("Importing %d plugins: %d of %d releases", s.Plugins, s.Published+s.Unchanged, s.releases)
	}
	err := im.run(ctx, from)
	p.done()
	sum := im.tally()
	if a.server.json {
		if err := a.printJSON(sum); err != nil {
			return err
		}
	} else if err == nil || sum.Published > 0 {
		a.say("%s", sum.String())
	}
	if err == nil && len(sum.Problems) > 0 {
		err = errIncomplete
	}
	return err
}

// tally is how an import goes.
type tally struct {
	Plugins   int      `json:"plugins"`
	Published int      `json:"published"` // releases
	Unchanged int      `json:"unchanged"` // releases
	Channels  int      `json:"channels"`  // set
	Listings  int      `json:"listings"`  // set
	Problems  []string `json:"problems"`

	releases int // to be looked at
}

func (t tally) String() string {
	s := fmt.Sprintf("Imported %s: %s published, %d there already; %s and %s set",
		count(t.Plugins, "plugin", "plugins"), count(t.Published, "release", "releases"), t.Unchanged,
		count(t.Channels, "channel", "channels"), count(t.Listings, "listing", "listings"))
	if t.Published+t.Channels+t.Listings == 0 && len(t.Problems) == 0 {
		s = fmt.Sprintf("Nothing has changed: %s with %s are there already", count(t.Plugins, "plugin", "plugins"), count(t.Unchanged, "release", "releases"))
	}
	if n := len(t.Problems); n > 0 {
		s += fmt.Sprintf("; %s", count(n, "problem", "problems"))
	}
	return s
}
