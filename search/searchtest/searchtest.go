package searchtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"appstore/search"
)

// Opener makes a new, empty index for one test, and lets the test close and
// remove it at its end.
type Opener func(t *testing.T) search.Index

// Run tests that what open makes is a search.Index: each sentence of the
// contract, the query files, and random queries against the reference.
func Run(t *testing.T, open Opener) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Opener)
	}{
		{"Put", testPut},
		{"Positions", testPositions},
		{"Downloads", testDownloads},
		{"Mark", testMark},
		{"Hidden", testHidden},
		{"SoonVisible", testSoonVisible},
		{"DocsAsPut", testDocsAsPut},
		{"Rebuild", testRebuild},
		{"RebuildFails", testRebuildFails},
		{"SearchWhileRebuilding", testSearchWhileRebuilding},
		{"ManyAtOnce", testManyAtOnce},
		{"Paging", testPaging},
		{"Cursors", testCursors},
		{"Limits", testLimits},
		{"Filters", testFilters},
		{"FacetOrder", testFacetOrder},
		{"Highlights", testHighlights},
		{"Explain", testExplain},
		{"Hostile", testHostile},
		{"Signals", testSignals},
		{"Queries", testQueries},
		{"Random", testRandom},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// Now is the time of all queries of the suite.
var Now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

//go:embed catalogue.json
var catalogueJSON []byte

// Catalogue is the made catalogue: 45 plugins of research clouds, one hidden.
func Catalogue() []search.Doc {
	var docs []search.Doc
	if err := json.Unmarshal(catalogueJSON, &docs); err != nil {
		panic(err) // embedded
	}
	return docs
}

// mark is a Mark with a digest that belongs to it.
func mark(position uint64) search.Mark {
	return search.Mark{Position: position, Digest: fmt.Sprintf("%064x", position)}
}

// fill puts docs and waits until searches see them.
func fill(t *testing.T, x search.Index, docs []search.Doc) {
	t.Helper()
	put(t, x, mark(uint64(len(docs))), docs...)
	visible := 0
	for _, d := range docs {
		if !d.Hidden {
			visible++
		}
	}
	eventually(t, func() error {
		if n := find(t, x, search.Query{}).Total; n != visible {
			return fmt.Errorf("%d documents are found, want %d", n, visible)
		}
		return nil
	})
}

func put(t *testing.T, x search.Index, upTo search.Mark, docs ...search.Doc) {
	t.Helper()
	if err := x.Put(t.Context(), upTo, docs...); err != nil {
		t.Fatalf("Put up to %d: %v", upTo.Position, err)
	}
}

func find(t *testing.T, x search.Index, q search.Query) *search.Result {
	t.Helper()
	if q.Now.IsZero() {
		q.Now = Now
	}
	r, err := x.Search(t.Context(), q)
	if err != nil {
		t.Fatalf("Search %+v: %v", q, err)
	}
	return r
}

func parse(t *testing.T, text string) search.Query {
	t.Helper()
	q, err := search.Parse(text)
	if err != nil {
		t.Fatalf("Parse %q: %v", text, err)
	}
	return q
}

func state(t *testing.T, x search.Index) search.State {
	t.Helper()
	s, err := x.State(t.Context())
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	return s
}

// eventually waits for what takes up to a second by the contract, and longer
// on a busy machine.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// names of the hits, in order.
func names(r *search.Result) []string {
	out := []string{}
	for _, h := range r.Hits {
		out = append(out, h.Doc.Name)
	}
	return out
}

// wantNames checks that a query finds these, in any order.
func wantNames(t *testing.T, x search.Index, text string, want ...string) {
	t.Helper()
	eventually(t, func() error {
		got := names(find(t, x, parse(t, text)))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%q finds %v, want %v", text, got, want)
		}
		return nil
	})
}

// all reads all pages of a query.
func all(t *testing.T, x search.Index, q search.Query) []search.Hit {
	t.Helper()
	var hits []search.Hit
	for {
		r := find(t, x, q)
		hits = append(hits, r.Hits...)
		if r.Next == "" {
			return hits
		}
		if len(r.Hits) == 0 {
			t.Fatal("an empty page says that there is a next one")
		}
		q.After = r.Next
	}
}

// each yields docs, for Rebuild.
func each(docs []search.Doc) func(func(search.Doc, error) bool) {
	return func(yield func(search.Doc, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// background is for what goes on while the test does something else.
func background(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}
