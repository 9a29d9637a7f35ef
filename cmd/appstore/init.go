package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"appstore/schema"
)

func (a *app) initCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "init [NAME]",
		Short: "Write a commented descriptor to start from",
		Example: `  appstore init MyPlugin
  appstore validate plugin.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := "MyPlugin"
			if len(args) == 1 {
				name = args[0]
			}
			if err := schema.CheckName(name); err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already and is left as it is: remove it, or write another file with -o", out)
			}
			if err != nil {
				return err
			}
			_, err = f.Write(schema.Template(name))
			if err2 := f.Close(); err == nil {
				err = err2
			}
			if err != nil {
				return err
			}
			a.say("Wrote %s. Fill it in, then:\n  appstore validate %s", out, out)
			return nil
		},
	}
	c.Flags().StringVarP(&out, "output", "o", descriptorName, "`file` to write")
	return c
}
