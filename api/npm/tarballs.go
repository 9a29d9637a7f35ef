package npm

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// tarballTimeout is how long a tarball may take to come from the upstream.
const tarballTimeout = 15 * time.Minute

// tarballs are a folder of tarballs, each under its digest. What was not asked
// for longest is removed when there are too many bytes.
type tarballs struct {
	dir  string
	most int64

	coming singleflight.Group // by digest
	room   sync.Mutex         // held while room is made
}

// Tarball is an open tarball of the upstream.
type Tarball struct {
	*os.File
	Digest   string // in hex
	Size     int64
	Modified time.Time
}

func openTarballs(dir string, most int64) (*tarballs, error) {
	if dir == "" {
		return nil, errors.New("it needs a folder for its tarballs")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.part"))
	if err != nil {
		return nil, err
	}
	for _, path := range left { // of a crash
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return &tarballs{dir: dir, most: most}, nil
}

// digest is the strongest one that dist has, in hex: sha512, or the sha1 of
// packages of old.
func (d *dist) digest() string {
	for one := range strings.FieldsSeq(d.Integrity) {
		if text, ok := strings.CutPrefix(one, "sha512-"); ok {
			text, _, _ = strings.Cut(text, "?")
			if sum, err := base64.StdEncoding.DecodeString(text); err == nil && len(sum) == sha512.Size {
				return hex.EncodeToString(sum)
			}
		}
	}
	if sum, err := hex.DecodeString(d.Shasum); err == nil && len(sum) == sha1.Size {
		return hex.EncodeToString(sum)
	}
	return ""
}

// open opens the tarball that d describes, fetching it first if it is not
// there: once, however many ask at the same time.
func (t *tarballs) open(ctx context.Context, d dist, fetch func(context.Context) (io.ReadCloser, error)) (*Tarball, error) {
	digest := d.digest()
	if digest == "" {
		return nil, refused("it gives no sha512 or sha1 of %s", d.Tarball)
	}
	for range 3 { // it can be removed between its coming and its opening
		f, err := t.there(digest)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		came := t.coming.DoChan(digest, func() (any, error) {
			if _, err := os.Stat(filepath.Join(t.dir, digest)); err == nil {
				return nil, nil // it came just before
			}
			// It goes on for the next who asks if this client leaves.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tarballTimeout)
			defer cancel()
			return nil, t.receive(ctx, digest, fetch)
		})
		select {
		case c := <-came:
			if c.Err != nil {
				return nil, c.Err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, refused("the folder for its tarballs is too small")
}

func (t *tarballs) there(digest string) (*Tarball, error) {
	path := filepath.Join(t.dir, digest)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	now := time.Now()
	if now.Sub(info.ModTime()) > time.Hour {
		_ = os.Chtimes(path, now, now) // what is asked for stays longer
	}
	return &Tarball{File: f, Digest: digest, Size: info.Size(), Modified: info.ModTime()}, nil
}

// receive fetches a tarball beside, checks it, and puts it into its place.
func (t *tarballs) receive(ctx context.Context, digest string, fetch func(context.Context) (io.ReadCloser, error)) error {
	body, err := fetch(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.CreateTemp(t.dir, "*.part")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name()) // in vain, once it has its own name
	}()
	sum := sha512.New()
	if len(digest) == 2*sha1.Size {
		sum = sha1.New()
	}
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(body, MaxTarball+1))
	switch {
	case err != nil:
		return refused("a tarball broke off: %v", err)
	case n > MaxTarball:
		return refused("a tarball has more than %d MiB", MaxTarball>>20)
	case hex.EncodeToString(sum.Sum(nil)) != digest:
		return refused("a tarball does not have the digest that its registry says")
	}
	if err := f.Close(); err != nil {
		return err
	}
	t.makeRoom(n)
	return os.Rename(f.Name(), filepath.Join(t.dir, digest))
}

// makeRoom removes what was not asked for longest.
func (t *tarballs) makeRoom(need int64) {
	t.room.Lock()
	defer t.room.Unlock()
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return // the rename tells
	}
	var all []fs.FileInfo
	total := need
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !strings.HasSuffix(e.Name(), ".part") {
			all = append(all, info)
			total += info.Size()
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int { return cmp.Compare(a.ModTime().UnixNano(), b.ModTime().UnixNano()) })
	for _, info := range all {
		if total <= t.most {
			return
		}
		if os.Remove(filepath.Join(t.dir, info.Name())) == nil {
			total -= info.Size()
		}
	}
}
