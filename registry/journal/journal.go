// Package journal keeps an append-only sequence of entries on object storage.
//
// An entry is one object, journal/<name>/<position>, written with
// storage.Store.Create. Its creation is the one commit point of everything the
// AppStore does: before it nothing of a change is visible, after it everything
// is. Positions begin at 1 and have no gaps; each entry carries the sha256 of
// the one before it, so that an altered or missing entry is found by [Journal.Verify].
//
// Several writers may append to one journal. Of two that try for one position
// exactly one wins; the other gets [ErrLost], reads what came between and
// decides again.
package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"appstore/storage"

	"golang.org/x/sync/errgroup"
)

// Format is the format of entries that this program writes, and the newest it reads.
const Format = 1

// MaxEntry bounds one encoded entry, in bytes.
const MaxEntry = storage.MaxCreate

var (
	// ErrLost: another writer's entry has the position.
	ErrLost = errors.New("another entry was appended first")
	// ErrNewer: the entry was written by a newer program in a format this one does not know.
	ErrNewer = errors.New("the journal was written by a newer version of the program: upgrade this replica")
	// ErrChain: an entry is missing, altered, or does not follow the one before it.
	ErrChain = errors.New("the journal's chain is broken")
)

// Event is one change of state, as a fact.
type Event struct {
	Kind   string          `json:"kind"`
	Format int             `json:"format"`
	Data   json.RawMessage `json:"data"`
}

// Entry is one object of the journal.
type Entry struct {
	Format   int       `json:"format"`
	Position uint64    `json:"position"`
	Previous string    `json:"previous"` // sha256 of the entry before, in hex; "" in the first
	Batch    string    `json:"batch"`    // random: tells a writer its own entry when the answer was lost
	Time     time.Time `json:"time"`
	Events   []Event   `json:"events"`

	Digest string `json:"-"` // sha256 of this entry's bytes, in hex
}

// Head names an entry: the last one that somebody knows.
type Head struct {
	Position uint64 // 0: before the first entry
	Digest   string
}

// Head of the entry itself.
func (e Entry) Head() Head { return Head{e.Position, e.Digest} }

// Journal is one sequence of entries.
type Journal struct {
	store  storage.Store
	prefix string
	name   string
}

// New returns the journal of that name in store.
func New(store storage.Store, name string) *Journal {
	return &Journal{store: store, prefix: "journal/" + name + "/", name: name}
}

// key shards entries into folders of a thousand, in an order that is the order of positions.
func (j *Journal) key(position uint64) string {
	return fmt.Sprintf("%s%09d/%03d", j.prefix, position/1000, position%1000)
}

// readTimeout bounds one read of a small object, its body included: whoever
// follows a journal must not wait for ever for one answer that has stalled. A
// variable for its test alone.
var readTimeout = 30 * time.Second

// Read returns one entry, or an error that wraps storage.ErrNotExist, ErrNewer or ErrChain.
func (j *Journal) Read(ctx context.Context, position uint64) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r, info, err := j.store.Get(ctx, j.key(position), storage.Read{})
	if err != nil {
		return Entry{}, fmt.Errorf("journal %s, entry %d: %w", j.name, position, err)
	}
	defer r.Close()
	if info.Size > MaxEntry {
		return Entry{}, fmt.Errorf("journal %s, entry %d has %d bytes, more than %d: %w", j.name, position, info.Size, MaxEntry, ErrChain)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return Entry{}, fmt.Errorf("journal %s, entry %d: %w", j.name, position, err)
	}
	return j.decode(position, data)
}

func (j *Journal) decode(position uint64, data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, fmt.Errorf("journal %s, entry %d is unreadable (%v): %w", j.name, position, err, ErrChain)
	}
	if e.Format > Format {
		return Entry{}, fmt.Errorf("journal %s, entry %d has format %d, this program knows %d: %w", j.name, position, e.Format, Format, ErrNewer)
	}
	if e.Position != position {
		return Entry{}, fmt.Errorf("journal %s, entry %d says that it is %d: %w", j.name, position, e.Position, ErrChain)
	}
	e.Digest = digest(data)
	return e, nil
}

// Append writes events as the entry after the one named. It returns ErrLost
// when another entry took that position, an error that wraps
// storage.ErrUnavailable when nothing was written, and one that wraps
// storage.ErrUnknown when the storage gave no answer until ctx ended: then the
// entry may be there, or may still appear.
func (j *Journal) Append(ctx context.Context, after Head, now time.Time, events []Event) (Entry, error) {
	e := Entry{
		Format: Format, Position: after.Position + 1, Previous: after.Digest,
		Batch: rand.Text(), Time: now.UTC(), Events: events,
	}
	data, err := json.Marshal(e)
	if err != nil {
		return Entry{}, err
	}
	if len(data) > MaxEntry {
		return Entry{}, fmt.Errorf("%w: a journal entry of %d bytes, more than %d", storage.ErrInvalid, len(data), MaxEntry)
	}
	e.Digest = digest(data)

	// The same bytes are tried again until the outcome is certain. An earlier
	// try of ours that arrives late is recognised by its batch.
	unknown := false
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err = j.store.Create(ctx, j.key(e.Position), data)
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, storage.ErrExist):
			there, err := j.Read(ctx, e.Position)
			if err == nil && there.Batch == e.Batch {
				return e, nil
			}
			if err == nil || errors.Is(err, ErrNewer) || errors.Is(err, ErrChain) {
				return Entry{}, ErrLost
			}
			if !unknown { // nothing of ours was ever in doubt
				return Entry{}, ErrLost
			}
		case errors.Is(err, storage.ErrUnknown):
			unknown = true
		case !unknown:
			return Entry{}, fmt.Errorf("journal %s, entry %d: %w", j.name, e.Position, err)
		}
		select {
		case <-ctx.Done():
			return Entry{}, fmt.Errorf("journal %s, entry %d: %w: %w", j.name, e.Position, storage.ErrUnknown, err)
		case <-time.After(wait):
		}
	}
}

