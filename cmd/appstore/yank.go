package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"appstore/schema"
)

func (a *app) yankCommand() *cobra.Command {
	var reason string
	var undo bool
	c := &cobra.Command{
		Use:   "yank NAME@VERSION",
		Short: "Hide a release from all who don't ask for its exact version",
		Long: `Yanks a release, with a reason that its users see. Channels and ranges no longer
lead to it, and search shows the release before it; whoever asks for the exact version
still gets it. It can be taken back.`,
		Example: `  appstore yank KubeCluster@1.2.0 --reason "deletes volumes on restart"
  appstore yank KubeCluster@1.2.0 --undo`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, version, err := a.splitRef(args[0])
			if err != nil {
				return err
			}
			if _, err := schema.ParseVersion(version); err != nil {
				return usagef("name the exact version, as in %s@1.2.0: %v", name, err)
			}
			if undo == (reason != "") {
				return usagef("say why with --reason, or take a yank back with --undo")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if undo {
				r, err := c.Unyank(cmd.Context(), name, version)
				if err != nil {
					return err
				}
				if a.server.json {
					return a.printJSON(r)
				}
				a.say("%s@%s is live again", plain(r.Name), r.Version)
				return nil
			}
			r, err := c.Yank(cmd.Context(), name, version, reason)
			if err != nil {
				return err
			}
			if a.server.json {
				return a.printJSON(r)
			}
			a.say("Yanked %s@%s: %s", plain(r.Name), r.Version, plain(r.Reason))
			// It is done, whatever becomes of this question.
			if p, err := c.Plugin(cmd.Context(), name); err == nil {
				for _, channel := range slices.Sorted(maps.Keys(p.Channels)) {
					if p.Channels[channel] == r.Version {
						a.note("The channel %s points to it and now leads nowhere: appstore channel %s %s VERSION, or --remove", plain(channel), plain(r.Name), plain(channel))
					}
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "`why`, for its users")
	c.Flags().BoolVar(&undo, "undo", false, "take the yank back")
	return a.connects(a.answersJSON(c))
}
