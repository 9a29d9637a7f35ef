package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"appstore/api/client"
)

func (a *app) searchCommand() *cobra.Command {
	var q client.Query
	c := &cobra.Command{
		Use:   "search [QUERY...]",
		Short: "Find plugins",
		Long: `Finds plugins by name, title, summary, description, tags and categories, forgiving
typing errors. Without a query it lists all.

Words must all be found; "quoted words" must stand together; -word must not be
there. Filters can stand in the query, too: tag:kubernetes category:containers
-interface:admin. Values of one filter are alternatives.`,
		Example: `  appstore search kubernetes cluster
  appstore search galaxy -docker
  appstore search 'rna seq' --category genomics --sort updated
  appstore search --tag gpu --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Limit < 1 {
				return &usageError{fmt.Errorf("--limit %d: give 1 to 100", q.Limit)}
			}
			q.Text = strings.Join(args, " ")
			c, err := a.client()
			if err != nil {
				return err
			}
			found, err := c.Search(cmd.Context(), q)
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(found)
			}
			a.printHits(found, q)
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&q.Category, "category", nil, "only of this `category`")
	f.StringArrayVar(&q.Tag, "tag", nil, "only with this `tag`")
	f.StringArrayVar(&q.Interface, "interface", nil, "only with this `interface`: launch, admin, backup, ...")
	f.StringArrayVar(&q.Maintainer, "maintainer", nil, "only of this `maintainer`")
	f.StringArrayVar(&q.Trust, "trust", nil, "only of this `trust`")
	f.StringArrayVar(&q.Status, "status", nil, "only with this `status`: LIVE, DEV, CERTIFICATION")
	f.StringVar(&q.Sort, "sort", "", "`order`: relevance (default), name, updated or downloads")
	f.IntVar(&q.Limit, "limit", 20, "at most this `many`, up to 100")
	f.StringVar(&q.After, "after", "", "`cursor` of the next page")
	f.BoolVar(&q.Explain, "explain", false, "say what each field and signal gave to the score")
	return a.connects(a.answersJSON(c))
}

// queryLast puts the words of a search that begin with one dash ("-docker",
// "-interface:admin") behind a "--", as they are part of the query and no flags. A
// search has no flags of one letter but -h.
func queryLast(args []string) []string {
	if len(args) == 0 || args[0] != "search" || slices.Contains(args, "--") {
		return args
	}
	var rest, words []string
	for _, arg := range args {
		if len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && arg != "-h" {
			words = append(words, arg)
		} else {
			rest = append(rest, arg)
		}
	}
	return slices.Concat(rest, []string{"--"}, words)
}

func (a *app) printHits(found *client.List[client.Hit], q client.Query) {
	if len(found.Items) == 0 {
		a.say("Nothing was found.")
		return
	}
	rows := [][]string{{"NAME", "VERSION", "SUMMARY"}}
	for _, h := range found.Items {
		summary := h.Summary
		if summary == "" {
			summary = h.Title
		}
		rows = append(rows, []string{h.Name, h.Version, shorten(summary, 72)})
	}
	if !q.Explain {
		table(a.out, rows)
	} else {
		for _, h := range found.Items {
			a.say("%s %s  score %g", plain(h.Name), plain(h.Version), h.Score)
			for _, r := range h.Explain {
				term := ""
				if r.Term != "" {
					term = " " + r.Term
				}
				a.say("  %-24s %g", plain(r.Source+term), r.Value)
			}
		}
	}
	if found.Next != "" {
		a.say("\n%d of %s. The next: --after %s", len(found.Items), count(found.Total, "plugin", "plugins"), found.Next)
	} else {
		a.say("\n%s", count(found.Total, "plugin", "plugins"))
	}
}
