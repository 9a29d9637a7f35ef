package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"appstore/registry/journal"
)

func (a *app) journalCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "journal",
		Short: "Verify the journal, in which everything is written",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return usagef("write `appstore journal verify`") },
	}
	c := &config{}
	parts := []string{partData, partS3}
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Read the whole journal and check its chain",
		Long: `Reads every entry of the journal and checks that none is missing or altered. It
takes the same settings as serve, reads only, and may run beside a server.

It prints the position and the digest of the last entry. Note them: that entries were
cut off at the end can be seen by comparing with an earlier note only.`,
		Example: `  appstore journal verify --data /srv/appstore
  appstore journal verify --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.read(cmd, a.env, parts...); err != nil {
				return err
			}
			return a.verifyJournal(cmd.Context(), c)
		},
	}
	c.flags(verify, parts...)
	parent.AddCommand(a.answersJSON(verify))
	return parent
}

// verified is what --json tells of the journal.
type verified struct {
	Intact   bool   `json:"intact"`
	Position uint64 `json:"position"`
	Head     string `json:"head"`
	Events   int    `json:"events"`
	Damage   string `json:"damage,omitempty"`
}

func (a *app) verifyJournal(ctx context.Context, c *config) error {
	store, err := c.openStoreToRead(ctx)
	if err != nil {
		return err
	}
	p := a.progress()
	v := verified{Intact: true}
	head, err := journal.New(store, "catalog").Verify(ctx, func(e journal.Entry) {
		v.Events += len(e.Events)
		p.show("Verified %d entries", e.Position)
	})
	p.done()
	if err != nil && !errors.Is(err, journal.ErrChain) {
		return err
	}
	v.Position, v.Head = head.Position, head.Digest
	if err != nil {
		v.Intact, v.Damage = false, err.Error()
	}
	switch {
	case a.server.json:
		if err := a.printJSON(v); err != nil {
			return err
		}
	case v.Intact:
		a.say("The journal is intact: %s, %s.\nHead: %d %s", count(int(v.Position), "entry", "entries"), count(v.Events, "event", "events"), v.Position, v.Head)
	default:
		a.note("appstore: the journal is damaged: %s", v.Damage)
		a.note("It is intact up to entry %d. Put the damaged object back from a backup of the store.", v.Position)
	}
	if !v.Intact {
		return &reported{err}
	}
	return nil
}
