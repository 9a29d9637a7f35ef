package bleve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"sync"
	"time"

	"appstore/search"

	"github.com/blevesearch/bleve/v2"
	bleveindex "github.com/blevesearch/bleve_index_api"
)

var _ search.Index = (*Index)(nil)

// batchDocs and batchBytes bound one batch: bleve keeps a batch in memory
// while it analyses it.
const (
	batchDocs  = 500
	batchBytes = 8 << 20
)

// markKey is where a folder keeps its Mark, next to the documents and written
// in one batch with them.
var markKey = []byte("mark")

// Index is a search index in a folder. Only one process can have it open.
type Index struct {
	dir     string
	writing chan struct{} // holds a token while somebody writes

	mu   sync.RWMutex // held to read while gen is in use
	gen  *generation
	mark search.Mark // changed only by who writes, under mu
}

// Open opens the index in dir, and makes the folder if need be. A folder that
// is damaged, or was made for another mapping, is replaced by an empty index,
// so that State is at position 0. A folder that another process has open is
// an error.
func Open(dir string) (*Index, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("search index: %w", err)
	}
	gen, err := openCurrent(dir)
	if err != nil {
		return nil, err
	}
	x := &Index{dir: dir, writing: make(chan struct{}, 1), gen: gen}
	if x.mark, err = gen.readMark(); err != nil {
		gen.bleve.Close()
		return nil, fmt.Errorf("search index: mark of %s: %w", gen.path, err)
	}
	return x, nil
}

// Close waits for writers and searches, and until everything that Put has
// acknowledged is on disk: at most closeTimeout, then that is an error.
func (x *Index) Close() error {
	x.writing <- struct{}{}
	defer x.unlock()
	if x.gen == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := x.gen.save(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	err = errors.Join(err, x.gen.bleve.Close())
	x.gen = nil
	return err
}

const closeTimeout = 10 * time.Second

func (x *Index) lock(ctx context.Context) error {
	select {
	case x.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *Index) unlock() { <-x.writing }

// errClosed is what a closed index answers.
var errClosed = fmt.Errorf("%w: the index is closed", search.ErrUnavailable)

// Put implements search.Index. Docs and mark are found when it returns, and are
// on disk a moment later; a crash before loses both, the mark never later than
// the docs.
func (x *Index) Put(ctx context.Context, upTo search.Mark, docs ...search.Doc) error {
	if err := x.lock(ctx); err != nil {
		return err
	}
	defer x.unlock()
	if x.gen == nil {
		return errClosed
	}
	newest, err := newestOf(docs)
	if err != nil {
		return err
	}
	reader, err := x.gen.snapshot()
	if err != nil {
		return err
	}
	defer reader.Close()
	w := writer{ctx: ctx, gen: x.gen}
	for _, d := range newest {
		stored, ok, err := storedPosition(reader, d.Name)
		if err != nil {
			return err
		}
		if ok && stored > d.Position {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.add(d); err != nil {
			return err
		}
	}
	mark := x.mark
	if upTo.Position >= mark.Position {
		mark = upTo
	}
	if err := w.finish(mark, mark != x.mark); err != nil {
		return err
	}
	x.mu.Lock()
	x.mark = mark
	x.mu.Unlock()
	return nil
}

// newestOf keeps of each name the doc with the highest position, the later of
// equals.
func newestOf(docs []search.Doc) ([]search.Doc, error) {
	at := make(map[string]int, len(docs))
	out := make([]search.Doc, 0, len(docs))
	for _, d := range docs {
		if d.Name == "" {
			return nil, errors.New("search index: a document has no name")
		}
		i, ok := at[d.Name]
		switch {
		case !ok:
			at[d.Name] = len(out)
			out = append(out, d)
		case out[i].Position <= d.Position:
			out[i] = d
		}
	}
	return out, nil
}

// storedPosition is the position of the doc that the index has.
func storedPosition(r bleveindex.IndexReader, name string) (pos uint64, ok bool, err error) {
	doc, err := r.Document(name)
	if err != nil || doc == nil {
		return 0, false, err
	}
	doc.VisitFields(func(f bleveindex.Field) {
		if f.Name() == fieldPosition {
			pos, err = strconv.ParseUint(string(f.Value()), 10, 64)
			ok = true
		}
	})
	return pos, ok, err
}

// A writer fills batches. The mark goes into the last one, so it never is
// ahead of the documents.
type writer struct {
	ctx   context.Context
	gen   *generation
	batch *bleve.Batch
	bytes int
}

func (w *writer) add(d search.Doc) error {
	doc, size, err := document(d)
	if err != nil {
		return err
	}
	if w.batch != nil && (w.batch.Size() >= batchDocs || w.bytes+size > batchBytes) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.batch == nil {
		w.batch, w.bytes = w.gen.bleve.NewBatch(), 0
	}
	w.bytes += size
	return w.batch.Index(d.Name, doc)
}

func (w *writer) flush() error {
	err := w.gen.write(w.ctx, w.batch)
	w.batch = nil
	return err
}

func (w *writer) finish(mark search.Mark, changed bool) error {
	if w.batch == nil && !changed {
		return nil
	}
	if w.batch == nil {
		w.batch = w.gen.bleve.NewBatch()
	}
	if changed {
		data, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		w.batch.SetInternal(markKey, data)
	}
	return w.flush()
}

// Rebuild implements search.Index. Writers wait for it; searches don't.
func (x *Index) Rebuild(ctx context.Context, at search.Mark, docs iter.Seq2[search.Doc, error]) (err error) {
	if err := x.lock(ctx); err != nil {
		return err
	}
	defer x.unlock()
	if x.gen == nil {
		return errClosed
	}
	gen, err := create(x.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			gen.discard()
		}
	}()
	if err := gen.fill(ctx, at, docs); err != nil {
		return err
	}
	if err := gen.makeCurrent(x.dir); err != nil {
		return err
	}
	x.mu.Lock()
	old := x.gen
	x.gen, x.mark = gen, at
	x.mu.Unlock()
	old.discard()
	return nil
}

// fill puts all docs into a new folder. They are on disk when it returns.
func (g *generation) fill(ctx context.Context, at search.Mark, docs iter.Seq2[search.Doc, error]) error {
	w := writer{ctx: ctx, gen: g}
	seen := map[string]uint64{}
	for d, err := range docs {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if d.Name == "" {
			return errors.New("search index: a document has no name")
		}
		if p, ok := seen[d.Name]; ok && p > d.Position {
			continue
		}
		seen[d.Name] = d.Position
		if err := w.add(d); err != nil {
			return err
		}
	}
	if err := w.finish(at, true); err != nil {
		return err
	}
	return g.save(ctx)
}

// State implements search.Index.
func (x *Index) State(ctx context.Context) (search.State, error) {
	if err := ctx.Err(); err != nil {
		return search.State{}, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.gen == nil {
		return search.State{}, errClosed
	}
	n, err := x.gen.bleve.DocCount()
	return search.State{Mark: x.mark, Docs: int(n)}, err
}
