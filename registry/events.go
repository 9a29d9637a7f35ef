package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"appstore/registry/journal"
	"appstore/schema"
)

// The kinds of events. A kind and its format, once written, are read for
// ever; testdata/entries holds a golden entry of each.
const (
	kindReleased = "released"
	kindYanked   = "yanked"
	kindChannel  = "channel"
	kindListed   = "listed"
)

// event is a fact. Time and By say when and by whom it was asked for.
type event interface{ kind() string }

type released struct {
	Release Release `json:"release"`
}

// yanked also takes a yank back.
type yanked struct {
	Plugin  string    `json:"plugin"`
	Version string    `json:"version"`
	Yanked  bool      `json:"yanked"`
	Reason  string    `json:"reason,omitempty"`
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
}

// channelMoved removes the channel when Version is "".
type channelMoved struct {
	Plugin  string    `json:"plugin"`
	Channel string    `json:"channel"`
	Version string    `json:"version,omitempty"`
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
}

type listed struct {
	Plugin  string    `json:"plugin"`
	Listing Listing   `json:"listing"`
	Time    time.Time `json:"time"`
	By      string    `json:"by,omitempty"`
}

func (released) kind() string     { return kindReleased }
func (yanked) kind() string       { return kindYanked }
func (channelMoved) kind() string { return kindChannel }
func (listed) kind() string       { return kindListed }

// eventFormat is the format of every kind so far.
const eventFormat = 1

func encode(e event) (journal.Event, error) {
	data, err := json.Marshal(e)
	return journal.Event{Kind: e.kind(), Format: eventFormat, Data: data}, err
}

// decode returns an error that wraps journal.ErrNewer for a kind or a format
// that this program does not know.
func decode(e journal.Event) (event, error) {
	if e.Format > eventFormat {
		return nil, fmt.Errorf("an event %q has format %d, this program knows %d: %w", e.Kind, e.Format, eventFormat, journal.ErrNewer)
	}
	switch e.Kind {
	case kindReleased:
		return as[released](e)
	case kindYanked:
		return as[yanked](e)
	case kindChannel:
		return as[channelMoved](e)
	case kindListed:
		return as[listed](e)
	}
	return nil, fmt.Errorf("an event of the unknown kind %q: %w", e.Kind, journal.ErrNewer)
}

func as[T event](e journal.Event) (event, error) {
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		return nil, fmt.Errorf("an unreadable event %q (%v): %w", e.Kind, err, journal.ErrChain)
	}
	return v, nil
}

// apply makes e true in t, as of the entry at position. It decides nothing:
// what was written happened. It reads no clock and does no I/O but t's.
func apply(t tx, e event, position uint64) error {
	switch e := e.(type) {
	case released:
		return applyReleased(t, e.Release, position)
	case yanked:
		return applyYanked(t, e, position)
	case channelMoved:
		p, err := known(t, e.Plugin)
		if err != nil {
			return err
		}
		if e.Version == "" {
			delete(p.Channels, e.Channel)
		} else {
			if p.Channels == nil {
				p.Channels = map[string]string{}
			}
			p.Channels[e.Channel] = e.Version
		}
		return changed(t, p, e.Time, position)
	case listed:
		p, err := known(t, e.Plugin)
		if err != nil {
			return err
		}
		p.Listing = e.Listing
		return changed(t, p, e.Time, position)
	}
	return fmt.Errorf("registry: no rule to apply %T", e)
}

func applyReleased(t tx, r Release, position uint64) error {
	p, ok := t.plugin(r.Plugin)
	if !ok {
		p = &Plugin{Name: r.Plugin, Spelling: r.Descriptor.Name, Trust: Untrusted, Created: r.Published}
		if err := t.Bucket(bucketSkeletons).Put([]byte(schema.Skeleton(r.Plugin)), []byte(r.Plugin)); err != nil {
			return err
		}
	}
	r.Position = position
	if err := t.setRelease(&r); err != nil {
		return err
	}
	if err := t.keep(r.Source.Key); err != nil {
		return err
	}
	for i := range r.Files {
		if err := t.addFile(r.Plugin, &r.Files[i]); err != nil {
			return err
		}
	}
	p.Releases++
	if r.State == Live {
		p.Live++
	}
	return changed(t, p, r.Published, position)
}

func applyYanked(t tx, e yanked, position uint64) error {
	p, err := known(t, e.Plugin)
	if err != nil {
		return err
	}
	v, err := schema.ParseVersion(e.Version)
	if err != nil {
		return err
	}
	r, ok := t.release(e.Plugin, v)
	if !ok {
		return fmt.Errorf("the journal yanks %s@%s, which it never released: %w", e.Plugin, e.Version, journal.ErrChain)
	}
	was := r.State
	if e.Yanked {
		r.State, r.Reason = Yanked, e.Reason
	} else {
		r.State, r.Reason = Live, ""
	}
	if was == Live && r.State != Live {
		p.Live--
	} else if was != Live && r.State == Live {
		p.Live++
	}
	if err := t.setRelease(r); err != nil {
		return err
	}
	return changed(t, p, e.Time, position)
}

func known(t tx, name string) (*Plugin, error) {
	p, ok := t.plugin(name)
	if !ok {
		return nil, fmt.Errorf("the journal changes %q, which it never released: %w", name, journal.ErrChain)
	}
	return p, nil
}

// changed stores p with what follows from its releases.
func changed(t tx, p *Plugin, when time.Time, position uint64) error {
	p.Updated, p.Position = when, position
	p.Latest = ""
	err := t.versions(p.Name, nil, func(l line) bool {
		if l.state != Live {
			return true
		}
		if p.Latest == "" {
			p.Latest = l.version.String() // the highest, unless a release follows
		}
		if l.version.Prerelease() {
			return true
		}
		p.Latest = l.version.String()
		return false
	})
	if err != nil {
		return err
	}
	p.Default = p.Latest
	if stable, ok := p.Channels["stable"]; ok {
		live, err := isLive(t, p.Name, stable)
		if err != nil {
			return err
		}
		if live {
			p.Default = stable
		}
	}
	return t.setPlugin(p)
}

func isLive(t tx, plugin, version string) (bool, error) {
	v, err := schema.ParseVersion(version)
	if err != nil {
		return false, err
	}
	r, ok := t.release(plugin, v)
	return ok && r.State == Live, nil
}
