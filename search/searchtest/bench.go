package searchtest

import (
	"fmt"
	"testing"

	"appstore/search"
)

// BenchQueries are what Bench asks in turn: words of names, of texts, with a
// typo, with a filter.
var BenchQueries = []string{"galaxy", "jupyter notebook", "kubernets cluster", "genome pipeline tag:gpu", "rna seq", `"machine results"`}

// Sizes are the numbers of documents that Bench measures with.
var Sizes = []int{1_000, 20_000}

// Bench measures searches through open's index, and through raw, which asks
// the engine itself for a plain match of the words over the same documents.
// The ratio of the two is what our ranking, facets and highlights cost.
func Bench(b *testing.B, open func(b *testing.B) (x search.Index, raw func(words string) error)) {
	for _, n := range Sizes {
		b.Run(fmt.Sprintf("docs=%d", n), func(b *testing.B) {
			x, raw := open(b)
			docs := Generate(n, 1)
			if err := x.Rebuild(b.Context(), mark(uint64(n)), each(docs)); err != nil {
				b.Fatal(err)
			}
			var queries []search.Query
			for _, text := range BenchQueries {
				q, err := search.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				r, err := x.Search(b.Context(), q) // also warms up
				if err != nil || r.Total == 0 {
					b.Fatalf("%q finds nothing: %v", text, err)
				}
				queries = append(queries, q)
			}
			ask := func(name string, q search.Query) {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if _, err := x.Search(b.Context(), q); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			for i, q := range queries {
				ask(fmt.Sprintf("q%d", i+1), q)
			}
			ask("complete", search.Query{Complete: "gal"})
			ask("everything", search.Query{})
			b.Run("mix", func(b *testing.B) {
				i := 0
				for b.Loop() {
					if _, err := x.Search(b.Context(), queries[i%len(queries)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
			b.Run("raw", func(b *testing.B) {
				i := 0
				for b.Loop() {
					if err := raw(rawText[i%len(rawText)]); err != nil {
						b.Fatal(err)
					}
					i++
				}
			})
		})
	}
}

// rawText is BenchQueries as an engine without a query language is asked, in
// the stems that the index holds.
var rawText = []string{"galaxi", "jupyt notebook", "kubernet cluster", "genom pipelin", "rna seq", "machin result"}
