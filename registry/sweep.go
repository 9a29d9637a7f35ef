package registry

import (
	"context"
	"errors"
	"time"
)

const (
	sweepEvery = 6 * time.Hour
	// sweepAge is more than publishTimeout by far: whatever a publish that can
	// still commit has stored is younger.
	sweepAge = 24 * time.Hour
)

// sweeper removes now and then what crashes left behind.
func (r *Registry) sweeper(ctx context.Context) {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(sweepEvery)
		}
		n, err := r.sweep(ctx, time.Now().Add(-sweepAge))
		if err == nil {
			var drafts int
			drafts, err = r.sweepDrafts(ctx, time.Now().Add(-draftAge))
			n += drafts
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("the sweep of unused files did not finish", "error", err, "removed", n)
		} else if n > 0 {
			r.log.Info("unused files removed", "files", n)
		}
	}
}

// sweep deletes stored files that were written before old and that nothing
// refers to. The list is taken first, then the journal is read to its end:
// what is still not referred to, and that old, never will be.
func (r *Registry) sweep(ctx context.Context, old time.Time) (removed int, err error) {
	var history uint64
	if err := r.cat.view(func(t tx) error { history = t.history(); return nil }); err != nil {
		return 0, err
	}
	var batch []string
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := r.fresh(ctx); err != nil {
			return err
		}
		if why := r.readOnly.Load(); why != nil {
			batch = batch[:0] // a newer program's entries may refer to anything
			return nil
		}
		// All are looked up in one state of the catalogue, of the history that
		// fresh has read to its end.
		var unused []string
		if err := r.cat.view(func(t tx) error {
			if t.history() != history {
				return errors.New("the journal was replaced while the sweep was under way")
			}
			for _, key := range batch {
				if !t.kept(key) {
					unused = append(unused, key)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		for _, key := range unused {
			if err := r.store.Delete(ctx, key); err != nil {
				return err
			}
			removed++
		}
		batch = batch[:0]
		return nil
	}
	for info, err := range r.store.List(ctx, "files/", "") {
		if err != nil {
			return removed, err
		}
		if !info.Modified.Before(old) {
			continue
		}
		if batch = append(batch, info.Key); len(batch) == 1000 {
			if err := flush(); err != nil {
				return removed, err
			}
		}
	}
	return removed, flush()
}
