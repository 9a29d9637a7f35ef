package pip

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"appstore/registry"
	"appstore/storage"
)

const (
	upstreamPause    = time.Minute // how long a file may stand still
	upstreamMetadata = 8 << 20     // bytes of a metadata file
	storeTimeout     = 30 * time.Minute
	// heldBack is how many bytes of a file are kept back until all of it is
	// known to be right: who gets wrong bytes never gets the last of them.
	heldBack = 32 << 10
)

// File is a file of the upstream.
type File struct {
	Size   int64
	SHA256 string
	io.ReadCloser
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

// upstreamKey is where a file is kept: by its content, which never changes.
func upstreamKey(sum string) string { return "upstream/" + sum[:2] + "/" + sum }

// File opens a file of the upstream by the name of its project, its sha256 and
// its own name; with ".metadata" added to that, its metadata. One that is not
// in the store is fetched, and passed on while it comes; its last bytes only
// when all of it has that sha256. It returns an *Error with the code NotFound
// if the project was published here: then the upstream has no say in it.
func (x *Index) File(ctx context.Context, project, sum, name string) (*File, error) {
	here, _, err := x.owned(ctx, project)
	switch {
	case err != nil:
		return nil, err
	case here:
		return nil, absent(name, "the package "+project+" is published here: take its files from /simple/"+project+"/")
	case x.Upstream == nil || !sha256Hex.MatchString(sum) || !fileName.MatchString(name):
		return nil, absent(name, "files are named by the pages under /simple/")
	}
	return x.Upstream.open(ctx, project, sum, name)
}

func (u *Upstream) open(ctx context.Context, project, sum, name string) (*File, error) {
	wheel, meta := strings.CutSuffix(name, ".metadata")
	if !meta {
		if f, err := u.stored(ctx, sum); f != nil || err != nil {
			return f, err
		}
	}
	e, err := u.project(ctx, project)
	if err != nil {
		return nil, err
	}
	f, ok := e.more[sum]
	if !ok || f.name != wheel || meta && f.metadata == "" {
		return nil, absent(name, "the upstream index has no such file of "+project+" any more")
	}
	if meta {
		return u.openMetadata(ctx, f)
	}
	return u.fetchFile(ctx, f, sum)
}

// stored opens what was fetched before; nil if it was not.
func (u *Upstream) stored(ctx context.Context, sum string) (*File, error) {
	r, info, err := u.Store.Get(ctx, upstreamKey(sum), storage.Read{})
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return nil, nil
	case errors.Is(err, storage.ErrUnavailable):
		return nil, &registry.Error{Code: registry.Unavailable, Detail: "the storage can't be reached", Fix: "try again in a few seconds", Err: err}
	case err != nil:
		return nil, err
	}
	return &File{info.Size, sum, r}, nil
}

func (u *Upstream) get(ctx context.Context, where string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "appstore-upstream")
	req.Header.Set("Accept-Encoding", "identity") // the digest is of the file as it is
	if req.URL.Host == u.base.Host && req.URL.Scheme == u.base.Scheme && u.base.User != nil {
		password, _ := u.base.User.Password()
		req.SetBasicAuth(u.base.User.Username(), password)
	}
	res, err := u.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("it answered %s", res.Status)
	}
	return res, nil
}

func upstreamError(name string, err error) error {
	return &registry.Error{Code: UpstreamFailed, Detail: fmt.Sprintf("%s could not be fetched from the upstream index", name), Fix: "try again later", Err: err}
}

