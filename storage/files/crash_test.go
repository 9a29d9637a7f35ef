package files

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"appstore/storage"
	"appstore/storage/storagetest"
)

// volatile is a disk that remembers which objects have been placed in folders
// that were not fsynced since, and can lose them as a power loss does.
type volatile struct {
	aside string // a folder for what was replaced

	mu      sync.Mutex
	pending []change
	failing int // how many of the next fsyncs of folders fail
}

// change is one that has not reached the disk.
type change struct {
	dir  string
	undo func() error
}

func (v *volatile) disk() disk {
	d := theDisk
	d.sync = func(f *os.File) error {
		stat, err := f.Stat()
		if err != nil || !stat.IsDir() {
			return errors.Join(err, theDisk.sync(f))
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.failing > 0 {
			v.failing--
			return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
		}
		v.pending = slices.DeleteFunc(v.pending, func(c change) bool { return c.dir == f.Name() })
		return theDisk.sync(f)
	}
	d.syncAll = func(f *os.File) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.pending = nil
		return theDisk.syncAll(f)
	}
	d.link = func(from, to string) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		err := theDisk.link(from, to)
		if err == nil {
			v.pending = append(v.pending, change{filepath.Dir(to), func() error { return os.Remove(to) }})
		}
		return err
	}
	d.rename = func(from, to string) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		undo := func() error { return os.Remove(to) }
		old := filepath.Join(v.aside, filepath.Base(from))
		if err := os.Link(to, old); err == nil {
			undo = func() error { return os.Rename(old, to) }
		}
		err := theDisk.rename(from, to)
		if err == nil {
			v.pending = append(v.pending, change{filepath.Dir(to), undo})
		}
		return err
	}
	return d
}

func (v *volatile) fail(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failing = n
}

// losePower undoes what has not reached the disk.
func (v *volatile) losePower(t *testing.T) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range slices.Backward(v.pending) {
		if err := c.undo(); err != nil {
			t.Error(err)
		}
	}
	v.pending, v.failing = nil, 0
}

func (v *volatile) open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := openOn(v.disk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestLostAnswers: the answer that gets lost is that of the fsync of a folder,
// and what comes after is a power loss.
func TestLostAnswers(t *testing.T) {
	storagetest.RunLostAnswers(t, func(t *testing.T) storagetest.LostAnswers {
		dir, v := t.TempDir(), &volatile{aside: t.TempDir()}
		s := v.open(t, dir)
		return storagetest.LostAnswers{
			Store: s,
			Lose:  v.fail,
			After: func() storage.Store {
				s.Close()
				v.losePower(t)
				return v.open(t, dir)
			},
		}
	})
}

// TestKilledThenPowerLoss kills the process between placing an object and the
// fsync of its folder. The next one finds the object in the page cache.
func TestKilledThenPowerLoss(t *testing.T) {
	dir, v := t.TempDir(), &volatile{aside: t.TempDir()}
	s := v.open(t, dir)
	if err := s.Create(t.Context(), "a/other", nil); err != nil {
		t.Fatal(err)
	}
	v.fail(1) // its outcome is not heard of any more
	if err := s.Create(t.Context(), "a/k", []byte("x")); !errors.Is(err, storage.ErrUnknown) {
		t.Fatal(err)
	}
	s.Close()

	s = v.open(t, dir)
	r, _, err := s.Get(t.Context(), "a/k", storage.Read{})
	if err != nil {
		t.Fatal(err) // this test would show nothing
	}
	r.Close()
	if err := s.Create(t.Context(), "a/k", []byte("x")); !errors.Is(err, storage.ErrExist) {
		t.Errorf("create again: %v", err)
	}
	s.Close()

	v.losePower(t)
	s = v.open(t, dir)
	if _, _, err := s.Get(t.Context(), "a/k", storage.Read{}); err != nil {
		t.Errorf("what was shown is gone: %v", err)
	}
}
