package bleve_test

import (
	"fmt"
	"reflect"
	"testing"

	"appstore/search"
	"appstore/search/bleve"
	"appstore/search/searchtest"
)

// An index answers alike, whether its documents came at once, or one by one
// and some several times: then they are in several segments, with deletions.
func TestSegments(t *testing.T) {
	docs := searchtest.Generate(300, 3)
	at := search.Mark{Position: 300, Digest: "300"}
	whole := open(t, t.TempDir())
	if err := whole.Put(t.Context(), at, docs...); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pieces := open(t, dir)
	put := func(docs ...search.Doc) {
		t.Helper()
		if err := pieces.Put(t.Context(), at, docs...); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(docs); i += 60 {
		old := append([]search.Doc(nil), docs[i:i+60]...)
		for j := range old {
			old[j].Position, old[j].Hidden, old[j].Tags, old[j].Summary = 0, j%2 == 0, []string{"old"}, "old galaxy"
		}
		put(old...)
	}
	for i := 0; i < len(docs); i += 4 {
		put(docs[i : i+4]...)
	}
	same := func(pieces *bleve.Index) {
		t.Helper()
		texts := append([]string{"", "gal", "old", `"machine results"`, "-galaxy tag:gpu", "kubernets -tag:gpu"}, searchtest.BenchQueries...)
		for _, text := range texts {
			for _, sort := range search.Sorts {
				q, err := search.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				q.Sort, q.Now, q.Limit = sort, searchtest.Now, 7
				for page := range 3 {
					want, err1 := whole.Search(t.Context(), q)
					got, err2 := pieces.Search(t.Context(), q)
					if err1 != nil || err2 != nil {
						t.Fatal(err1, err2)
					}
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("%q by %s, page %d: %s\nwant %s", text, sort, page+1, brief(got), brief(want))
					}
					if q.After = want.Next; q.After == "" {
						break
					}
				}
			}
		}
	}
	same(pieces)
	if err := pieces.Close(); err != nil {
		t.Fatal(err)
	}
	same(open(t, dir))
}

func brief(r *search.Result) string {
	s := fmt.Sprintf("total %d, facets %v:", r.Total, r.Facets)
	for _, h := range r.Hits {
		s += fmt.Sprintf("\n%s %g", h.Doc.Name, h.Score)
	}
	return s
}
