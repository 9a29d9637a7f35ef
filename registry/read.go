package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"appstore/registry/journal"
	"appstore/schema"
	"appstore/storage"
)

// fresh waits until the journal's end has been read.
func (r *Registry) fresh(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case r.refresh <- answer:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-r.closed:
		return unavailable(context.Canceled)
	}
	select {
	case err := <-answer:
		if errors.Is(err, journal.ErrNewer) {
			err = nil // what can be read has been
		}
		return unavailable(err)
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-r.ended:
		return unavailable(context.Canceled)
	}
}

// never is when the end of a journal that is being read anew was last seen.
const never = 0

// Movable fails when this replica has not seen the journal's end for so long
// that it can't speak for what may have moved (truth 4).
func (r *Registry) Movable() error {
	seen := r.seen.Load()
	if seen == never && r.readOnly.Load() == nil {
		return fail(Stale, "ask for an exact version, or try again in a few seconds", "the storage was put back to an older state, which is being read")
	}
	age := time.Since(time.Unix(0, seen))
	if why := r.readOnly.Load(); why != nil && age > staleAfter {
		return fail(ReadOnly, "ask for an exact version, or another replica; the operator must upgrade this one", "this replica can't follow the journal: %s", *why)
	}
	if age > staleAfter {
		return fail(Stale, "ask for an exact version, or try again later", "the storage has not answered for %s", age.Round(time.Second))
	}
	return nil
}

// listed runs f on the catalogue if that is movable, and still is once it can't
// change under f any more: it may just have been emptied, to be read anew.
func (r *Registry) listed(f func(tx) error) error {
	if err := r.Movable(); err != nil {
		return err
	}
	return r.cat.view(func(t tx) error {
		if err := r.Movable(); err != nil {
			return err
		}
		return f(t)
	})
}

// find runs f on the catalogue; when that finds nothing, it reads the
// journal's end first and then says so (truth 4).
func (r *Registry) find(ctx context.Context, f func(tx) error) error {
	err := r.cat.view(f)
	var e *Error
	if !errors.As(err, &e) || e.Code != NotFound {
		return err
	}
	if err := r.fresh(ctx); err != nil {
		return err // whether it exists can't be said
	}
	return r.cat.view(f)
}

// Plugin returns a plugin by its name in any spelling.
func (r *Registry) Plugin(ctx context.Context, name string) (Plugin, error) {
	if err := r.Movable(); err != nil {
		return Plugin{}, err
	}
	var found Plugin
	err := r.find(ctx, func(t tx) error {
		p, err := publicPlugin(t, name)
		if err == nil {
			found = *p
		}
		return err
	})
	return found, err
}

func publicPlugin(t tx, name string) (*Plugin, error) {
	p, ok := t.plugin(schema.Normalise(name))
	if !ok {
		return nil, notFound(t, name, "")
	}
	return p, nil
}

// Resolve returns the release that ref means: an exact version, also a yanked
// one; a channel; the highest live version in a range; or with "" the
// plugin's default.
func (r *Registry) Resolve(ctx context.Context, name, ref string) (Release, error) {
	parsed, err := schema.ParseRef(ref)
	if err != nil {
		return Release{}, fail(InvalidRequest, "", "%v", err)
	}
	if parsed.Kind != schema.RefVersion {
		if err := r.Movable(); err != nil {
			return Release{}, err
		}
	}
	var found Release
	err = r.find(ctx, func(t tx) error {
		release, err := resolve(t, name, parsed)
		if err == nil {
			found = *release
		}
		return err
	})
	return found, err
}

func resolve(t tx, name string, ref schema.Ref) (*Release, error) {
	p, err := publicPlugin(t, name)
	if err != nil {
		return nil, err
	}
	version := ""
	switch ref.Kind {
	case schema.RefVersion:
		release, ok := t.release(p.Name, ref.Version)
		if !ok || !visible(release, Public) {
			return nil, notFound(t, name, ref.String())
		}
		return release, nil
	case schema.RefNone:
		version = p.Default
	case schema.RefChannel:
		if ref.Channel == "latest" {
			version = p.Latest
			break
		}
		var set bool
		if version, set = p.Channels[ref.Channel]; !set {
			channels := "it has none; leave it out for " + cmp.Or(p.Default, "its newest release")
			if len(p.Channels) > 0 {
				channels = "its channels are " + strings.Join(slices.Sorted(maps.Keys(p.Channels)), ", ")
			}
			return nil, fail(NotFound, channels, "%s has no channel %q", p.Spelling, ref.Channel)
		}
		live, err := isLive(t, p.Name, version)
		if err != nil {
			return nil, err
		}
		if !live {
			return nil, fail(NotFound, "ask for "+version+" itself if you must have it", "the channel %q of %s points to %s, which is not live any more; it was yanked", ref.Channel, p.Spelling, version)
		}
	case schema.RefRange:
		var found *Release
		err := t.versions(p.Name, nil, func(l line) bool {
			if l.state != Live || !ref.Range.Contains(l.version) {
				return true
			}
			found, _ = t.releaseAt(l.key)
			return false
		})
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fail(NotFound, newest(p), "no release of %s is in the range %q", p.Spelling, ref.String())
		}
		return found, nil
	}
	if version == "" {
		return nil, fail(NotFound, "ask for an exact version if you must have one", "%s has no live release", p.Spelling)
	}
	return exactly(t, p.Name, version)
}

