package searchtest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"appstore/search"
)

// reference finds what a query should find, by asking the plan about every
// document.
func reference(t *testing.T, docs []search.Doc, q search.Query) []search.Found {
	t.Helper()
	q.Now, q.After = Now, ""
	p, err := search.Compile(q)
	if err != nil {
		t.Fatal(err)
	}
	var found []search.Found
	for _, d := range docs {
		if score, ok := p.Evaluate(d); ok {
			found = append(found, search.Found{Doc: d, Score: score})
		}
	}
	slices.SortFunc(found, func(a, b search.Found) int {
		key := 0
		switch p.Sort {
		case search.ByRelevance:
			key = cmp.Compare(b.Score, a.Score)
		case search.ByUpdated:
			key = b.Doc.Updated.Compare(a.Doc.Updated)
		case search.ByDownloads:
			key = cmp.Compare(b.Doc.Downloads, a.Doc.Downloads)
		}
		return cmp.Or(key, strings.Compare(a.Doc.Name, b.Doc.Name))
	})
	return found
}

// agree checks that an index answers as the reference does: hits, order,
// scores, total and facets.
func agree(t *testing.T, x search.Index, docs []search.Doc, q search.Query) *search.Result {
	t.Helper()
	want := reference(t, docs, q)
	got := find(t, x, q)
	limit := cmp.Or(q.Limit, 20)
	list := func(n int, hit func(int) (string, float64)) string {
		var b strings.Builder
		for i := range n {
			name, score := hit(i)
			fmt.Fprintf(&b, "%s %g\n", name, score)
		}
		return b.String()
	}
	g := list(len(got.Hits), func(i int) (string, float64) { return got.Hits[i].Doc.Name, got.Hits[i].Score })
	w := list(min(limit, len(want)), func(i int) (string, float64) { return want[i].Doc.Name, want[i].Score })
	if g != w {
		t.Errorf("%+v finds\n%s\nwant\n%s", q, g, w)
	}
	if got.Total != len(want) {
		t.Errorf("%+v: total %d, want %d", q, got.Total, len(want))
	}
	if facets := count(want); !reflect.DeepEqual(got.Facets, facets) {
		t.Errorf("%+v: facets\n%v\nwant\n%v", q, got.Facets, facets)
	}
	return got
}

// count the facets of what was found.
func count(found []search.Found) map[string][]search.Count {
	all := map[string]map[string]int{}
	for _, f := range found {
		for field, values := range search.Prepare(f.Doc).Facets {
			for _, v := range values {
				if all[field] == nil {
					all[field] = map[string]int{}
				}
				all[field][v]++
			}
		}
	}
	out := map[string][]search.Count{}
	for _, field := range search.Facets {
		counts := []search.Count{}
		for v, n := range all[field] {
			counts = append(counts, search.Count{Value: v, Count: n})
		}
		slices.SortFunc(counts, func(a, b search.Count) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		out[field] = counts[:min(len(counts), search.FacetValues)]
	}
	return out
}

// testRandom asks 200 random questions, with typos, phrases, filters and
// minus, and holds the answers against the reference.
func testRandom(t *testing.T, open Opener) {
	x := open(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	docs := append(Catalogue(), Generate(150, 7)...)
	fill(t, x, docs)
	for range 200 {
		q := randomQuery(rnd, docs)
		agree(t, x, docs, q)
		if t.Failed() {
			t.FailNow()
		}
	}
}

func randomQuery(rnd *rand.Rand, docs []search.Doc) search.Query {
	var q search.Query
	pick := func() []string {
		d := docs[rnd.IntN(len(docs))]
		texts := []string{d.Spelling, d.Title, d.Summary, d.Description, d.Maintainer, strings.Join(d.Tags, " ")}
		return strings.Fields(texts[rnd.IntN(len(texts))])
	}
	for range rnd.IntN(4) {
		words := pick()
		if len(words) == 0 {
			continue
		}
		i := rnd.IntN(len(words))
		term := search.Term{Text: words[i], Not: rnd.IntN(8) == 0}
		switch rnd.IntN(5) {
		case 0:
			term.Text, term.Phrase = strings.Join(words[i:min(len(words), i+1+rnd.IntN(3))], " "), true
		case 1:
			term.Text = misspell(rnd, term.Text)
		case 2:
			runes := []rune(term.Text)
			term.Text = string(runes[:1+rnd.IntN(len(runes))])
		}
		q.Terms = append(q.Terms, term)
	}
	if rnd.IntN(3) == 0 {
		d := docs[rnd.IntN(len(docs))]
		f := search.Filter{Field: "tag", Values: d.Tags, Not: rnd.IntN(3) == 0}
		if rnd.IntN(2) == 0 {
			f = search.Filter{Field: "category", Values: d.Categories, Not: f.Not}
		}
		q.Filters = append(q.Filters, f)
	}
	q.Sort = append(search.Sorts, "")[rnd.IntN(1+len(search.Sorts))]
	if rnd.IntN(8) == 0 {
		words := pick()
		q.Complete = strings.Join(words[:min(len(words), 12)], " ")
		q.Complete = q.Complete[:rnd.IntN(len(q.Complete)+1)]
		q.Complete = strings.ToValidUTF8(q.Complete, "")
	}
	q.Limit = 1 + rnd.IntN(search.MaxLimit)
	return q
}

// misspell makes one or two edits.
func misspell(rnd *rand.Rand, s string) string {
	r := []rune(s)
	for range 1 + rnd.IntN(2) {
		if len(r) < 2 {
			break
		}
		i := rnd.IntN(len(r) - 1)
		switch rnd.IntN(4) {
		case 0:
			r = slices.Delete(r, i, i+1)
		case 1:
			r = slices.Insert(r, i, 'e')
		case 2:
			r[i] = 'a'
		case 3:
			r[i], r[i+1] = r[i+1], r[i]
		}
	}
	return string(r)
}
