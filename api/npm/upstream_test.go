package npm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
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

	"appstore/api"
	"appstore/api/npm"
	"appstore/registry"
	"appstore/search/bleve"
	"appstore/storage/files"
)

// elsewhere is a registry with any package that is asked for.
type elsewhere struct {
	*httptest.Server
	asked    sync.Map     // paths
	tarballs atomic.Int64 // how many were sent
	down     atomic.Bool
	content  atomic.Pointer[[]byte] // of every tarball
	at       atomic.Pointer[string] // the host of the tarballs, if another

	now, most atomic.Int64 // requests at this moment, and at the worst one
	wait      atomic.Int64 // before each answer
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	good := []byte("a tarball of the upstream")
	e.content.Store(&good)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Store(r.URL.EscapedPath(), true)
		now := e.now.Add(1)
		defer e.now.Add(-1)
		for most := e.most.Load(); now > most && !e.most.CompareAndSwap(most, now); most = e.most.Load() {
		}
		time.Sleep(time.Duration(e.wait.Load()))
		if e.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		if strings.Contains(r.URL.Path, "/-/") {
			e.tarballs.Add(1)
			w.Write(*e.content.Load())
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/up/")
		if name == "missing" {
			http.NotFound(w, r)
			return
		}
		host := e.URL
		if other := e.at.Load(); other != nil {
			host = *other
		}
		sum := sha512.Sum512(good)
		json.NewEncoder(w).Encode(map[string]any{
			"name": name, "dist-tags": map[string]string{"latest": "1.0.0"}, "readme": "long",
			"versions": map[string]any{"1.0.0": map[string]any{
				"name": name, "version": "1.0.0", "scripts": map[string]string{"install": "x"}, "dependencies": map[string]string{"a": "1"},
				"dist": map[string]any{"tarball": host + "/up/" + name + "/-/x.tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]), "signatures": []string{"x"}},
			}},
		})
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *elsewhere) wasAsked(path string) bool { _, ok := e.asked.Load(path); return ok }

// withUpstream is a server that asks e for what is not here, and has the
// packages "ours" and "@own/one".
func withUpstream(t *testing.T, e *elsewhere) string {
	t.Helper()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := bleve.Open(filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), registry.Options{Store: store, Index: index, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close(); index.Close(); store.Close() })
	for plugin, name := range map[string]string{"Ours": "ours", "One": "@own/one"} {
		if err := publish(t, reg, plugin, "1.0.0", name, "1.0.0"); err != nil {
			t.Fatal(err)
		}
	}
	up, err := npm.NewUpstream(npm.Options{Upstream: e.URL + "/up", Dir: t.TempDir(), Keep: 100}, reg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := api.New(api.Options{Registry: reg, Index: index, NPMUpstream: up})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func publish(t testing.TB, reg *registry.Registry, plugin, version, name, packageVersion string) error {
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	text := fmt.Sprintf(`{"name":%q,"version":%q,"dependencies":{"left-pad":"^1.0.0"},"engines":{"node":">=18"}}`, name, packageVersion)
	if err := w.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	io.WriteString(w, text)
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		return err
	}
	sent := false
	_, err := reg.Publish(t.Context(), registry.Upload{
		Descriptor: []byte(fmt.Sprintf("name: %s\nversion: %s\nsummary: A form\nlibraries: [{ecosystem: npm, package: %q}]\n", plugin, version, name)),
		Next: func() (string, io.Reader, error) {
			if sent {
				return "", nil, io.EOF
			}
			sent = true
			return "x-" + packageVersion + ".tgz", &b, nil
		},
	})
	return err
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// Documents are large: few are read at the same time, by whichever route.
func TestUpstreamDocumentsAreReadFewAtATime(t *testing.T) {
	e := newElsewhere(t)
	server := withUpstream(t, e)
	e.wait.Store(int64(50 * time.Millisecond))
	var all sync.WaitGroup
	for i := range 24 {
		path := fmt.Sprintf([]string{"/npm/lib%d", "/npm/lib%d/1.0.0", "/npm/-/package/lib%d/dist-tags"}[i%3], i)
		all.Go(func() {
			if status, text := fetch(t, server+path); status != http.StatusOK {
				t.Errorf("%s: %d %s", path, status, text)
			}
		})
	}
	all.Wait()
	if n := e.most.Load(); n != 3 {
		t.Errorf("%d documents were read at the same time, want 3", n)
	}
}

// What is not here comes from the upstream: once, with its tarballs at this
// server, and goes on while the upstream is down.
func TestUpstream(t *testing.T) {
	e := newElsewhere(t)
	server := withUpstream(t, e)
	for _, name := range []string{"left-pad", "@types%2Fnode", "JSONStream"} {
		status, text := fetch(t, server+"/npm/"+name)
		if status != http.StatusOK || !strings.Contains(text, server+"/npm/") || strings.Contains(text, e.URL) || strings.Contains(text, "signatures") || !strings.Contains(text, `"hasInstallScript":true`) {
			t.Fatalf("%s: %d %s", name, status, text)
		}
	}
	for path, want := range map[string]string{"/npm/left-pad/latest": `"version":"1.0.0"`, "/npm/left-pad/1.0.0": `"version":"1.0.0"`, "/npm/-/package/left-pad/dist-tags": `{"latest":"1.0.0"}`} {
		if status, text := fetch(t, server+path); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if status, text := fetch(t, server+"/npm/@types/node/-/node-1.0.0.tgz"); status != http.StatusOK || text != string(*e.content.Load()) {
				t.Errorf("tarball: %d %s", status, text)
			}
		})
	}
	all.Wait()
	if n := e.tarballs.Load(); n != 1 {
		t.Errorf("the upstream sent the tarball %d times", n)
	}
	e.down.Store(true)
	if status, _ := fetch(t, server+"/npm/left-pad"); status != http.StatusOK {
		t.Errorf("while the upstream is down: %d", status)
	}
	if status, text := fetch(t, server+"/npm/right-pad"); status != http.StatusServiceUnavailable {
		t.Errorf("unknown, while the upstream is down: %d %s", status, text)
	}
	if status, _ := fetch(t, server+"/npm/ours"); status != http.StatusOK {
		t.Errorf("ours, while the upstream is down: %d", status)
	}
	e.down.Store(false)
	if status, text := fetch(t, server+"/npm/missing"); status != http.StatusNotFound || !strings.Contains(text, "neither here nor in the upstream") {
		t.Errorf("missing: %d %s", status, text)
	}
}

// No name of ours, nor one that could be taken for one, is asked for elsewhere.
func TestUpstreamConfusion(t *testing.T) {
	e := newElsewhere(t)
	server := withUpstream(t, e)
	for _, path := range []string{
		"ours/9.9.9", "Ours", "OURS/1.0.0", "@own%2Ftwo", "@own/two", "@OWN%2Ftwo", "@own%2Fone/9.9.9", "ours/-/ours-9.9.9.tgz", "@own/two/-/two-1.0.0.tgz", "-/package/@own%2Ftwo/dist-tags",
		"..%2F..%2Fsecret", "@a%2F..%2Fb", "a%3Fb", "%2e%2e", "a%2Fb", "a%23b",
	} {
		if status, text := fetch(t, server+"/npm/"+path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	e.asked.Range(func(path, _ any) bool {
		t.Errorf("the upstream was asked for %s", path)
		return true
	})
	if status, text := fetch(t, server+"/npm/ours"); status != http.StatusOK || e.wasAsked("/up/ours") || !strings.Contains(text, "/api/v1/plugins/ours/") {
		t.Errorf("ours: %d %s", status, text)
	}
}

// Bytes that do not have the digest, and tarballs at another host, are refused
// before a byte of them goes out.
func TestUpstreamHostile(t *testing.T) {
	e := newElsewhere(t)
	server := withUpstream(t, e)
	bad := []byte("b tarball of the upstream")
	e.content.Store(&bad)
	if status, text := fetch(t, server+"/npm/left-pad/-/left-pad-1.0.0.tgz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "digest") {
		t.Errorf("other bytes: %d %s", status, text)
	}
	other := "http://127.0.0.1:1"
	e.at.Store(&other)
	if status, text := fetch(t, server+"/npm/right-pad/-/right-pad-1.0.0.tgz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "another host") {
		t.Errorf("another host: %d %s", status, text)
	}
	for _, address := range []string{"example.org", "ftp://example.org", "https://", "https://example.org/?a=b"} {
		if _, err := npm.NewUpstream(npm.Options{Upstream: address, Dir: t.TempDir()}, nil); err == nil {
			t.Errorf("the upstream %q is taken", address)
		}
	}
	if up, err := npm.NewUpstream(npm.Options{}, nil); up != nil || err != nil {
		t.Errorf("no upstream: %v, %v", up, err)
	}
}
