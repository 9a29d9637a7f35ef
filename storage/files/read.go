package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"appstore/storage"
)

// Get implements storage.Store. The reader of a whole object is a
// syscall.Conn, so that io.Copy to a connection uses sendfile(2); it and that
// of a part implement io.Seeker, too, within what they read.
func (s *Store) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, storage.Info{}, err
	}
	if o.Offset < 0 || o.Length < 0 {
		return nil, storage.Info{}, fmt.Errorf("%w: get %q: offset %d, length %d", storage.ErrInvalid, key, o.Offset, o.Length)
	}
	if err := ctx.Err(); err != nil {
		return nil, storage.Info{}, err
	}
	if err := s.broken(); err != nil {
		return nil, storage.Info{}, readError("get", key, err)
	}
	f, err := s.disk.open(s.path(key))
	if err != nil {
		return nil, storage.Info{}, readError("get", key, err)
	}
	stat, err := f.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = s.settled(ctx, key)
	}
	if err != nil {
		f.Close()
		return nil, storage.Info{}, readError("get", key, err)
	}
	info := storage.Info{Key: key, Size: stat.Size(), Modified: stat.ModTime()}
	whole := &object{f, key}
	if o == (storage.Read{}) {
		return whole, info, nil
	}
	left := info.Size - o.Offset
	if left < 0 || left == 0 && o.Offset > 0 {
		f.Close()
		return nil, storage.Info{}, fmt.Errorf("%w: get %q: offset %d in %d bytes", storage.ErrInvalid, key, o.Offset, info.Size)
	}
	if o.Length > 0 {
		left = min(left, o.Length)
	}
	return part{io.NewSectionReader(whole, o.Offset, left), f}, info, nil
}

// object reads a file and gives its errors those of the contract. It has no
// WriteTo: io.Copy then asks the connection, which knows a syscall.Conn.
type object struct {
	f   *os.File
	key string
}

var (
	_ io.ReadSeekCloser = (*object)(nil)
	_ syscall.Conn      = (*object)(nil)
)

func (o *object) Read(p []byte) (int, error) {
	n, err := o.f.Read(p)
	return n, o.wrap(err)
}

func (o *object) ReadAt(p []byte, offset int64) (int, error) {
	n, err := o.f.ReadAt(p, offset)
	return n, o.wrap(err)
}

func (o *object) wrap(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return fmt.Errorf("%w: read %q: %w", storage.ErrUnavailable, o.key, cause(err))
}

func (o *object) Seek(offset int64, whence int) (int64, error) { return o.f.Seek(offset, whence) }
func (o *object) Close() error                                 { return o.f.Close() }
func (o *object) SyscallConn() (syscall.RawConn, error)        { return o.f.SyscallConn() }

// part reads a part of a file.
type part struct {
	*io.SectionReader
	io.Closer
}

// readError says which error of the contract err is.
func readError(verb, key string, err error) error {
	switch {
	// ENOTDIR: a beginning of the key is an object, so the key isn't there.
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s %q", storage.ErrNotExist, verb, key)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %q: %w", verb, key, err)
	}
	return fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, cause(err))
}
