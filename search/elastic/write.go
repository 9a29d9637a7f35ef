package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"appstore/search"
)

// Bounds of one bulk request, and of the attempts for those of its items that
// the cluster was too busy for.
const (
	bulkBytes    = 5 << 20
	bulkDocs     = 1000
	bulkAttempts = 8
	bulkPause    = 50 * time.Millisecond // doubled each time: 6 s in all
)

// errReplaced is what Put says after another process has rebuilt the index,
// or somebody has deleted it. What was put may be missing from the new one.
var errReplaced = fmt.Errorf("%w: the index was replaced; read its State and go on from there", search.ErrUnavailable)

// Put implements search.Index.
//
// It writes to the index that State has seen last, and to no other: when
// another process has put a new index in its place, that index may lack what
// this process wrote before, and a mark in it would hide that. Put then
// returns an error that is ErrUnavailable, and the next State says where to go
// on from.
func (x *Index) Put(ctx context.Context, upTo search.Mark, docs ...search.Doc) error {
	if err := x.lock(ctx); err != nil {
		return err
	}
	defer x.unlock()
	name, err := x.boundTo(ctx)
	if err != nil {
		return err
	}
	b := bulk{index: x, target: name + writeSuffix}
	err = b.addAll(ctx, func(yield func(search.Doc, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	})
	if err == nil {
		err = b.mark(ctx, upTo)
	}
	if errors.Is(err, errReplaced) {
		x.bind("")
	}
	return err
}

// Rebuild implements search.Index. Writers of this process wait for it;
// searches, and the writers of other processes, don't. Of two processes that
// rebuild at once the one that gets further wins.
func (x *Index) Rebuild(ctx context.Context, at search.Mark, docs iter.Seq2[search.Doc, error]) (err error) {
	if err := x.lock(ctx); err != nil {
		return err
	}
	defer x.unlock()
	old, err := x.current(ctx)
	if err != nil {
		return err
	}
	if err := x.dropOrphans(ctx); err != nil {
		return err
	}
	name := x.newName()
	if err := x.create(ctx, name, "-1"); err != nil {
		return err
	}
	serving := false
	defer func() {
		if !serving {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
			defer cancel()
			err = cmp.Or(err, x.drop(ctx, name))
		}
	}()
	b := bulk{index: x, target: name + writeSuffix}
	if err := b.addAll(ctx, docs); err != nil {
		return err
	}
	if err := b.mark(ctx, at); err != nil {
		return err
	}
	refresh := object{"index": object{"refresh_interval": refreshInterval}}
	if err := x.call(ctx, readTimeout, http.MethodPut, path(name, "_settings"), refresh, nil); err != nil {
		return err
	}
	if err := x.call(ctx, writeTimeout, http.MethodPost, path(name, "_refresh"), nil, nil); err != nil {
		return err
	}
	serving, err = x.swap(ctx, old, name, at)
	return err
}

// swap lets the alias name the new index, and deletes the old one, in one
// step. It is not done if meanwhile another process has swapped in an index
// that has come as far.
func (x *Index) swap(ctx context.Context, old, name string, at search.Mark) (done bool, err error) {
	for range 10 {
		names, err := x.aliased(ctx)
		if err != nil {
			return false, err
		}
		actions := []object{{"add": object{"index": name, "alias": x.alias}}}
		for _, n := range names {
			if n != old {
				if mark, err := x.readMark(ctx, n); err == nil && mark.Position >= at.Position {
					x.bind(n)
					return false, nil
				}
			}
			actions = append(actions, object{"remove_index": object{"index": n}})
		}
		err = x.call(ctx, writeTimeout, http.MethodPost, "/_aliases", object{"actions": actions}, nil)
		if err == nil {
			x.bind(name)
			return true, nil
		}
		if !missing(err) {
			// The answer may be lost after the swap was done.
			if names, lookErr := x.aliased(context.WithoutCancel(ctx)); lookErr != nil || slices.Contains(names, name) {
				x.bind("")
				return true, err
			}
			return false, err
		}
	}
	return false, unavailable(errors.New("other processes keep replacing the index"))
}

// bulk collects documents into requests of bounded size.
type bulk struct {
	index  *Index
	target string // alias for writing
	items  [][]byte
	bytes  int
}

func (b *bulk) addAll(ctx context.Context, docs iter.Seq2[search.Doc, error]) error {
	for d, err := range docs {
		if err != nil {
			return err
		}
		if d.Name == "" {
			return errors.New("elasticsearch: a document has no name")
		}
		item, err := encode(d.Name, d.Position, source(d))
		if err != nil {
			return fmt.Errorf("elasticsearch: document %s: %w", d.Name, err)
		}
		if len(b.items) > 0 && (b.bytes+len(item) > bulkBytes || len(b.items) >= bulkDocs) {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
		b.items = append(b.items, item)
		b.bytes += len(item)
	}
	return b.flush(ctx)
}

// mark writes the Mark; all documents before it are written. Its version is
// its position, so it never goes backwards.
func (b *bulk) mark(ctx context.Context, m search.Mark) error {
	item, err := encode(markID, m.Position, object{fieldMark: m})
	if err != nil {
		return err
	}
	b.items = [][]byte{item}
	return b.flush(ctx)
}

// encode makes the two lines of a bulk item. The version makes Elasticsearch
// refuse what is older than what it has.
func encode(id string, version uint64, source object) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	action := object{"index": object{"_id": id, "version": version, "version_type": "external_gte"}}
	if err := cmp.Or(enc.Encode(action), enc.Encode(source)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// flush sends the items, and again those that the cluster was too busy for.
func (b *bulk) flush(ctx context.Context) error {
	items := b.items
	b.items, b.bytes = nil, 0
	for attempt, pause := 1, bulkPause; len(items) > 0; attempt, pause = attempt+1, 2*pause {
		left, err := b.send(ctx, items)
		if err != nil || len(left) == 0 {
			return err
		}
		if attempt == bulkAttempts {
			return unavailable(fmt.Errorf("the cluster was too busy for %d of %d documents", len(left), len(items)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(jitter(pause)):
		}
		items = left
	}
	return nil
}

// send does one bulk request, and returns the items to send again.
func (b *bulk) send(ctx context.Context, items [][]byte) (left [][]byte, err error) {
	var answer struct {
		Errors bool `json:"errors"`
		Items  []map[string]struct {
			ID     string `json:"_id"`
			Status int    `json:"status"`
			Error  struct {
				Type   string `json:"type"`
				Reason string `json:"reason"`
			} `json:"error"`
		} `json:"items"`
	}
	err = b.index.call(ctx, writeTimeout, http.MethodPost, path(b.target, "_bulk")+"?require_alias=true", bytes.Join(items, nil), &answer)
	var whole *apiError
	if errors.As(err, &whole) {
		switch {
		case whole.Status == http.StatusNotFound:
			return nil, errReplaced
		case whole.Status == http.StatusTooManyRequests && !whole.blocked():
			return items, nil
		}
	}
	if err != nil || !answer.Errors {
		return nil, err
	}
	for i, item := range answer.Items {
		r := item["index"]
		e := &apiError{Status: r.Status, Type: r.Error.Type, Reason: r.Error.Reason}
		switch {
		case r.Status < 300, r.Status == http.StatusConflict: // a conflict: the index has a newer one
		case r.Status == http.StatusNotFound:
			return nil, errReplaced
		case e.blocked():
			return nil, unavailable(fmt.Errorf("%w (is its disk full?)", e))
		case e.busy():
			left = append(left, items[i])
		default:
			return nil, fmt.Errorf("elasticsearch: document %s: %w", r.ID, e)
		}
	}
	return left, nil
}
