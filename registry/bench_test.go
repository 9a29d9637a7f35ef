package registry

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"appstore/search/bleve"
	"appstore/storage/files"
)

func benchReplica(b *testing.B) *Registry {
	b.Helper()
	dir := b.TempDir()
	store, err := files.Open(filepath.Join(dir, "store"))
	if err != nil {
		b.Fatal(err)
	}
	index, err := bleve.Open(filepath.Join(dir, "index"))
	if err != nil {
		b.Fatal(err)
	}
	r, err := Open(b.Context(), Options{Store: store, Index: index, Dir: filepath.Join(dir, "a"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close(); index.Close(); store.Close() })
	return r
}

// byClients measures publishes, durable and searchable, by one client and by
// eight; ns/op is the time between acknowledgements. prepare gives the publish of
// a number below b.N.
func byClients(b *testing.B, prepare func(b *testing.B, r *Registry) func(i int64) error) {
	for _, clients := range []int{1, 8} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			publish := prepare(b, benchReplica(b))
			var next atomic.Int64
			var g sync.WaitGroup
			b.ResetTimer()
			for range clients {
				g.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if err := publish(i); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			g.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
		})
	}
}

// BenchmarkPublish: whole publishes of a descriptor.
func BenchmarkPublish(b *testing.B) {
	byClients(b, func(b *testing.B, r *Registry) func(int64) error {
		return func(i int64) error {
			_, err := r.Publish(b.Context(), upload(plain(fmt.Sprintf("plugin-%d", i/50), fmt.Sprintf("1.0.%d", i), "A cluster")))
			return err
		}
	})
}

// BenchmarkResolve among 20 plugins with 50 releases each.
func BenchmarkResolve(b *testing.B) {
	r := benchReplica(b)
	var g sync.WaitGroup
	for p := range 20 {
		g.Go(func() {
			for v := range 50 {
				if _, err := r.Publish(b.Context(), upload(plain(fmt.Sprintf("plugin-%d", p), fmt.Sprintf("1.%d.0", v), "A cluster"))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	g.Wait()
	for _, ref := range []string{"1.25.0", "latest", "^1.2 <1.40"} {
		b.Run(ref, func(b *testing.B) {
			for i := range b.N {
				if _, err := r.Resolve(b.Context(), fmt.Sprintf("plugin-%d", i%20), ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUploadFile: what npm publish and twine upload do, each a plugin of one
// package that carries its descriptor.
func BenchmarkUploadFile(b *testing.B) {
	byClients(b, func(b *testing.B, r *Registry) func(int64) error {
		files := make([]upFile, b.N)
		for i := range files {
			name := fmt.Sprintf("plugin-%d", i)
			files[i] = npmOf(b, name+"-1.0.0.tgz", `{"name":"`+name+`","version":"1.0.0"}`, "name: "+name+"\nversion: 1.0.0\nfront_end: "+name+"\nfrontend_component: Form\n")
		}
		return func(i int64) error {
			got, err := r.UploadFile(b.Context(), files[i].name, bytes.NewReader(files[i].content), "bench")
			if err == nil && got.Published == nil {
				err = fmt.Errorf("%s was not published", files[i].name)
			}
			return err
		}
	})
}
