package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
)

func (a *app) draftCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "draft",
		Short: "Show, finish and drop bundles that wait for files",
		Long: `twine and npm send one file in a request and never say that they are done. Their
files gather in a draft; the upload that completes what the descriptor names publishes
it. The descriptor travels inside a package, as appstore-plugin.yaml, or is put before.
A draft that waits for 7 days is removed.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("write `appstore draft list`, put, show, finish or drop")
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the drafts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			all, err := c.Drafts(cmd.Context())
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(all)
			}
			rows := [][]string{{"DRAFT", "FILES", "WAITS FOR"}}
			for _, d := range all.Items {
				rows = append(rows, []string{plain(d.Name) + "@" + plain(d.Version), count(len(d.Files), "file", "files"), waitsFor(d)})
			}
			if len(all.Items) > 0 {
				table(a.out, rows)
			}
			a.say("%s", count(len(all.Items), "draft", "drafts"))
			return nil
		},
	}
	put := &cobra.Command{
		Use: "put DESCRIPTOR", Short: "Send a descriptor before its files",
		Example: "  appstore draft put plugin.yaml\n  twine upload --repository-url http://127.0.0.1:8080/legacy/ dist/*",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			_, text, err := a.parseDescriptor(args[0])
			if err != nil {
				return err
			}
			d, err := c.PutDraft(cmd.Context(), text)
			if err != nil {
				return err
			}
			return a.tellDraft("is a draft", d)
		},
	}
	show := a.oneDraft("show", "Tell what a draft has and waits for", func(ctx context.Context, c *client.Client, name, version string) error {
		d, err := c.Draft(ctx, name, version)
		if err != nil {
			return err
		}
		return a.tellDraft("is a draft", d)
	})
	finish := a.oneDraft("finish", "Publish a draft as it is", func(ctx context.Context, c *client.Client, name, version string) error {
		p, err := c.FinishDraft(ctx, name, version)
		if err != nil {
			return err
		}
		if a.server.json {
			return a.printJSON(p)
		}
		a.say("Published %s@%s (%s): %s", plain(p.Name), plain(p.Version), count(len(p.Files), "file", "files"), a.link(p.Page))
		return nil
	})
	drop := a.oneDraft("drop", "Remove a draft and its files", func(ctx context.Context, c *client.Client, name, version string) error {
		d, err := c.DropDraft(ctx, name, version)
		if err != nil {
			return err
		}
		return a.tellDraft("was dropped", d)
	})
	parent.AddCommand(a.connects(a.answersJSON(list)), a.connects(a.answersJSON(put)), show, finish, drop)
	return parent
}

// oneDraft is a subcommand about the draft NAME@VERSION.
func (a *app) oneDraft(use, short string, do func(ctx context.Context, c *client.Client, name, version string) error) *cobra.Command {
	return a.connects(a.answersJSON(&cobra.Command{
		Use: use + " NAME@VERSION", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version, err := a.splitRef(args[0])
			if err == nil && version == "" {
				err = usagef("name the version too, as in %s@1.2.0", name)
			}
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return do(cmd.Context(), c, name, version)
		},
	}))
}

func (a *app) tellDraft(what string, d *client.Draft) error {
	if a.server.json {
		return a.printJSON(d)
	}
	a.say("%s@%s %s: %s; waits for %s", plain(d.Name), plain(d.Version), what, count(len(d.Files), "file", "files"), waitsFor(*d))
	for _, f := range d.Files {
		a.say("  %s  %s", plain(f.Name), size(f.Size))
	}
	return nil
}

func waitsFor(d client.Draft) string {
	if len(d.Missing) == 0 {
		return "nothing"
	}
	var names []string
	for _, p := range d.Missing {
		names = append(names, p.Ecosystem+" "+plain(p.Name))
	}
	return strings.Join(names, ", ")
}
