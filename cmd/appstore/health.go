package main

import "github.com/spf13/cobra"

func (a *app) healthCommand() *cobra.Command {
	return a.connects(&cobra.Command{
		Use:   "health",
		Short: "Tell whether a server is ready",
		Long: `Asks the server's /readyz: ready means that it answers and reaches its storage. The
exit code says it too, for the health checks of containers and scripts.`,
		Example: "  appstore health --url https://example.org/appstore",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.Ready(cmd.Context()); err != nil {
				return err
			}
			a.say("%s is ready", c.URL())
			return nil
		},
	})
}
