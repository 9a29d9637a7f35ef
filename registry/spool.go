package registry

import (
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

// spool holds uploads on the local disk while they are received, looked into
// and stored. Bounded in bytes over all uploads; nothing in it outlives its
// upload, and what a crash left is removed at the start.
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
	*os.File
	size                 int64
	sha256, sha512, sha1 string
	release              func()
}

// receive reads r up to most bytes.
func (s *spool) receive(ctx context.Context, name string, r io.Reader, most int64) (_ *spooled, err error) {
	f, err := os.CreateTemp(s.dir, "upload-*")
	if err != nil {
		return nil, err
	}
	// Unnamed from now on: the disk space goes with the descriptor, also in a crash.
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	var reserved int64
	release := func() {
		f.Close()
		s.used.Add(-reserved)
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	h256, h512, h1 := sha256.New(), sha512.New(), sha1.New()
	all := io.MultiWriter(f, h256, h512, h1)
	buf := make([]byte, 256<<10)
	var size int64
	for {
		n, rerr := r.Read(buf)
		if size += int64(n); size > most {
			return nil, fail(TooLarge, "make it smaller, or mark its package external", "%s is larger than %d bytes", name, most)
		}
		if reserved += int64(n); s.used.Add(int64(n)) > s.limit {
			return nil, fail(SpoolFull, "try again in a minute", "too many bytes are being uploaded at once")
		}
		if _, err := all.Write(buf[:n]); err != nil {
			return nil, &Error{Code: SpoolFull, Detail: "the upload could not be written to the local disk", Fix: "try again later; if it stays, tell the operator", Err: err}
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
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &spooled{
		File: f, size: size, release: release,
		sha256: sum(h256), sha512: sum(h512), sha1: sum(h1),
	}, nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
