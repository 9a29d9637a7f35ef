package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"appstore/registry/journal"
	"appstore/search"
	"appstore/storage"

	"github.com/klauspost/compress/zstd"
)

// firstIndexing is how long a start waits for the search index.
const firstIndexing = 30 * time.Second

// Bounds of freshness (truth 4).
const (
	tailEvery  = time.Second      // one look at the journal's end
	checkEvery = 10 * time.Second // one look whether the journal is still the one that was read
	staleAfter = 30 * time.Second // without a look: movable things are not answered any more
)

// Options of a Registry.
type Options struct {
	Store      storage.Store
	Index      search.Index
	Dir        string       // local folder for the catalogue and the spool; may vanish between runs
	Log        *slog.Logger // nil: slog.Default
	SpoolLimit int64        // bytes of all uploads under way; 0: 16 GiB
}

// Registry publishes, resolves and serves releases. All methods may be called
// from many goroutines. Errors whose text is for the user are of type *Error.
type Registry struct {
	store     storage.Store
	journal   *journal.Journal
	cat       *catalogue
	index     *indexer
	spool     *spool
	downloads *downloads
	log       *slog.Logger
	storeID   string

	queue   chan *pending
	refresh chan chan error // asks the loop to read the journal's end

	seen     atomic.Int64           // when the journal's end was last read, unix nanoseconds
	readOnly atomic.Pointer[string] // why, if it is

	stop   context.CancelFunc
	closed <-chan struct{} // the loop is to end
	ended  chan struct{}   // the loop has ended, and answered all that it knew
	done   sync.WaitGroup
}

