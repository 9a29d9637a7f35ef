package registry

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"sync/atomic"
)

// spool holds uploads on the local disk, small ones in memory, while they are
// received, looked into and stored. Bounded in bytes over all uploads; nothing in it
// outlives its upload, and what a crash left is removed at the start.
type spool struct {
	dir   string
	limit int64
	used  atomic.Int64
}

func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return &spool{dir: dir, limit: limit}, os.MkdirAll(dir, 0o700)
}

// spooled is one received file with its digests, all taken in the one pass
// that wrote it.
type spooled struct {
	seekable
	size                 int64
	sha256, sha512, sha1 string
	release              func()
}

// seekable is read from any place, or from its beginning.
type seekable interface {
	io.ReadSeeker
	io.ReaderAt
}

// inMemory is the size up to which a file stays in memory, in bytes: making and
// removing one on the disk costs more than all else that is done with it.
const inMemory = 64 << 10

// receive reads r up to most bytes.
func (s *spool) receive(ctx context.Context, name string, r io.Reader, most int64) (_ *spooled, err error) {
	got := &spooled{}
	var f *os.File // nil while all is in memory
	got.release = func() {
		if f != nil {
			f.Close()
		}
		s.used.Add(-got.size)
	}
	defer func() {
		if err != nil {
			got.release()
		}
	}()
	h256, h512, h1 := sha256.New(), sha512.New(), sha1.New()
	digests := io.MultiWriter(h256, h512, h1)
	buf, held := make([]byte, inMemory), 0 // held of it are not on the disk
	for {
		n, rerr := r.Read(buf[held:])
		_, _ = digests.Write(buf[held : held+n]) // a hash takes all
		held += n
		got.size += int64(n)
		if s.used.Add(int64(n)) > s.limit {
			return nil, fail(SpoolFull, "try again in a minute", "too many bytes are being uploaded at once")
		}
		if got.size > most {
			return nil, fail(TooLarge, "make it smaller, or mark its package external", "%s is larger than %d bytes", name, most)
		}
		if f == nil && held == len(buf) {
			if f, err = s.unnamed(); err != nil {
				return nil, onDisk(err)
			}
		}
		if f != nil && held > 0 {
			if _, err := f.Write(buf[:held]); err != nil {
				return nil, onDisk(err)
			}
			held = 0
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr == nil {
			rerr = ctx.Err()
		}
		if rerr != nil {
			return nil, rerr
		}
	}
	if f == nil {
		got.seekable = bytes.NewReader(bytes.Clone(buf[:held]))
	} else {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, onDisk(err)
		}
		got.seekable = f
	}
	got.sha256, got.sha512, got.sha1 = sum(h256), sum(h512), sum(h1)
	return got, nil
}

// unnamed makes a file that goes with its descriptor, also in a crash.
func (s *spool) unnamed() (*os.File, error) {
	f, err := os.CreateTemp(s.dir, "upload-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func onDisk(err error) error {
	return &Error{Code: SpoolFull, Detail: "the upload could not be written to the local disk", Fix: "try again later; if it stays, tell the operator", Err: err}
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