// Page is a part of a plugin's releases.
type Page struct {
	Releases []Release // the highest version first
	Total    int       // in the range, visible to the reader
	Next     string    // give it as after for the next page; "" at the end
}

// Releases lists a plugin's releases, yanked ones included. rng selects a
// range, "" all; after is the Next of the page before; limit is 1 to MaxPage.
func (r *Registry) Releases(ctx context.Context, name, rng, after string, limit int) (Page, error) {
	if err := r.Movable(); err != nil {
		return Page{}, err
	}
	if limit < 1 || limit > MaxPage {
		return Page{}, fail(InvalidRequest, "", "the limit is %d; 1 to %d are allowed", limit, MaxPage)
	}
	contains := func(schema.Version) bool { return true }
	if rng != "" {
		parsed, err := schema.ParseRange(rng)
		if err != nil {
			return Page{}, fail(InvalidRequest, "use a range like ^1.2 or >=1.0 <2.0", "%v", err)
		}
		contains = parsed.Contains
	}
	var below *schema.Version
	if after != "" {
		v, err := schema.ParseVersion(after)
		if err != nil {
			return Page{}, fail(InvalidRequest, "give the `next` of the page before", "after: %v", err)
		}
		below = &v
	}
	var page Page
	err := r.find(ctx, func(t tx) error {
		page = Page{}
		p, err := publicPlugin(t, name)
		if err != nil {
			return err
		}
		return t.versions(p.Name, nil, func(l line) bool {
			if !contains(l.version) || (l.state != Live && l.state != Yanked) {
				return true
			}
			page.Total++
			if below != nil && l.version.Compare(*below) >= 0 {
				return true
			}
			if len(page.Releases) == limit {
				page.Next = page.Releases[limit-1].Descriptor.Version
				return true
			}
			if release, ok := t.releaseAt(l.key); ok && visible(release, Public) {
				page.Releases = append(page.Releases, *release)
			}
			return true
		})
	})
	return page, err
}

// OpenFile opens Release.Source, one of Release.Files, or a part of it.
func (r *Registry) OpenFile(ctx context.Context, f File, part storage.Read) (io.ReadCloser, error) {
	content, info, err := r.store.Get(ctx, f.Key, part)
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return nil, &Error{Code: Damaged, Detail: f.Name + " is missing in the storage", Fix: "tell the operator: a published file is gone", Err: err}
	case errors.Is(err, storage.ErrUnavailable):
		return nil, &Error{Code: Unavailable, Detail: "the storage can't be reached", Fix: "try again in a few seconds", Err: err}
	case err != nil:
		return nil, err
	case info.Size != f.Size:
		content.Close()
		return nil, fail(Damaged, "tell the operator: a published file was changed", "%s has %d bytes in the storage instead of %d", f.Name, info.Size, f.Size)
	}
	return content, nil
}

// maxFeed bounds an answer of Events in bytes, beyond its last entry.
const maxFeed = 4 << 20

// Change is one public event of the journal.
type Change struct {
	Position uint64
	Time     time.Time
	Kind     string
	Plugin   string
	Data     json.RawMessage // the event itself
}

// Events gives the public events of the entries after a position: of at most
// limit entries, fewer if they are large. Next is the position to go on from.
func (r *Registry) Events(ctx context.Context, after uint64, limit int) (changes []Change, next uint64, err error) {
	next = after
	head := journal.Head{Position: after}
	if after > 0 {
		entry, err := r.journal.Read(ctx, after)
		if errors.Is(err, storage.ErrNotExist) {
			return nil, after, fail(InvalidRequest, "begin at 0, or at the `next` of an earlier answer", "the journal has no entry %d", after)
		}
		if err != nil {
			return nil, after, unavailable(err)
		}
		head = entry.Head()
	}
	n, size := 0, 0
	for entry, err := range r.journal.After(ctx, head) {
		if err != nil && n > 0 {
			return changes, next, nil // who goes on from there is told
		}
		if err != nil {
			return nil, after, unavailable(err)
		}
		for _, e := range entry.Events {
			var about struct {
				Plugin  string `json:"plugin"`
				Release struct {
					Plugin string `json:"plugin"`
				} `json:"release"`
			}
			if err := json.Unmarshal(e.Data, &about); err != nil {
				return nil, after, err
			}
			size += len(e.Data)
			changes = append(changes, Change{Position: entry.Position, Time: entry.Time, Kind: e.Kind, Plugin: about.Plugin + about.Release.Plugin, Data: e.Data})
		}
		next = entry.Position
		if n++; n >= limit || size > maxFeed {
			break
		}
	}
	return changes, next, nil
}