// readAhead is how many entries After reads at once when there are many.
const readAhead = 32

// After gives the entries after the one named, up to the journal's end,
// checking the chain. It stops at the first error; reaching the end is none.
func (j *Journal) After(ctx context.Context, head Head) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for width := 1; ; width = min(width*2, readAhead) {
			entries := make([]Entry, width)
			errs := make([]error, width)
			var g errgroup.Group
			for i := range width {
				g.Go(func() error {
					entries[i], errs[i] = j.Read(ctx, head.Position+1+uint64(i))
					return nil
				})
			}
			_ = g.Wait()
			for i, e := range entries {
				if errors.Is(errs[i], storage.ErrNotExist) {
					return
				}
				if errs[i] == nil && e.Previous != head.Digest {
					errs[i] = fmt.Errorf("journal %s, entry %d follows %.12q, but the entry before it is %.12q: %w", j.name, e.Position, e.Previous, head.Digest, ErrChain)
				}
				if errs[i] != nil {
					yield(Entry{}, errs[i])
					return
				}
				if !yield(e, nil) {
					return
				}
				head = e.Head()
			}
		}
	}
}

// Contains tells whether the entry named by head is in the journal, unaltered.
// It returns false without an error when it is missing or another one.
func (j *Journal) Contains(ctx context.Context, head Head) (bool, error) {
	if head.Position == 0 {
		return head.Digest == "", nil
	}
	e, err := j.Read(ctx, head.Position)
	if errors.Is(err, storage.ErrNotExist) || errors.Is(err, ErrChain) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return e.Digest == head.Digest, nil
}

// Verify reads the whole journal and calls progress after each entry. It
// returns the last entry's head, and an error that wraps ErrChain when an
// entry is missing, altered or out of place. That the last entries were cut
// off can't be seen from the journal alone: compare the head with one that was
// noted earlier.
func (j *Journal) Verify(ctx context.Context, progress func(Entry)) (Head, error) {
	var head Head
	for {
		for e, err := range j.After(ctx, head) {
			if err != nil {
				return head, err
			}
			head = e.Head()
			progress(e)
		}
		beyond, err := j.beyond(ctx, head)
		switch {
		case err != nil || beyond == "":
			return head, err
		case beyond != j.key(head.Position+1): // else it was appended while we read
			return head, fmt.Errorf("journal %s, entry %d is missing, but %s exists: %w", j.name, head.Position+1, beyond, ErrChain)
		}
	}
}

// beyond gives the first key after that of head, or "".
func (j *Journal) beyond(ctx context.Context, head Head) (string, error) {
	for info, err := range j.store.List(ctx, j.prefix, j.key(head.Position)) {
		return info.Key, err
	}
	return "", nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Layout is the layout of the whole store that this program writes and reads.
const Layout = 1

const identityKey = "appstore.json"

type identity struct {
	Layout int    `json:"layout"`
	Store  string `json:"store"`
}

// Identity returns the random id of the store, making it on first use.
func Identity(ctx context.Context, store storage.Store) (string, error) {
	data, err := json.Marshal(identity{Layout: Layout, Store: rand.Text()})
	if err != nil {
		return "", err
	}
	id, err := ReadIdentity(ctx, store)
	if !errors.Is(err, storage.ErrNotExist) {
		return id, err
	}
	if err := store.Create(ctx, identityKey, data); err != nil && !errors.Is(err, storage.ErrExist) && !errors.Is(err, storage.ErrUnknown) {
		return "", err
	}
	if id, err = ReadIdentity(ctx, store); errors.Is(err, storage.ErrNotExist) {
		return "", fmt.Errorf("%s could not be written: %w", identityKey, storage.ErrUnavailable)
	}
	return id, err
}

// ReadIdentity returns the id of a store that has one; else its error wraps
// storage.ErrNotExist.
func ReadIdentity(ctx context.Context, store storage.Store) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	r, _, err := store.Get(ctx, identityKey, storage.Read{})
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 1<<16))
	if err != nil {
		return "", err
	}
	var id identity
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&id); err != nil || id.Store == "" {
		return "", fmt.Errorf("%s in the store is not an AppStore's (%v); choose an empty bucket, prefix or folder", identityKey, err)
	}
	if id.Layout > Layout {
		return "", fmt.Errorf("%s says layout %d, this program knows %d: %w", identityKey, id.Layout, Layout, ErrNewer)
	}
	return id.Store, nil
}
