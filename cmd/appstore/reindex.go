package main

import (
	"time"

	"github.com/spf13/cobra"
)

func (a *app) reindexCommand() *cobra.Command {
	return a.connects(a.answersJSON(&cobra.Command{
		Use:   "reindex",
		Short: "Rebuild the search index",
		Long: `Makes a new search index from the catalogue, beside the old one, which serves until
the new one is ready. It is never needed in normal work: the index follows by itself.`,
		Example: "  appstore reindex",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			start := time.Now()
			s, err := c.Reindex(cmd.Context())
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(s)
			}
			a.say("The search index has been rebuilt: %s, position %d, in %s", count(s.Plugins, "plugin", "plugins"), s.IndexPosition, time.Since(start).Round(time.Millisecond))
			return nil
		},
	}))
}
