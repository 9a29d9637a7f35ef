package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
	"appstore/schema"
)

func (a *app) showCommand() *cobra.Command {
	return a.connects(a.answersJSON(&cobra.Command{
		Use:   "show NAME[@REF]",
		Short: "Show a plugin, or one of its releases",
		Long: `Shows a plugin with its channels and newest releases; with @REF one release. A REF
is a version, a channel or a range of versions.`,
		Example: `  appstore show KubeCluster
  appstore show KubeCluster@stable
  appstore show 'KubeCluster@^1.1' --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, ref, err := a.splitRef(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if ref != "" {
				r, err := c.Release(cmd.Context(), name, ref)
				if err != nil {
					return err
				}
				if a.server.json {
					return a.printJSON(r)
				}
				a.printRelease(r)
				return nil
			}
			p, err := c.Plugin(cmd.Context(), name)
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(p)
			}
			a.printPlugin(p)
			return nil
		},
	}))
}

func (a *app) printPlugin(p *client.Plugin) {
	if p.Release != nil {
		a.printRelease(p.Release)
	} else {
		a.say("%s  (no live release)", plain(p.Name))
	}
	if len(p.Channels) > 0 {
		var channels []string
		for _, name := range slices.Sorted(maps.Keys(p.Channels)) {
			channels = append(channels, name+" -> "+p.Channels[name])
		}
		a.say("\nChannels: %s", plain(strings.Join(channels, ", ")))
	}
	a.say("\nReleases:")
	var rows [][]string
	for _, r := range p.Releases {
		state := strings.Join(r.Channels, ", ")
		if r.State != "live" {
			state = strings.TrimSpace(r.State + ": " + r.Reason)
		}
		rows = append(rows, []string{"  " + r.Version, r.Label, r.Published.Format("2006-01-02"), count(r.Files, "file", "files"), state})
	}
	table(a.out, rows)
	if p.Next != "" {
		a.say("  and %d more", p.Total-len(p.Releases))
	}
}

func (a *app) printRelease(r *client.Release) {
	d := r.Descriptor
	title := r.Name + " " + r.Version
	if d.Title != "" {
		title += "  " + d.Title
	}
	a.say("%s", plain(title))
	if d.Summary != "" {
		a.say("%s", plain(d.Summary))
	}
	if r.Yanked() {
		a.say("YANKED: %s", plain(r.Reason))
	}
	a.say("")
	rows := [][]string{}
	row := func(key, value string) {
		if value != "" {
			rows = append(rows, []string{key, value})
		}
	}
	row("Label", r.Label)
	row("Maintainer", d.Maintainer)
	row("Categories", strings.Join(d.Categories, ", "))
	row("Tags", strings.Join(d.Tags, ", "))
	row("License", d.License)
	row("Homepage", d.Links.Homepage)
	row("Source", d.Links.Source)
	var requires []string
	for _, what := range slices.Sorted(maps.Keys(d.Requires)) {
		requires = append(requires, what+" "+d.Requires[what])
	}
	row("Requires", strings.Join(requires, ", "))
	for _, name := range slices.Sorted(maps.Keys(d.Interfaces)) {
		row("Interface "+name, interfaceText(d.Interfaces[name]))
	}
	row("Published", r.Published.Format("2006-01-02 15:04 MST"))
	row("Digest", r.Digest)
	row("Page", a.link(r.Page))
	table(a.out, rows)
	for _, group := range []struct {
		title string
		files []client.File
	}{{"Files", r.Files}, {"Files of the stored packages that it uses", r.Uses}} {
		if len(group.files) == 0 {
			continue
		}
		a.say("\n%s:", group.title)
		rows = nil
		for _, f := range group.files {
			rows = append(rows, []string{"  " + f.Name, size(f.Size), "sha256 " + f.SHA256})
		}
		table(a.out, rows)
	}
}

// interfaceText is "kubecluster.KubeClusterPlugin (kubecluster) and KubeConfigForm
// (@research-cloud/kube-ui)".
func interfaceText(i schema.Interface) string {
	var parts []string
	for _, c := range []*schema.Component{i.Backend, i.Frontend} {
		if c == nil {
			continue
		}
		text := c.Component
		if c.Name != "" {
			from := c.Name
			if c.Version != "" {
				from += " " + c.Version
			}
			if c.External {
				from += ", not kept here"
			}
			text = strings.TrimSpace(text + " (" + from + ")")
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "form only"
	}
	return strings.Join(parts, " and ")
}