// openMetadata takes a metadata file whole: it is small.
func (u *Upstream) openMetadata(ctx context.Context, f upstreamFile) (*File, error) {
	if stored, err := u.stored(ctx, f.metadata); stored != nil || err != nil {
		return stored, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	res, err := u.get(ctx, f.url+".metadata")
	if err != nil {
		return nil, upstreamError(f.name+".metadata", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, upstreamMetadata+1))
	if err == nil && len(text) > upstreamMetadata {
		err = fmt.Errorf("it has more than %d bytes", upstreamMetadata)
	}
	if have := hex.EncodeToString(digest(text)); err == nil && have != f.metadata {
		err = fmt.Errorf("its sha256 is %s instead of %s", have, f.metadata)
	}
	if err != nil {
		return nil, upstreamError(f.name+".metadata", err)
	}
	if err := u.Store.Create(ctx, upstreamKey(f.metadata), text); err != nil && !errors.Is(err, storage.ErrExist) {
		u.Log.Warn("a file of the upstream index was not stored", "file", f.name+".metadata", "error", err)
	}
	return &File{int64(len(text)), f.metadata, io.NopCloser(bytes.NewReader(text))}, nil
}

// fetchFile passes a file on while it comes.
func (u *Upstream) fetchFile(ctx context.Context, f upstreamFile, sum string) (_ *File, err error) {
	wait := time.NewTimer(slotWait)
	defer wait.Stop()
	select {
	case u.slots <- struct{}{}:
	case <-wait.C:
		return nil, &registry.Error{Code: registry.Unavailable, Detail: "too many files are being fetched from the upstream index", Fix: "try again in a few seconds"}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := func() { <-u.slots }
	ctx, cancel := context.WithCancel(ctx)
	p := &passing{u: u, file: f, want: sum, hash: sha256.New(), cancel: cancel, free: free}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	p.watch = time.AfterFunc(upstreamPause, cancel)
	res, err := u.get(ctx, f.url)
	if err != nil {
		return nil, upstreamError(f.name, err)
	}
	p.from = res.Body
	p.size = res.ContentLength
	switch {
	case p.size < 0:
		p.size = f.size
	case f.size > 0 && f.size != p.size:
		return nil, upstreamError(f.name, fmt.Errorf("it has %d bytes, its page says %d", p.size, f.size))
	}
	if p.size <= 0 || p.size > registry.MaxFile {
		return nil, upstreamError(f.name, fmt.Errorf("it says a size of %d bytes; 1 to %d are allowed", p.size, registry.MaxFile))
	}
	if p.copy, err = os.CreateTemp(u.Dir, "appstore-upstream-*"); err != nil {
		return nil, err
	}
	// Unnamed from now on: the disk space goes with the descriptor.
	if err := os.Remove(p.copy.Name()); err != nil {
		return nil, err
	}
	return &File{p.size, sum, p}, nil
}

// passing is a file on its way from the upstream to a client, and into the
// store.
type passing struct {
	u      *Upstream
	file   upstreamFile
	want   string
	size   int64
	from   io.ReadCloser
	copy   *os.File
	hash   hash.Hash
	cancel context.CancelFunc
	free   func()
	watch  *time.Timer

	got, given int64 // bytes from the upstream, and to the client
	whole      bool  // all of it came, and is right
	err        error
}

func (p *passing) Read(b []byte) (int, error) {
	for {
		// What may go out: all but the last, until the file is known to be right.
		ready := p.got - heldBack
		if p.whole {
			ready = p.got
		}
		if n := min(int64(len(b)), ready-p.given); n > 0 {
			k, err := p.copy.ReadAt(b[:n], p.given)
			p.given += int64(k)
			if int64(k) == n {
				err = nil
			}
			return k, err
		}
		switch {
		case p.err != nil:
			return 0, p.err
		case p.whole:
			return 0, io.EOF
		}
		p.err = p.more(b)
	}
}

// more takes some bytes from the upstream; b is room for them.
func (p *passing) more(b []byte) error {
	if len(b) < 512 {
		b = make([]byte, heldBack)
	}
	n, err := p.from.Read(b)
	p.watch.Reset(upstreamPause)
	p.hash.Write(b[:n])
	if p.got += int64(n); p.got > p.size {
		return upstreamError(p.file.name, fmt.Errorf("it has more than %d bytes", p.size))
	}
	if _, err := p.copy.Write(b[:n]); err != nil {
		return fmt.Errorf("writing a file of the upstream index to the local disk: %w", err)
	}
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, io.EOF):
		return upstreamError(p.file.name, err)
	case p.got != p.size:
		return upstreamError(p.file.name, fmt.Errorf("it ended after %d of %d bytes", p.got, p.size))
	}
	if have := hex.EncodeToString(p.hash.Sum(nil)); have != p.want {
		return upstreamError(p.file.name, fmt.Errorf("its sha256 is %s instead of %s", have, p.want))
	}
	p.whole = true
	return nil
}

// Close stores the file if it came whole, after the client has it.
func (p *passing) Close() error {
	p.watch.Stop()
	p.cancel()
	if p.from != nil {
		p.from.Close()
	}
	end := func() {
		if p.copy != nil {
			p.copy.Close()
		}
		p.free()
	}
	if !p.whole {
		end()
		return nil
	}
	p.u.done.Go(func() {
		defer end()
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		defer cancel()
		_, err := p.copy.Seek(0, io.SeekStart)
		if err == nil {
			err = p.u.Store.Put(ctx, upstreamKey(p.want), p.copy, p.size)
		}
		if err != nil {
			p.u.Log.Warn("a file of the upstream index was not stored; it will be fetched again", "file", p.file.name, "error", err)
		}
	})
	return nil
}
