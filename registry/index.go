package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"appstore/registry/journal"
	"appstore/search"
)

const (
	indexBatch   = 500              // plugins in one Put
	indexCheck   = 10 * time.Second // a look at the index when nothing changed
	indexRetry   = time.Second      // after a failure
	indexTimeout = 30 * time.Second // of one Put
	// indexYield is what a replica leaves the one that appended an entry to
	// index it, before it looks whether that happened.
	indexYield = 500 * time.Millisecond
)

// indexer keeps the search index up with the catalogue. How far the index has
// come, the index itself says: another replica may have moved it, or lost it.
type indexer struct {
	index search.Index
	r     *Registry

	wake chan struct{}
	own  atomic.Bool // woken for an entry of our own

	// putting is held from a look at the index's position until something was put
	// at it: else a document could replace a newer one of the same position.
	putting sync.Mutex

	mu        sync.Mutex
	history   uint64 // of the catalogue, that reached is of
	reached   uint64
	downloads map[string]uint64        // by plugin: what the index was last told
	waiters   map[chan struct{}]uint64 // closed when reached is at least that
}

func newIndexer(index search.Index, r *Registry) *indexer {
	return &indexer{index: index, r: r, wake: make(chan struct{}, 1), waiters: map[chan struct{}]uint64{}, downloads: map[string]uint64{}}
}

// notify says that the catalogue has moved, by an entry of our own or not.
func (x *indexer) notify(own bool) {
	if own {
		x.own.Store(true)
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run puts what changed into the index, at once after an entry of our own.
func (x *indexer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing, yielding := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-x.wake:
			if failing {
				continue // the timer tries again; each publish need not
			}
			if !x.own.Swap(false) {
				if !yielding { // entries that come often must not put it off for ever
					timer.Reset(indexYield)
				}
				yielding = true
				continue
			}
		}
		yielding = false
		err := x.catchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				x.r.log.Warn("the search index is behind; it catches up when it can", "error", err)
			}
			failing = true
			timer.Reset(indexRetry)
		default:
			if failing {
				x.r.log.Info("the search index has caught up")
			}
			failing = false
			timer.Reset(indexCheck)
		}
	}
}

// catchUp brings the index from its own position to the catalogue's, at the
// cost of what changed. An index of another history is rebuilt.
func (x *indexer) catchUp(ctx context.Context) error {
	if err := x.r.Movable(); err != nil {
		return err // the catalogue may be half read
	}
	x.putting.Lock()
	defer x.putting.Unlock()
	state, err := x.index.State(ctx)
	if err != nil {
		return err
	}
	if state.Position > 0 {
		ok, err := x.r.journal.Contains(ctx, journal.Head{Position: state.Position, Digest: state.Digest})
		if err != nil {
			return err
		}
		if !ok {
			x.r.log.Warn("the search index is of another history, as after a restore; rebuilding it", "index position", state.Position, "position", x.r.Position())
			return x.rebuild(ctx)
		}
	}
	if mark := x.r.Mark(); state.Position >= mark.position { // another replica was faster
		x.arrived(Mark{mark.history, state.Position})
		return nil
	}
	for after := state.Position; ; {
		docs, reached, head, history, err := x.changed(after)
		if err != nil {
			return err
		}
		// The last piece moves the index's mark; the ones before leave it.
		mark := state.Mark
		if reached == head.Position {
			mark = head
		}
		put, cancel := context.WithTimeout(ctx, indexTimeout)
		err = x.index.Put(put, mark, docs...)
		cancel()
		if err != nil {
			return err
		}
		x.tell(docs)
		if reached == head.Position {
			x.arrived(Mark{history, reached})
			return nil
		}
		after = reached
	}
}

// changed gives the documents of the plugins that changed first after a
// position, and the position up to which these are all. A plugin that changes
// again later moves to a later position, so that none is missed between pieces.
func (x *indexer) changed(after uint64) (docs []search.Doc, reached uint64, head search.Mark, history uint64, err error) {
	err = x.r.cat.view(func(t tx) error {
		h := t.head()
		history = t.history()
		head = search.Mark{Position: h.Position, Digest: h.Digest}
		reached = h.Position
		var failure error
		t.changedSince(after, func(position uint64, name string) bool {
			if len(docs) >= indexBatch && docs[len(docs)-1].Position != position {
				reached = docs[len(docs)-1].Position
				return false
			}
			var doc search.Doc
			doc, failure = x.document(t, name)
			docs = append(docs, doc)
			return failure == nil
		})
		return failure
	})
	return docs, reached, head, history, err
}

