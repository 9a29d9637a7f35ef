package bleve

import (
	"slices"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/searchtest"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

// Raw is bleve's own match of any of the words, in all text fields, for the
// same number of hits with their documents, scored by bleve.
func BenchmarkSearch(b *testing.B) {
	searchtest.Bench(b, func(b *testing.B) (search.Index, func(string) error) {
		x, err := Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { x.Close() })
		return x, func(words string) error {
			var fields []query.Query
			for _, name := range search.TextFields() {
				m := bleve.NewMatchQuery(words)
				m.SetField(name)
				fields = append(fields, m)
			}
			req := bleve.NewSearchRequestOptions(bleve.NewDisjunctionQuery(fields...), 21, 0, false)
			req.Fields = []string{fieldDoc}
			_, err := x.gen.bleve.Search(req)
			return err
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for name, n := range map[string]int{"one": 1, "batch=500": 500} {
		b.Run(name, func(b *testing.B) {
			x, err := Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			docs := searchtest.Generate(n, 1)
			for i := uint64(1); b.Loop(); i++ {
				for j := range docs {
					docs[j].Position = i
				}
				if err := x.Put(b.Context(), search.Mark{Position: i}, docs...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}

// BenchmarkPublish is one document now and then, as plugins are published,
// into an index of 20,000. The pauses count in ns/op; ms/put is the median
// without them.
func BenchmarkPublish(b *testing.B) {
	x, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	docs := searchtest.Generate(20_000, 1)
	if err := x.Put(b.Context(), search.Mark{Position: 20_000}, docs...); err != nil {
		b.Fatal(err)
	}
	time.Sleep(3 * time.Second) // for the merges after that
	var took []time.Duration
	for i := uint64(20_001); b.Loop(); i++ {
		d := docs[i%20_000]
		d.Position = i
		start := time.Now()
		if err := x.Put(b.Context(), search.Mark{Position: i}, d); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/put")
}
