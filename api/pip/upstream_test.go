package pip

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/registry"
	"appstore/search/bleve"
	"appstore/storage"
	"appstore/storage/files"
)

// elsewhere is an index that can be changed while it runs.
type elsewhere struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte // by name
	lies  map[string]string // file name -> sha256 that the page says
	down  bool
	etag  string

	asked, unchanged, fetched atomic.Int64

	now, most atomic.Int64 // requests at this moment, and at the worst one
}

func newElsewhere(t *testing.T) *elsewhere {
	e := &elsewhere{files: map[string][]byte{}, lies: map[string]string{}, etag: `"1"`}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *elsewhere) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := e.now.Add(1)
	defer e.now.Add(-1)
	for most := e.most.Load(); now > most && !e.most.CompareAndSwap(most, now); most = e.most.Load() {
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		e.fetched.Add(1)
		if content, ok := e.files[name]; ok {
			w.Write(content)
		} else {
			http.NotFound(w, r)
		}
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple/"), "/")
	e.asked.Add(1)
	if r.Header.Get("If-None-Match") == e.etag {
		e.unchanged.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	var all []any
	for file, content := range e.files {
		if !strings.HasPrefix(file, name+"-") || strings.HasSuffix(file, ".metadata") {
			continue
		}
		f := map[string]any{"filename": file, "url": "../../files/" + file, "hashes": map[string]string{"sha256": hexDigest(content)}, "size": len(content), "requires-python": ">=3.8", "yanked": "old"}
		if lie := e.lies[file]; lie != "" {
			f["hashes"] = map[string]string{"sha256": lie}
		}
		if m, ok := e.files[file+".metadata"]; ok {
			f["core-metadata"] = map[string]string{"sha256": hexDigest(m)}
		}
		all = append(all, f)
	}
	if all == nil {
		http.NotFound(w, r)
		return
	}
	all = append(all, map[string]any{"filename": "unchecked-1.tar.gz", "url": "x", "hashes": map[string]string{"md5": "1"}},
		map[string]any{"filename": "../up-1.tar.gz", "url": "x", "hashes": map[string]string{"sha256": strings.Repeat("1", 64)}},
		map[string]any{"filename": "scheme-1.tar.gz", "url": "file:///etc/passwd", "hashes": map[string]string{"sha256": strings.Repeat("1", 64)}})
	w.Header().Set("Content-Type", string(JSON))
	w.Header().Set("Etag", e.etag)
	json.NewEncoder(w).Encode(map[string]any{"meta": map[string]string{"api-version": "1.1"}, "name": name, "files": all, "versions": []string{"1.0"}})
}

// opened is an index over a new registry, with e as its upstream.
func opened(t *testing.T, e *elsewhere) (*Index, storage.Store) {
	t.Helper()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	index, err := bleve.Open(filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { index.Close() })
	log := slog.New(slog.DiscardHandler)
	reg, err := registry.Open(t.Context(), registry.Options{Store: store, Index: index, Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	up, err := NewUpstream(UpstreamOptions{URL: e.URL + "/simple", Store: store, Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close() })
	return New(Options{
		Registry: reg, Upstream: up,
		FileURL:     func(plugin, release, file string) string { return "/here/" + file },
		UpstreamURL: func(project, sha256, file string) string { return "/there/" + file },
	}), store
}

func wantCode(t *testing.T, err error, code registry.Code) {
	t.Helper()
	var e *registry.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got the error %v, want the code %s", err, code)
	}
}

func (x *Index) text(t *testing.T, name string) string {
	t.Helper()
	p, err := x.Project(t.Context(), name, JSON)
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Body)
}

func (x *Index) read(ctx context.Context, project, sum, name string) ([]byte, error) {
	f, err := x.File(ctx, project, sum, name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(f)
	return content, errors.Join(err, f.Close())
}

// Pages of the upstream are kept, revalidated, and served on while it is down.
func TestUpstreamPages(t *testing.T) {
	e := newElsewhere(t)
	e.files["lib-1.0.tar.gz"] = []byte("content")
	x, _ := opened(t, e)
	page := x.text(t, "lib")
	for _, want := range []string{`"url":"/there/lib-1.0.tar.gz"`, hexDigest([]byte("content")), `"size":7`, `"yanked":"old"`, `"requires-python"`, `"versions":["1.0"]`, `"status":"active"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s: %s", want, page)
		}
	}
	for _, unsafe := range []string{"unchecked-1", "up-1", "scheme-1"} {
		if strings.Contains(page, unsafe) {
			t.Errorf("%s is passed on: %s", unsafe, page)
		}
	}
	_, err := x.Project(t.Context(), "nothing", JSON)
	wantCode(t, err, registry.NotFound)
	_, err = x.Project(t.Context(), "not_normal!", JSON)
	wantCode(t, err, registry.NotFound)
	for range 10 {
		x.text(t, "lib")
		x.Project(t.Context(), "nothing", HTML)
	}
	if n := e.asked.Load(); n != 2 {
		t.Errorf("the upstream was asked %d times", n)
	}

	x.Upstream.ttl = 0
	x.text(t, "lib")
	if e.unchanged.Load() != 1 {
		t.Errorf("the page was revalidated %d times", e.unchanged.Load())
	}
	e.set(func() { e.files["lib-2.0.tar.gz"], e.etag = []byte("more"), `"2"` })
	if !strings.Contains(x.text(t, "lib"), "lib-2.0.tar.gz") {
		t.Error("a new file is not on the page")
	}
	e.set(func() { e.down = true })
	asked := e.asked.Load()
	for range 5 {
		if !strings.Contains(x.text(t, "lib"), "lib-2.0.tar.gz") {
			t.Error("the kept page is not served while the upstream is down")
		}
	}
	_, err = x.Project(t.Context(), "unknown", JSON)
	wantCode(t, err, UpstreamFailed)
	e.set(func() { e.down = false })
	x.Upstream.retry = 0
	x.text(t, "lib")
	if e.asked.Load() != asked+1 {
		t.Errorf("asked %d times after the outage", e.asked.Load()-asked)
	}
}

// Many who ask for one page at once cause one question.
func TestUpstreamIsAskedOnce(t *testing.T) {
	e := newElsewhere(t)
	e.files["lib-1.0.tar.gz"] = []byte("content")
	x, _ := opened(t, e)
	e.mu.Lock()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := x.Project(t.Context(), "lib", JSON); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	e.mu.Unlock()
	all.Wait()
	if n := e.asked.Load(); n != 1 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

// Pages are large: few are read at the same time, however many are asked for.
func TestUpstreamPagesAreReadFewAtATime(t *testing.T) {
	e := newElsewhere(t)
	x, _ := opened(t, e)
	e.mu.Lock()
	for i := range 20 {
		e.files[fmt.Sprintf("lib%d-1.0.tar.gz", i)] = []byte("content")
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := x.Project(t.Context(), fmt.Sprintf("lib%d", i), JSON); err != nil {
				t.Error(err)
			}
		})
	}
	for end := time.Now().Add(time.Minute); e.now.Load() < upstreamPagesAtOnce && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // for one too many
	e.mu.Unlock()
	all.Wait()
	if n := e.most.Load(); n != upstreamPagesAtOnce {
		t.Errorf("%d pages were read at the same time, want %d", n, upstreamPagesAtOnce)
	}
}

// Files are passed on, checked, and stored once.
func TestUpstreamFiles(t *testing.T) {
	e := newElsewhere(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	e.files["lib-1.0.tar.gz"] = content
	e.files["lib-1.0.tar.gz.metadata"] = []byte("Metadata-Version: 2.1\n")
	x, store := opened(t, e)
	ctx := t.Context()
	sum := hexDigest(content)
	for range 3 {
		if got, err := x.read(ctx, "lib", sum, "lib-1.0.tar.gz"); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		x.Upstream.done.Wait()
		if got, err := x.read(ctx, "lib", sum, "lib-1.0.tar.gz.metadata"); err != nil || string(got) != "Metadata-Version: 2.1\n" {
			t.Fatalf("metadata: %q, %v", got, err)
		}
	}
	if n := e.fetched.Load(); n != 2 {
		t.Errorf("%d fetches for two files", n)
	}
	if _, info, err := store.Get(ctx, "upstream/"+sum[:2]+"/"+sum, storage.Read{}); err != nil || info.Size != int64(len(content)) {
		t.Errorf("in the store: %+v, %v", info, err)
	}
	// What is stored is served without the upstream.
	e.set(func() { e.down = true })
	if got, err := x.read(ctx, "lib", sum, "lib-1.0.tar.gz"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("while the upstream is down: %d bytes, %v", len(got), err)
	}
	for _, path := range [][3]string{
		{"lib", strings.Repeat("0", 64), "lib-1.0.tar.gz"},
		{"lib", "../../" + sum[6:], "lib-1.0.tar.gz"},
		{"lib", sum, "other.tar.gz.metadata"},
	} {
		_, err := x.read(ctx, path[0], path[1], path[2])
		wantCode(t, err, registry.NotFound)
	}
}

// Wrong bytes are neither stored nor given whole.
func TestUpstreamLies(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 300_000} {
		t.Run(name, func(t *testing.T) {
			e := newElsewhere(t)
			claimed := hexDigest([]byte("what the page promised"))
			e.files["lib-1.0.tar.gz"] = make([]byte, size)
			e.lies["lib-1.0.tar.gz"] = claimed
			x, store := opened(t, e)
			got, err := x.read(t.Context(), "lib", claimed, "lib-1.0.tar.gz")
			wantCode(t, err, UpstreamFailed)
			if len(got) > max(0, size-heldBack) {
				t.Errorf("%d of %d wrong bytes went out", len(got), size)
			}
			x.Upstream.done.Wait()
			if _, _, err := store.Get(t.Context(), upstreamKey(claimed), storage.Read{}); !errors.Is(err, storage.ErrNotExist) {
				t.Errorf("wrong bytes were stored: %v", err)
			}
			if len(x.Upstream.slots) != 0 {
				t.Error("the place of the file is not free again")
			}
		})
	}
	e := newElsewhere(t)
	e.files["lib-1.0.tar.gz"] = []byte("x")
	e.files["lib-1.0.tar.gz.metadata"] = []byte("true")
	x, _ := opened(t, e)
	x.text(t, "lib")
	e.set(func() { e.files["lib-1.0.tar.gz.metadata"] = []byte("false") })
	_, err := x.read(t.Context(), "lib", hexDigest([]byte("x")), "lib-1.0.tar.gz.metadata")
	wantCode(t, err, UpstreamFailed)
	e.set(func() { e.files["lib-1.0.tar.gz"] = []byte("longer") })
	_, err = x.read(t.Context(), "lib", hexDigest([]byte("x")), "lib-1.0.tar.gz")
	wantCode(t, err, UpstreamFailed)
}

// A name that was published here is never looked for elsewhere: neither its
// page nor its files, from the moment of the publish.
func TestNamesHereNeverFallThrough(t *testing.T) {
	e := newElsewhere(t)
	content := []byte("an attacker's 99.0")
	e.files["host-99.0.tar.gz"] = content
	x, _ := opened(t, e)
	sum := hexDigest(content)
	if !strings.Contains(x.text(t, "host"), "host-99.0.tar.gz") {
		t.Fatal("before, the upstream answers")
	}
	if _, err := x.read(t.Context(), "host", sum, "host-99.0.tar.gz"); err != nil {
		t.Fatal(err)
	}
	publishSdist(t, x.Registry, "host", "1.0.0")
	if page := x.text(t, "host"); strings.Contains(page, "99.0") || !strings.Contains(page, "/here/host-1.0.0.tar.gz") {
		t.Errorf("after the publish the page is %s", page)
	}
	_, err := x.read(t.Context(), "host", sum, "host-99.0.tar.gz")
	wantCode(t, err, registry.NotFound)
	asked := e.asked.Load()
	x.Upstream.ttl = 0
	// Yanked or not, ours it stays.
	if _, err := x.Registry.Yank(t.Context(), "host", "1.0.0", true, "bad", "test"); err != nil {
		t.Fatal(err)
	}
	if page := x.text(t, "host"); strings.Contains(page, "99.0") || !strings.Contains(page, `"yanked":"bad"`) {
		t.Errorf("after the yank the page is %s", page)
	}
	if e.asked.Load() != asked {
		t.Error("the upstream was asked for a name that is ours")
	}
	root, err := x.Root(t.Context(), JSON)
	if err != nil || !strings.Contains(string(root.Body), `{"name":"host"}`) {
		t.Errorf("the root: %s, %v", root.Body, err)
	}
}

// An upstream that is no index says so.
func TestUpstreamIsNoIndex(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"html": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"another name": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(JSON))
			fmt.Fprint(w, `{"meta":{"api-version":"1.0"},"name":"other","files":[]}`)
		},
		"version 2": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(JSON))
			fmt.Fprint(w, `{"meta":{"api-version":"2.0"},"name":"lib","files":[]}`)
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(JSON))
			fmt.Fprint(w, `{"meta":{"api-version":"1.0"},"name":"lib"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(handler)
			defer srv.Close()
			x, _ := opened(t, &elsewhere{Server: srv})
			_, err := x.Project(t.Context(), "lib", JSON)
			wantCode(t, err, UpstreamFailed)
		})
	}
	for _, bad := range []string{"", "index.example.org", "ftp://example.org/", "https://example.org/simple/?x=1"} {
		if _, err := NewUpstream(UpstreamOptions{URL: bad}); err == nil || !strings.Contains(err.Error(), "https://index.example.org/simple/") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
