// Package files keeps objects as plain files in a folder: the default storage.
//
//	DIR/lock       who has the folder open (see [Open])
//	DIR/objects/   one file for each object, its path is the key
//	DIR/temp/      files being written; emptied by Open
//
// # Durability
//
// A write goes to a file in DIR/temp, which is fsynced and then appears under
// its key in one step: by link(2), which fails when the key is there (Create),
// or by rename(2), which replaces it (Put). Then the folder is fsynced. Every
// folder on the way has been fsynced into its parent before, once per process,
// because one that is merely there may have been made a moment before a crash.
//
// After a failed fsync the kernel may drop the data and call the next fsync a
// success, so none is repeated on the same file: a temporary file is thrown
// away, and when it was a folder's, the store is broken and answers
// storage.ErrUnavailable to everything until it is opened again, reads
// included. They would show what a power loss can still take back, and who
// reads an own write back after storage.ErrUnknown takes it for done.
//
// For the same reason an object is shown, listed or called existing only when
// it is durable: who meets one between its link and the fsync of its folder
// waits for that. And Open flushes the file system to the disk (syncfs(2))
// before it lets anybody read, because the process before it may have been
// killed between the two.
//
// DIR must be on one local file system; a network file system that does not
// pass on flock(2) would let two processes write.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"appstore/storage"
)

var _ storage.Store = (*Store)(nil)

// Store keeps objects in a folder. Make one with Open or OpenReadOnly.
type Store struct {
	objects string   // folder of the objects
	temp    string   // folder of the files being written; "" when read-only
	lock    *os.File // nil when read-only
	disk    disk

	// mu is held for reading while an object is put in its place, and for
	// writing while folders come and go, so that no folder goes away between
	// making it and using it.
	mu      sync.RWMutex
	durable map[string]bool // folders whose entry in their parent is on the disk
	closed  bool

	failed  atomic.Pointer[error] // set once: why nothing is answered any more
	placing placing
}

// maxDurable bounds the memory of Store.durable. Beyond it the store forgets
// and fsyncs some folders once more.
const maxDurable = 100_000

// disk is what durability rests on; the tests record it and let it fail.
type disk struct {
	open    func(path string) (*os.File, error) // an object, to read it
	sync    func(*os.File) error
	syncAll func(dir *os.File) error // everything in dir, however deep
	link    func(from, to string) error
	rename  func(from, to string) error
}

var theDisk = disk{open: os.Open, sync: (*os.File).Sync, syncAll: syncAll, link: os.Link, rename: os.Rename}

// Open opens the store in dir, which it makes if it is absent, and holds it
// until Close. A folder can be open for writing once: the error of the second
// Open wraps [ErrInUse] and says who holds it.
func Open(dir string) (*Store, error) { return openOn(theDisk, dir) }

func openOn(d disk, dir string) (*Store, error) {
	s := &Store{
		objects: filepath.Join(dir, "objects"),
		temp:    filepath.Join(dir, "temp"),
		disk:    d,
		durable: map[string]bool{},
	}
	if err := s.makeDurable(dir); err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	lock, err := takeLock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	s.lock = lock
	if err := s.prepare(); err != nil {
		lock.Close()
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	return s, nil
}

// prepare makes the folders, removes what a crash left in the temporary one,
// and makes durable what it left among the objects.
func (s *Store) prepare() error {
	if err := os.RemoveAll(s.temp); err != nil {
		return err
	}
	if err := s.makeDurable(s.objects); err != nil {
		return err
	}
	if err := s.syncObjects(); err != nil {
		return fmt.Errorf("flush it to the disk: %w", err)
	}
	return os.Mkdir(s.temp, 0o700)
}

// syncObjects makes all objects that are there durable.
func (s *Store) syncObjects() error {
	f, err := os.Open(s.objects)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err != nil {
		if err == io.EOF {
			return nil // none: a file system can take long to flush what others have written
		}
		return err
	}
	return s.disk.syncAll(f)
}

// OpenReadOnly opens the store in dir without holding it, beside a process
// that may be writing to it. Put, Create and Delete return ErrInvalid.
func OpenReadOnly(dir string) (*Store, error) {
	s := &Store{objects: filepath.Join(dir, "objects"), disk: theDisk}
	if _, err := os.Stat(s.objects); err != nil {
		return nil, fmt.Errorf("open data folder for reading: %w", err)
	}
	return s, nil
}

// Close waits for the writes that are being put in their place and lets go of
// the folder. Later writes return ErrUnavailable; reading stays possible.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil || s.closed {
		return nil
	}
	s.closed = true
	return s.lock.Close()
}

var errClosed = errors.New("the store is closed")

// breakBy makes the store answer nothing any more, because the fsync of a
// folder failed with err. It returns the reason from then on.
func (s *Store) breakBy(err error) error {
	err = fmt.Errorf("fsync of a folder failed; check the disk, then restart: %w", cause(err))
	s.failed.CompareAndSwap(nil, &err)
	return s.broken()
}

// broken gives the reason why the store answers nothing any more, or nil.
func (s *Store) broken() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// down gives the reason why nothing may be written, or nil. The caller holds mu.
func (s *Store) down() error {
	if s.closed {
		return errClosed
	}
	return s.broken()
}

// path gives the file of key, which must be a valid one.
func (s *Store) path(key string) string {
	return filepath.Join(s.objects, filepath.FromSlash(key))
}

// Delete implements storage.Store. Folders that it leaves empty go away.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.mayWrite(ctx, "delete", key); err != nil {
		return err
	}
	dir, err := s.unlink(s.path(key))
	if err != nil {
		return fmt.Errorf("%w: delete %q: %w", storage.ErrUnavailable, key, cause(err))
	}
	if dir == "" {
		return nil
	}
	return s.syncDir(dir, "delete", key)
}

// unlink removes the file at path and the folders that are empty then. It
// returns the folder it removed from last, "" if there was no such file.
func (s *Store) unlink(path string) (dir string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.down(); err != nil {
		return "", err
	}
	// Not os.Remove, which would remove an empty folder of that name.
	err = syscall.Unlink(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || isFolder(path) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	dir = filepath.Dir(path)
	for dir != s.objects && syscall.Rmdir(dir) == nil {
		delete(s.durable, dir)
		dir = filepath.Dir(dir)
	}
	return dir, nil
}

// mayWrite checks what is common to Put, Create and Delete.
func (s *Store) mayWrite(ctx context.Context, verb, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if s.temp == "" {
		return fmt.Errorf("%w: %s %q: the data folder is open for reading only", storage.ErrInvalid, verb, key)
	}
	if err := s.broken(); err != nil {
		return fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, err)
	}
	return ctx.Err()
}

// cause leaves out the paths of an error of package os: the key says it
// already, and clients of a server need not learn where its folder is.
func cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	case errors.As(err, &linkErr):
		return fmt.Errorf("%s: %w", linkErr.Op, linkErr.Err)
	}
	return err
}

// within reports whether path is the folder dir or lies in it.
func within(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}