// tell notes the downloads that the index was told of plugins. If others know of
// more, this replica soon does so too, and tells the index again.
func (x *indexer) tell(docs []search.Doc) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, d := range docs {
		if x.downloads[d.Name] = d.Downloads; d.Downloads == 0 {
			delete(x.downloads, d.Name)
		}
	}
}

// rebuild makes the index anew from the whole catalogue.
func (x *indexer) rebuild(ctx context.Context) error {
	var head journal.Head
	var history uint64
	if err := x.r.cat.view(func(t tx) error { head, history = t.head(), t.history(); return nil }); err != nil {
		return err
	}
	if err := x.index.Rebuild(ctx, search.Mark{Position: head.Position, Digest: head.Digest}, x.all(ctx)); err != nil {
		return err
	}
	x.mu.Lock()
	clear(x.downloads) // what it has is what was known meanwhile: all are told again
	x.mu.Unlock()
	x.arrived(Mark{history, head.Position})
	return nil
}

// all gives every plugin's document, reading the catalogue in pieces: an open
// read transaction would hold up its growth.
func (x *indexer) all(ctx context.Context) iter.Seq2[search.Doc, error] {
	return func(yield func(search.Doc, error) bool) {
		after := ""
		for {
			var docs []search.Doc
			err := x.r.cat.view(func(t tx) error {
				c := t.Bucket(bucketPlugins).Cursor()
				for k, _ := c.Seek([]byte(after + "\x00")); k != nil && len(docs) < indexBatch; k, _ = c.Next() {
					doc, err := x.document(t, string(k))
					if err != nil {
						return err
					}
					docs = append(docs, doc)
				}
				return nil
			})
			if err := errors.Join(err, ctx.Err()); err != nil {
				yield(search.Doc{}, err)
				return
			}
			if len(docs) == 0 {
				return
			}
			for _, doc := range docs {
				if !yield(doc, nil) {
					return
				}
				after = doc.Name
			}
		}
	}
}

// document is what a plugin looks like to the search.
func document(t tx, name string) (search.Doc, error) {
	p, ok := t.plugin(name)
	if !ok {
		return search.Doc{}, fmt.Errorf("catalogue: no plugin %q, which changed", name)
	}
	doc := search.Doc{
		Position: p.Position, Name: p.Name, Spelling: p.Spelling, Trust: p.Trust, Updated: p.Updated,
		Title: p.Listing.Title, Summary: p.Listing.Summary, Icon: p.Listing.Icon, Status: p.Listing.Status,
		Hidden: true,
	}
	if p.Default == "" {
		return doc, nil
	}
	r, err := exactly(t, p.Name, p.Default)
	if err != nil {
		return doc, err
	}
	d := &r.Descriptor
	doc.Hidden = false
	doc.Version, doc.Label, doc.Description, doc.Maintainer = d.Version, d.Label, d.Description, d.Maintainer
	doc.Categories, doc.Tags = d.Categories, d.Tags
	doc.Interfaces = slices.Sorted(maps.Keys(d.Interfaces))
	doc.Title = cmp.Or(doc.Title, d.Title)
	doc.Summary = cmp.Or(doc.Summary, d.Summary)
	doc.Icon = cmp.Or(doc.Icon, d.Links.Icon)
	return doc, nil
}

// forget says that the journal was replaced: what the index had reached is of
// another history.
func (x *indexer) forget(history uint64) {
	x.mu.Lock()
	x.history, x.reached = history, 0
	x.mu.Unlock()
	x.notify(true)
}

func (x *indexer) arrived(at Mark) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at.history < x.history {
		return // it was under way when the journal was replaced
	}
	x.reached = max(x.reached, at.position)
	for c, at := range x.waiters {
		if at <= x.reached {
			close(c)
			delete(x.waiters, c)
		}
	}
}

// wait tells whether the index has reached position within the time given.
func (x *indexer) wait(ctx context.Context, position uint64, most time.Duration) bool {
	x.mu.Lock()
	if x.reached >= position {
		x.mu.Unlock()
		return true
	}
	c := make(chan struct{})
	x.waiters[c] = position
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		delete(x.waiters, c)
		x.mu.Unlock()
	}()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Reindex rebuilds the search index from the catalogue, beside the one that serves.
func (r *Registry) Reindex(ctx context.Context) error {
	if err := r.fresh(ctx); err != nil {
		return err
	}
	return r.index.rebuild(ctx)
}
