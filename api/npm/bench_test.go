package npm_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"appstore/api"
	"appstore/api/npm"
	"appstore/registry"
	"appstore/search/bleve"
	"appstore/storage/files"
)

// nowhere is a connection that takes an answer without keeping it.
type nowhere struct {
	header        http.Header
	status, bytes int
}

func (n *nowhere) Header() http.Header    { return n.header }
func (n *nowhere) WriteHeader(status int) { n.status = status }
func (n *nowhere) Write(p []byte) (int, error) {
	n.bytes += len(p)
	return len(p), nil
}

// BenchmarkPackument measures a package of 1,000 versions: cold, when nothing
// of it is in memory, and hot.
func BenchmarkPackument(b *testing.B) {
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
	const versions, writers = 1000, 32
	errs := make(chan error)
	for w := range writers {
		go func() {
			var err error
			for i := w; i < versions && err == nil; i += writers {
				version := fmt.Sprintf("1.%d.0", i)
				err = publish(b, reg, "Long", version, "@s/long", version)
			}
			errs <- err
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
	h, err := api.New(api.Options{Registry: reg, Index: index})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			p, err := npm.Read(b.Context(), reg, "http://example.org", "@s/long")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Abbreviated(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, accept := range []string{npm.Abbreviated, "application/json"} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(accept+"/"+encoding, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest(http.MethodGet, "/npm/@s%2Flong", nil)
					r.Header.Set("Accept", accept)
					r.Header.Set("Accept-Encoding", encoding)
					w := &nowhere{header: http.Header{}}
					h.ServeHTTP(w, r)
					if w.status != http.StatusOK || w.bytes < 10_000 {
						b.Fatal(w.status, w.bytes)
					}
				}
			})
		}
	}
}
