package files

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"appstore/storage"
)

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if err := s.mayWrite(ctx, "put", key); err != nil {
		return err
	}
	if size < 0 || size > storage.MaxPut {
		return fmt.Errorf("%w: put %q: %d bytes; 0 to %d are allowed", storage.ErrInvalid, key, size, int64(storage.MaxPut))
	}
	return s.write(ctx, "put", key, r, size, s.disk.rename)
}

// Create implements storage.Store.
func (s *Store) Create(ctx context.Context, key string, data []byte) error {
	if err := s.mayWrite(ctx, "create", key); err != nil {
		return err
	}
	if len(data) > storage.MaxCreate {
		return fmt.Errorf("%w: create %q: %d bytes; at most %d are allowed", storage.ErrInvalid, key, len(data), storage.MaxCreate)
	}
	// link(2) decides; this only saves the loser of a race long over from
	// writing a file for nothing.
	if stat, err := os.Lstat(s.path(key)); err == nil && stat.Mode().IsRegular() {
		return s.exists(ctx, key)
	}
	err := s.write(ctx, "create", key, bytes.NewReader(data), int64(len(data)), s.disk.link)
	if errors.Is(err, storage.ErrExist) {
		return s.exists(ctx, key)
	}
	return err
}

// exists is the answer of a create that has seen the object: that it exists,
// once it is durable.
func (s *Store) exists(ctx context.Context, key string) error {
	if err := s.settled(ctx, key); err != nil {
		return s.placeError("create", key, err)
	}
	return fmt.Errorf("%w: create %q", storage.ErrExist, key)
}

// write makes a durable temporary file and lets place put it at its path.
func (s *Store) write(ctx context.Context, verb, key string, r io.Reader, size int64, place func(from, to string) error) error {
	temp, err := s.writeTemp(ctx, verb, key, r, size)
	if temp != "" {
		// After a rename there is nothing left to remove, and a file left
		// behind is swept by the next Open.
		defer os.Remove(temp)
	}
	if err != nil {
		return err
	}
	path := s.path(key)
	dir := filepath.Dir(path)
	defer s.placing.begin(key)()
	if err := s.placeIn(ctx, dir, func() error { return place(temp, path) }); err != nil {
		return s.placeError(verb, key, err)
	}
	return s.syncDir(dir, verb, key)
}

// writeTemp writes exactly size bytes of r to a new file and fsyncs it. It
// returns the file's path also with an error, unless there is no file.
func (s *Store) writeTemp(ctx context.Context, verb, key string, r io.Reader, size int64) (path string, err error) {
	f, err := os.CreateTemp(s.temp, "")
	if err != nil {
		return "", fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, cause(err))
	}
	defer f.Close()
	from := &source{ctx: ctx, r: r}
	n, err := io.Copy(f, io.LimitReader(from, size))
	if err == nil && n == size {
		// One byte more than promised is a mistake, too.
		var more int64
		more, err = io.Copy(io.Discard, io.LimitReader(from, 1))
		n += more
	}
	switch {
	case from.err != nil:
		return f.Name(), fmt.Errorf("%s %q: %w", verb, key, from.err)
	case err != nil:
		return f.Name(), fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, cause(err))
	case n < size:
		return f.Name(), fmt.Errorf("%w: %s %q: the reader gave %d bytes, not %d", storage.ErrInvalid, verb, key, n, size)
	case n > size:
		return f.Name(), fmt.Errorf("%w: %s %q: the reader gave more than %d bytes", storage.ErrInvalid, verb, key, size)
	}
	if err := s.disk.sync(f); err != nil {
		return f.Name(), fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, cause(err))
	}
	return f.Name(), nil
}

// source reads from the caller's reader until ctx ends, and keeps its error
// apart from those of the disk.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// placeIn calls place while dir is there and stays there.
func (s *Store) placeIn(ctx context.Context, dir string, place func() error) error {
	for {
		s.mu.RLock()
		if err := s.down(); err != nil || ctx.Err() != nil {
			defer s.mu.RUnlock()
			return cmp.Or(err, ctx.Err())
		}
		if s.durable[dir] {
			defer s.mu.RUnlock()
			return place()
		}
		s.mu.RUnlock()
		s.mu.Lock()
		err := s.makeDurable(dir)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		// Between the locks a Delete may have removed the folder: look again.
	}
}

// makeDurable makes dir and the folders above it as needed, and fsyncs each
// into its parent unless this process has done so. Folders above the objects
// are fsynced only when made here. The caller holds mu, or is Open.
func (s *Store) makeDurable(dir string) error {
	if s.durable[dir] {
		return nil
	}
	ours := within(s.objects, dir)
	stat, err := os.Stat(dir)
	if err == nil && !stat.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	if err == nil && !ours {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return err
	}
	if err := s.makeDurable(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.sync(parent); err != nil {
		return s.breakBy(err)
	}
	if len(s.durable) >= maxDurable {
		clear(s.durable)
	}
	if ours {
		s.durable[dir] = true
	}
	return nil
}

// sync fsyncs a folder.
func (s *Store) sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.disk.sync(f)
}

// syncDir fsyncs the folder of a change that can be seen already.
func (s *Store) syncDir(dir, verb, key string) error {
	err := s.sync(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		// Absent: a Delete of the same object came between, and the folder
		// went with it.
		return nil
	}
	return fmt.Errorf("%w: %s %q: %w", storage.ErrUnknown, verb, key, s.breakBy(err))
}

// placeError says which error of the contract err is, which kept an object
// from its place.
func (s *Store) placeError(verb, key string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %q: %w", verb, key, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s %q: a beginning of the key is an object", storage.ErrInvalid, verb, key)
	case isFolder(s.path(key)):
		return fmt.Errorf("%w: %s %q: the key is a folder of other keys", storage.ErrInvalid, verb, key)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %s %q", storage.ErrExist, verb, key)
	}
	return fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, cause(err))
}

func isFolder(path string) bool {
	stat, err := os.Lstat(path)
	return err == nil && stat.IsDir()
}
