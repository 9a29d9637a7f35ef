package api_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/api"
	"appstore/api/client"
	"appstore/registry"
	"appstore/search"
	"appstore/search/bleve"
	"appstore/search/elastic"
	"appstore/storage"
	"appstore/storage/files"
	"appstore/storage/s3"
)

const testToken = "a-token-of-the-tests"

// place is a whole server over one pair of engines.
type place struct {
	store  storage.Store
	index  search.Index
	t      testing.TB
	url    string
	http   *http.Client // checks every answer against openapi.yaml
	client *client.Client
	reg    *registry.Registry
	token  atomic.Pointer[string]
	log    *lockedBuffer
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// everyPair runs a test over the embedded engines, and over real S3 and
// Elasticsearch where the environment names them.
func everyPair(t *testing.T, f func(t *testing.T, p *place)) {
	t.Run("files+bleve", func(t *testing.T) { f(t, embedded(t)) })
	t.Run("s3+elastic", func(t *testing.T) {
		store, index := real(t)
		f(t, serve(t, store, index, ""))
	})
}

// embedded is a server over the defaults.
func embedded(t testing.TB) *place {
	t.Helper()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return serve(t, store, openBleve(t), "")
}

// prefixed is an embedded server whose public URL has a path; its client uses
// that.
func prefixed(t testing.TB) *place {
	t.Helper()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := serve(t, store, openBleve(t), "SELF"+testPrefix+"/")
	p.client = client.New(p.url+testPrefix+"/", testToken)
	p.client.HTTP = p.http
	return p
}

func openBleve(t testing.TB) search.Index {
	t.Helper()
	index, err := bleve.Open(filepath.Join(t.TempDir(), "index"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { index.Close() })
	return index
}

// real opens the servers that the environment names, with a bucket prefix and
// an index of this test's own; or skips, saying what was not checked.
func real(t *testing.T) (storage.Store, search.Index) {
	t.Helper()
	const prefix = "APPSTORE_TEST_"
	for _, name := range []string{"S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "ELASTICSEARCH_TLS_URL", "ELASTICSEARCH_TLS_CA", "ELASTICSEARCH_TLS_API_KEY"} {
		if os.Getenv(prefix+name) == "" {
			message := prefix + name + " is not set: the API over S3 and Elasticsearch is NOT checked"
			if os.Getenv(prefix+"REQUIRE") == "1" {
				t.Fatal(message)
			}
			t.Skip(message)
		}
	}
	own := "test-" + strings.ToLower(rand.Text())
	store, err := s3.Open(t.Context(), s3.Options{
		Endpoint: os.Getenv(prefix + "S3_ENDPOINT"), AccessKey: os.Getenv(prefix + "S3_ACCESS_KEY"), SecretKey: os.Getenv(prefix + "S3_SECRET_KEY"),
		Bucket: "appstore-test", Prefix: own,
	})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(os.Getenv(prefix + "ELASTICSEARCH_TLS_CA"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := elastic.Open(t.Context(), elastic.Options{
		URLs: []string{os.Getenv(prefix + "ELASTICSEARCH_TLS_URL")}, APIKey: os.Getenv(prefix + "ELASTICSEARCH_TLS_API_KEY"), CA: ca, Prefix: own,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { index.Close() })
	return store, index
}

// serve starts a server; public is its PublicURL, "SELF" its own address with
// a prefix.
func serve(t testing.TB, store storage.Store, index search.Index, public string) *place {
	t.Helper()
	log := &lockedBuffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	reg, err := registry.Open(context.Background(), registry.Options{Store: store, Index: index, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	p := &place{t: t, store: store, index: index, reg: reg, log: log}
	first := testToken
	p.token.Store(&first)
	srv := httptest.NewUnstartedServer(nil)
	base := "http://" + srv.Listener.Addr().String()
	handler, err := api.New(api.Options{
		Registry: reg, Index: index, Token: func() (string, error) { return *p.token.Load(), nil },
		PublicURL: strings.Replace(public, "SELF", base, 1), Version: "1.2.3", Log: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config = api.NewServer(handler, nil)
	srv.Start()
	t.Cleanup(srv.Close)
	p.url = base
	p.http = &http.Client{
		Transport:     &checking{t: t, spec: spec(t)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.client = client.New(base, testToken)
	p.client.HTTP = p.http
	return p
}

// request is one request by hand.
type request struct {
	method, path, body string
	header             map[string]string
	noToken            bool
}

type response struct {
	*http.Response
	text string
}

func (p *place) do(q request) response {
	p.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), q.method, p.url+q.path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	if !q.noToken {
		req.Header.Set("Authorization", "Bearer "+testToken)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	res, err := p.http.Do(req)
	if err != nil {
		p.t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	return response{res, string(text)}
}

func (p *place) get(path string, header ...string) response {
	p.t.Helper()
	q := request{path: path, header: map[string]string{}}
	for i := 0; i < len(header); i += 2 {
		q.header[header[i]] = header[i+1]
	}
	return p.do(q)
}

// publish publishes or fails the test.
func (p *place) publish(descriptor string, files ...client.FileSource) *client.Published {
	p.t.Helper()
	out, err := p.client.Publish(p.t.Context(), nameOf(descriptor), []byte(descriptor), files, nil)
	if err != nil {
		p.t.Fatalf("publish: %v", err)
	}
	return out
}

func nameOf(descriptor string) string {
	_, rest, _ := strings.Cut(descriptor, "name: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

// wantError fails unless err is the problem with that code.
func wantError(t testing.TB, err error, code string) *client.Error {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("got the error %v, want the code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got the code %s (%s), want %s", e.Code, e.Detail, code)
	}
	return e
}

// patience is how long a test waits for what takes a moment: as long as it may
// take on a machine that is busy with other tests.
const patience = time.Minute

// follows waits until p's registry has read what other's has.
func (p *place) follows(other *place) {
	p.t.Helper()
	eventually(p.t, "the other replica has read the journal", func() bool { return p.reg.Position() >= other.reg.Position() })
}

// eventually waits for what becomes true a little later.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

func plain(name, version, summary string) string {
	return fmt.Sprintf("name: %s\nversion: %s\nsummary: %s\ncategories: [containers]\ntags: [one, two]\nmaintainer: Jane Roe <jane@example.org>\n", name, version, summary)
}

// bundle is a descriptor that brings a wheel and an npm tarball.
func bundle(name, version string) string {
	return plain(name, version, "Brings its code") + fmt.Sprintf(`description: |
  # %[1]s

  A **description** with a [link](https://example.org) and <script>alert(1)</script>.
backend: %[1]s-back
backend_component: %[1]s_back.Plugin
front_end: "@example/%[1]s"
frontend_component: Form
`, strings.ToLower(name))
}

func bundleFiles(t testing.TB, name, version string) []client.FileSource {
	name = strings.ToLower(name)
	return []client.FileSource{wheel(t, name+"-back", version, ""), tarball(t, "@example/"+name, version)}
}

func source(name string, content []byte) client.FileSource {
	return client.FileSource{Name: name, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

func wheel(t testing.TB, name, version, salt string) client.FileSource {
	t.Helper()
	return wheelFor(t, name, version, "py3-none-any", salt)
}

// wheelFor makes a wheel of one platform, with a true RECORD.
func wheelFor(t testing.TB, name, version, tag, salt string) client.FileSource {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	under := strings.ReplaceAll(name, "-", "_")
	info := under + "-" + version + ".dist-info/"
	record := info + "RECORD,,\n"
	add := func(path, text string) {
		w, err := z.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	add(under+".py", "class Plugin:\n    salt = '"+salt+"'\n")
	add(info+"METADATA", "Metadata-Version: 2.1\nName: "+name+"\nVersion: "+version+"\nRequires-Python: >=3.8\n\nText.\n")
	add(info+"WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: "+tag+"\n")
	add(info+"RECORD", record)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return source(fmt.Sprintf("%s-%s-%s.whl", under, version, tag), b.Bytes())
}

// tarball is an npm package.
func tarball(t testing.TB, name, version string) client.FileSource {
	t.Helper()
	file := strings.TrimPrefix(strings.ReplaceAll(name, "/", "-"), "@") + "-" + version + ".tgz"
	return tarred(t, file, "package/package.json", fmt.Sprintf(`{"name":%q,"version":%q}`, name, version))
}

// sdist is the source of a Python package.
func sdist(t testing.TB, name, version string) client.FileSource {
	t.Helper()
	under := strings.ReplaceAll(name, "-", "_") + "-" + version
	return tarred(t, under+".tar.gz", under+"/PKG-INFO", "Metadata-Version: 2.2\nName: "+name+"\nVersion: "+version+"\n\nText.\n")
}

func tarred(t testing.TB, file, path, text string) client.FileSource {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return source(file, b.Bytes())
}
