package files

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"appstore/storage"
)

// List implements storage.Store. It reads a folder when it comes to it, and
// none that lies wholly before after or outside prefix; it holds the names of
// the folders it is in, not of the whole store.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if !storage.ValidPrefix(prefix) {
			return // "../" must not lead anywhere
		}
		if err := s.broken(); err != nil {
			yield(storage.Info{}, readError("list", prefix, err))
			return
		}
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1] // "" or "a/b/"
		l := lister{s: s, ctx: ctx, prefix: prefix, after: after, yield: yield}
		l.walk(dir)
	}
}

// lister is one run of List.
type lister struct {
	s             *Store
	ctx           context.Context
	prefix, after string
	yield         func(storage.Info, error) bool
}

// walk lists the folder dir, "" or a path with a slash at its end, and reports
// whether to go on.
func (l *lister) walk(dir string) bool {
	entries, err := readDir(filepath.Join(l.s.objects, filepath.FromSlash(dir)))
	if err != nil {
		l.yield(storage.Info{}, readError("list", dir, err))
		return false
	}
	for _, e := range entries {
		if err := l.ctx.Err(); err != nil {
			l.yield(storage.Info{}, err)
			return false
		}
		name := dir + sortName(e)
		if e.IsDir() {
			mayMatch := strings.HasPrefix(name, l.prefix) || strings.HasPrefix(l.prefix, name)
			// Every key in the folder begins with its name. If that is less
			// than after without being its beginning, so are they all.
			passed := name < l.after && !strings.HasPrefix(l.after, name)
			if mayMatch && !passed && !l.walk(name) {
				return false
			}
			continue
		}
		if !strings.HasPrefix(name, l.prefix) || name <= l.after || !e.Type().IsRegular() || storage.CheckKey(name) != nil {
			continue
		}
		stat, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since the folder was read
		}
		if err == nil {
			err = l.s.settled(l.ctx, name)
		}
		if err != nil {
			l.yield(storage.Info{}, readError("list", name, err))
			return false
		}
		if !l.yield(storage.Info{Key: name, Size: stat.Size(), Modified: stat.ModTime()}, nil) {
			return false
		}
	}
	return true
}

// readDir reads a folder in byte order of the keys in it: a folder sorts with
// the slash that follows its name, so that a-b comes before a/b. An absent
// folder is an empty one.
func readDir(path string) ([]fs.DirEntry, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if stat, err := f.Stat(); err == nil && !stat.IsDir() {
		return nil, nil // an object: no key lies in it
	}
	entries, err := f.ReadDir(-1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed since it was opened: its last object is gone
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(sortName(a), sortName(b)) })
	return entries, nil
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
