package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"appstore/api"
	"appstore/registry"
	"appstore/search/bleve"
	"appstore/storage/files"
)

// shelf is a handler over 1,000 plugins with one release each, and one with
// 20 releases and files.
func shelf(b *testing.B) http.Handler {
	b.Helper()
	store, err := files.Open(filepath.Join(b.TempDir(), "store"))
	if err != nil {
		b.Fatal(err)
	}
	index, err := bleve.Open(filepath.Join(b.TempDir(), "index"))
	if err != nil {
		b.Fatal(err)
	}
	reg, err := registry.Open(b.Context(), registry.Options{Store: store, Index: index, Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { reg.Close(); index.Close(); store.Close() })
	h, err := api.New(api.Options{
		Registry: reg, Index: index, Token: func() (string, error) { return testToken, nil },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	words := strings.Fields("kubernetes cluster galaxy workflow storage genome notebook backup viewer pipeline")
	queue := make(chan string)
	done := make(chan error)
	for range 64 { // at once, so that the journal groups them
		go func() {
			var failed error
			for text := range queue {
				_, err := reg.Publish(b.Context(), registry.Upload{Descriptor: []byte(text), By: by})
				if err != nil {
					failed = err
				}
			}
			done <- failed
		}()
	}
	for i := range 1000 {
		queue <- plain(fmt.Sprintf("bench-%s-%d", words[i%10], i), "1.0.0", fmt.Sprintf("A %s for the %s", words[i/10%10], words[i/100]))
	}
	close(queue)
	for range 64 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	for i := range 20 {
		version := fmt.Sprintf("1.%d.0", i)
		all := bundleFiles(b, "Shelf", version)
		u := registry.Upload{Descriptor: []byte(bundle("Shelf", version)), By: by}
		u.Next = func() (string, io.Reader, error) {
			if len(all) == 0 {
				return "", nil, io.EOF
			}
			f := all[0]
			all = all[1:]
			content, err := f.Open()
			return f.Name, content, err
		}
		if _, err := reg.Publish(b.Context(), u); err != nil {
			b.Fatal(err)
		}
	}
	return h
}

const by = "bench"

// BenchmarkHandlers measures what a request costs in the server, without the
// connection.
func BenchmarkHandlers(b *testing.B) {
	h := shelf(b)
	for _, c := range []struct{ name, method, path, body string }{
		{"healthz", "GET", "/healthz", ""},
		{"search", "GET", "/api/v1/plugins?q=kubernetes+cluster&category=containers", ""},
		{"suggest", "GET", "/api/v1/suggest?q=kub", ""},
		{"plugin", "GET", "/api/v1/plugins/shelf", ""},
		{"release", "GET", "/api/v1/plugins/shelf/releases/1.10.0", ""},
		{"range", "GET", "/api/v1/plugins/shelf/releases/%5E1.2", ""},
		{"descriptor", "GET", "/api/v1/plugins/shelf/releases/1.10.0/descriptor", ""},
		{"file", "GET", "/api/v1/plugins/shelf/releases/1.10.0/files/backend", ""},
		{"resolve10", "POST", "/api/v1/resolve", `{"refs":[` + strings.TrimSuffix(strings.Repeat(`{"name":"shelf","ref":"^1.2"},`, 10), ",") + `]}`},
		{"validate", "POST", "/api/v1/validate", plain("X", "1.0.0", "Text")},
		{"home", "GET", "/?q=kubernetes", ""},
		{"page", "GET", "/plugins/shelf", ""},
	} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(c.name+"/"+encoding, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
					r.Header.Set("Accept-Encoding", encoding)
					r.Header.Set("Content-Type", map[string]string{"/api/v1/resolve": "application/json"}[c.path])
					if c.name == "validate" {
						r.Header.Set("Content-Type", "application/yaml")
					}
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatalf("%d %s", w.Code, w.Body)
					}
				}
			})
		}
	}
}

// readerFrom is a connection that takes a file whole, as that of net/http.
type readerFrom struct {
	*httptest.ResponseRecorder
	took io.Reader
}

func (r *readerFrom) ReadFrom(from io.Reader) (int64, error) {
	r.took = from
	return io.Copy(r.ResponseRecorder, from)
}

// A whole file of the embedded storage reaches the connection as something
// with a file descriptor, which net/http sends by sendfile.
func TestFilesAreNotCopied(t *testing.T) {
	p := embedded(t)
	published := p.publish(bundle("Whole", "1.0.0"), bundleFiles(t, "Whole", "1.0.0")...)
	h, err := api.New(api.Options{Registry: p.reg, Index: openBleve(t)})
	if err != nil {
		t.Fatal(err)
	}
	w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(published.Files[0].URL, p.url), nil))
	if _, ok := w.took.(syscall.Conn); !ok {
		t.Errorf("the connection was given a %T", w.took)
	}
}
