package main

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"appstore/api/client"
	"appstore/schema"
)

func (a *app) channelCommand() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use:   "channel NAME [CHANNEL VERSION]",
		Short: "List, set or remove a plugin's channels",
		Long: `A channel is a name that points to a release: stable, beta, ... Who asks for no
version gets stable, if it is set. "latest" is computed and can't be set.`,
		Example: `  appstore channel KubeCluster
  appstore channel KubeCluster stable 1.2.0
  appstore channel KubeCluster beta --remove`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove != (len(args) == 2) {
				return usagef("write NAME to list, NAME CHANNEL VERSION to set, NAME CHANNEL --remove to remove")
			}
			if len(args) > 1 {
				if err := schema.CheckChannel(args[1]); err != nil {
					return &usageError{err}
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			a.asked = args[0]
			p, err := changeChannel(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(p.Channels)
			}
			a.printChannels(p)
			return nil
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "remove the channel")
	return a.connects(a.answersJSON(c))
}

// changeChannel does what the arguments say: as many as there are, so much is
// to be done.
func changeChannel(ctx context.Context, c *client.Client, args []string) (*client.Plugin, error) {
	switch len(args) {
	case 3:
		return c.SetChannel(ctx, args[0], args[1], args[2])
	case 2:
		return c.RemoveChannel(ctx, args[0], args[1])
	}
	return c.Plugin(ctx, args[0])
}

func (a *app) printChannels(p *client.Plugin) {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(p.Channels)) {
		rows = append(rows, []string{name, p.Channels[name]})
	}
	if p.Latest != "" {
		rows = append(rows, []string{"latest", p.Latest, "(computed)"})
	}
	table(a.out, rows)
}
