package bleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"appstore/search"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
)

// The folder of an index holds one generation, named <hash of the mapping>-
// <time it was made>, and the file "current" with its name. A rebuild makes
// another generation and then replaces that file, which is the moment of the
// swap; generations that "current" does not name are left over from a crash
// and are removed by Open.
const currentFile = "current"

var generationName = regexp.MustCompile(`^[0-9a-f]{12}-[0-9a-z]+$`)

// settings of bleve. Each call makes a new map, as bleve writes the path of the
// folder into it.
func settings() map[string]any {
	return map[string]any{
		"bolt_timeout": "1s", // don't wait for a lock that another process has
		"unsafe_batch": true, // a batch is found before it is on disk; see generation.write
		// Every segment has dictionaries of its own to look up in. Fewer than
		// usual make searches faster and writing slower.
		"scorchMergePlanOptions": map[string]any{"MaxSegmentsPerTier": 4, "SegmentsPerMergeTask": 4},
		// What comes within 50 ms goes to the disk as one segment. Without
		// that, writing and merging those of single publishes took half of their time.
		"scorchPersisterOptions": map[string]any{"PersisterNapTimeMSec": 50, "PersisterNapUnderNumFiles": 1000},
	}
}

type generation struct {
	path    string
	bleve   bleve.Index
	columns columnCache
	unsaved chan struct{} // holds a token for each batch that is not on disk yet
}

// maxUnsaved batches may be in memory only. bleve writes all that wait at once;
// a disk that takes none of them for diskTimeout is full or broken.
const (
	maxUnsaved  = 16
	diskTimeout = 30 * time.Second
)

func newGeneration(path string, index bleve.Index) *generation {
	return &generation{path: path, bleve: index, unsaved: make(chan struct{}, maxUnsaved)}
}

// write puts a batch into the index, where searches see it, and soon on disk:
// all of the batch or nothing, and no batch before an earlier one.
func (g *generation) write(ctx context.Context, b *bleve.Batch) error {
	if err := g.reserve(ctx); err != nil {
		return err
	}
	b.SetPersistedCallback(func(error) { <-g.unsaved })
	err := g.bleve.Batch(b)
	if err != nil {
		<-g.unsaved
	}
	return err
}

func (g *generation) reserve(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, diskTimeout)
	defer cancel()
	select {
	case g.unsaved <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %s does not take the last changes (is its disk full?): %w", search.ErrUnavailable, g.path, ctx.Err())
	}
}

// save waits until all that was written is on disk. Nobody may write meanwhile.
func (g *generation) save(ctx context.Context) error {
	for n := range maxUnsaved {
		if err := g.reserve(ctx); err != nil {
			for range n {
				<-g.unsaved
			}
			return err
		}
	}
	for range maxUnsaved {
		<-g.unsaved
	}
	return nil
}

func openCurrent(dir string) (*generation, error) {
	name, err := os.ReadFile(filepath.Join(dir, currentFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("search index: %w", err)
	}
	current := strings.TrimSpace(string(name))
	var gen *generation
	if generationName.MatchString(current) && strings.HasPrefix(current, mappingHash()+"-") {
		gen, err = open(filepath.Join(dir, current))
		if inUse(err) {
			return nil, fmt.Errorf("search index: %s is open in another process; stop that, or use another folder", dir)
		}
		// Any other error: the folder is damaged, and is made anew.
	}
	if gen == nil {
		if gen, err = create(dir); err != nil {
			return nil, err
		}
		if err := gen.makeCurrent(dir); err != nil {
			gen.discard()
			return nil, err
		}
	}
	return gen, sweep(dir, filepath.Base(gen.path))
}

// inUse tells a lock that is held from a folder that is damaged.
func inUse(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "timeout")
}

// open opens a folder and reads from it; damage may also show as a panic.
func open(path string) (gen *generation, err error) {
	defer func() {
		if r := recover(); r != nil {
			gen, err = nil, fmt.Errorf("search index: %s is damaged: %v", path, r)
		}
	}()
	index, err := bleve.OpenUsing(path, settings())
	if err != nil {
		return nil, err
	}
	gen = newGeneration(path, index)
	if _, err = gen.readMark(); err == nil {
		err = gen.warm()
	}
	if err != nil {
		index.Close()
		return nil, err
	}
	return gen, nil
}

func create(dir string) (*generation, error) {
	path := filepath.Join(dir, mappingHash()+"-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	index, err := bleve.NewUsing(path, newMapping(), bleve.Config.DefaultIndexType, bleve.Config.DefaultKVStore, settings())
	if err != nil {
		return nil, fmt.Errorf("search index: %w", err)
	}
	return newGeneration(path, index), nil
}

// makeCurrent makes this generation the one that Open opens.
func (g *generation) makeCurrent(dir string) error {
	temp := filepath.Join(dir, currentFile+".new")
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.WriteString(filepath.Base(g.path) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, currentFile)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// discard closes a generation and removes it.
func (g *generation) discard() {
	g.bleve.Close()
	os.RemoveAll(g.path) // what is left is swept by the next Open
}

// sweep removes all generations but one.
func sweep(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != keep && generationName.MatchString(e.Name()) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generation) readMark() (search.Mark, error) {
	var m search.Mark
	data, err := g.bleve.GetInternal(markKey)
	if err != nil || data == nil {
		return m, err
	}
	err = json.Unmarshal(data, &m)
	return m, err
}

// snapshot is the index as it is now. It must be closed.
func (g *generation) snapshot() (*scorch.IndexSnapshot, error) {
	advanced, err := g.bleve.Advanced()
	if err != nil {
		return nil, err
	}
	reader, err := advanced.Reader()
	if err != nil {
		return nil, err
	}
	s, ok := reader.(*scorch.IndexSnapshot)
	if !ok || s == nil {
		return nil, errClosed
	}
	return s, nil
}