// Open reads the journal up to its end and starts to follow it. The search index
// is brought up to it first, unless it can't be reached or that takes long.
func Open(ctx context.Context, o Options) (*Registry, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.SpoolLimit == 0 {
		o.SpoolLimit = 16 << 30
	}
	id, err := journal.Identity(ctx, o.Store)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	spool, err := openSpool(filepath.Join(o.Dir, "spool"), o.SpoolLimit)
	if err != nil {
		return nil, err
	}
	r := &Registry{
		store: o.Store, journal: journal.New(o.Store, "catalog"), log: o.Log, storeID: id, spool: spool,
		ended: make(chan struct{}), queue: make(chan *pending, 1024), refresh: make(chan chan error),
	}
	if err := r.openCatalogue(ctx, filepath.Join(o.Dir, "catalogue.db")); err != nil {
		return nil, err
	}
	start := time.Now()
	n, err := r.catchUp(ctx)
	if err != nil && !errors.Is(err, journal.ErrNewer) {
		r.cat.db.Close()
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	r.log.Info("journal read", "entries", n, "position", r.Position(), "took", time.Since(start).Round(time.Millisecond))

	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop, r.closed = stop, run.Done()
	r.index, r.downloads = newIndexer(o.Index, r), newDownloads(r)
	// An index that was lost, or is behind, is complete before anybody can search in
	// it, if it is there and that does not take too long; else it catches up meanwhile.
	first, cancel := context.WithTimeout(ctx, firstIndexing)
	if err := r.index.catchUp(first); err != nil {
		r.log.Warn("the search index is behind at the start; it catches up when it can", "error", err)
	}
	cancel()
	for _, f := range []func(context.Context){r.loop, r.index.run, r.sweeper, r.downloads.run} {
		r.done.Go(func() { f(run) })
	}
	return r, nil
}

// Close stops following the journal. Commands that wait get Unavailable.
func (r *Registry) Close() error {
	r.stop()
	r.done.Wait()
	return r.cat.db.Close()
}

// openCatalogue opens the local catalogue; one that is damaged, of another
// store or ahead of the journal is made anew from a snapshot, or from nothing.
func (r *Registry) openCatalogue(ctx context.Context, path string) error {
	// Some damage ends the process, by a panic in a goroutine of the library or by a
	// signal. Then this mark is there at the next start, and the file goes.
	opening := path + ".opening"
	if _, err := os.Stat(opening); err == nil {
		r.log.Warn("the program ended while it opened the local catalogue; making it anew")
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(opening, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(opening)
	_, err := os.Stat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	for try := range 3 {
		if fresh && try < 2 {
			if err := r.restoreSnapshot(ctx, path); err != nil && !errors.Is(err, storage.ErrNotExist) {
				r.log.Warn("a snapshot could not be read; reading the whole journal instead", "error", err)
			}
		}
		cat, err := openCatalogue(path, r.storeID)
		if err == nil {
			ok, err := r.journal.Contains(ctx, cat.head())
			if err != nil {
				cat.db.Close()
				return fmt.Errorf("read the journal: %w", err)
			}
			if ok {
				r.cat = cat
				return nil
			}
			r.log.Warn("the local catalogue is ahead of the journal, or the journal was replaced; making the catalogue anew", "position", cat.head().Position)
			cat.db.Close()
		} else if !errors.Is(err, errForeignCatalogue) {
			return err
		} else {
			r.log.Warn("the local catalogue can't be used; making it anew", "error", err)
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		// The second try begins with a snapshot, unless that was what failed.
		fresh = !fresh
	}
	return errors.New("the local catalogue could not be made")
}

func (r *Registry) restoreSnapshot(ctx context.Context, path string) error {
	content, err := r.journal.LatestSnapshot(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	z, err := zstd.NewReader(content)
	if err != nil {
		return err
	}
	defer z.Close()
	return restoreCatalogue(path, z)
}

// snapshotEvery is how many entries go by before the replica that appended one
// stores a new snapshot.
const snapshotEvery = 1000

func (r *Registry) saveSnapshot(ctx context.Context) {
	err := func() error {
		f, err := os.CreateTemp(r.spool.dir, "snapshot-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		z, err := zstd.NewWriter(f)
		if err != nil {
			return err
		}
		var position uint64
		err = r.cat.view(func(t tx) error {
			position = t.head().Position
			_, err := t.WriteTo(z)
			return err
		})
		if err := errors.Join(err, z.Close()); err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if _, err := f.Seek(0, 0); err != nil {
			return err
		}
		return r.journal.SaveSnapshot(ctx, position, f, info.Size())
	}()
	if err != nil && ctx.Err() == nil {
		r.log.Warn("snapshot not stored; fresh replicas will read more of the journal", "error", err)
	}
}

// Position is how far the catalogue has come.
func (r *Registry) Position() uint64 { return r.cat.head().Position }

// Mark names a state of the catalogue, or of one plugin in it: what was made at
// a mark holds while the mark is the same. Positions alone come again after a
// store was put back under a running replica; marks do not.
type Mark struct{ history, position uint64 }

// Mark of the whole catalogue. It is cheap, and may be a moment behind what is read
// after it, never before.
func (r *Registry) Mark() Mark { return *r.cat.mark.Load() }

// Mark of the plugin as it was read.
func (p *Plugin) Mark() Mark { return Mark{p.history, p.Position} }

// StoreID is the random id of the store.
func (r *Registry) StoreID() string { return r.storeID }

// Ready is nil while the journal can be read.
func (r *Registry) Ready(ctx context.Context) error {
	id, err := journal.ReadIdentity(ctx, r.store)
	if err == nil && id != r.storeID || errors.Is(err, storage.ErrNotExist) {
		err = fmt.Errorf("%w: it is not the store %s, but %q (%v)", storage.ErrUnavailable, r.storeID, id, err)
	}
	return unavailable(err)
}

// Status is what the operator wants to know.
type Status struct {
	StoreID       string
	Position      uint64
	Head          string        // sha256 of the entry at Position
	Behind        time.Duration // since the journal's end was last read
	ReadOnly      string        // why; "" if it is not
	IndexPosition uint64
	IndexDocs     int
	IndexError    string // "" while the index answers
	Plugins       int
	Releases      int
}

// Status of this replica.
func (r *Registry) Status(ctx context.Context) (Status, error) {
	s := Status{StoreID: r.storeID, Behind: time.Since(time.Unix(0, r.seen.Load()))}
	if why := r.readOnly.Load(); why != nil {
		s.ReadOnly = *why
	}
	err := r.cat.view(func(t tx) error {
		h := t.head()
		s.Position, s.Head = h.Position, h.Digest
		s.Plugins = t.Bucket(bucketPlugins).Stats().KeyN
		s.Releases = t.Bucket(bucketOrder).Stats().KeyN
		return nil
	})
	if err != nil {
		return s, err
	}
	state, err := r.index.index.State(ctx)
	if err != nil {
		s.IndexError = err.Error()
	}
	s.IndexPosition, s.IndexDocs = state.Position, state.Docs
	return s, nil
}

// unavailable turns an error of the store into one for the user.
func unavailable(err error) error {
	var known *Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, journal.ErrNewer):
		return &Error{Code: ReadOnly, Detail: "this replica is read-only: " + err.Error(), Fix: "upgrade this replica"}
	case errors.Is(err, storage.ErrUnknown):
		return &Error{Code: OutcomeUnknown, Detail: "the storage did not confirm the change", Fix: "send the same request again: if it was made the answer says so", Err: err}
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Unavailable, Detail: "the storage can't be reached; nothing was changed", Fix: "try again in a few seconds", Err: err}
	}
	return err
}
