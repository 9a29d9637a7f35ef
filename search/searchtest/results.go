package searchtest

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"appstore/search"
)

// Hits carry Doc as it was put.
func testDocsAsPut(t *testing.T, open Opener) {
	x := open(t)
	d := search.Doc{
		Position: 1 << 40, Name: "odd", Spelling: "O_d.D", Title: "A <b>title</b> & \"more\"",
		Summary: "Zeile\nmit Umbruch, 京都, 🚀", Description: "# Markdown\n\n" + strings.Repeat("long text ", 3000),
		Maintainer: "Zoë <zoe@example.org>", Version: "1.2.3-rc.1", Label: "1.2 (Odd 17.09)", Icon: "https://example.org/i.png?a=1&b=2",
		Categories: []string{"A b", "C"}, Tags: []string{"x-y"}, Interfaces: []string{"launch"}, Trust: "Reviewed", Status: "DEV",
		Downloads: math.MaxUint64 >> 1, Updated: time.Date(1969, 7, 20, 20, 17, 40, 123456789, time.UTC),
	}
	put(t, x, mark(1), d)
	wantNames(t, x, "", "odd")
	if got := find(t, x, search.Query{}).Hits[0].Doc; !reflect.DeepEqual(got, d) {
		t.Errorf("put %+v\nbut got %+v", d, got)
	}
}

// Paging goes through all hits once, in the order of one large page, also
// where scores and keys are equal and while documents are added.
func testPaging(t *testing.T, open Opener) {
	x := open(t)
	var docs []search.Doc
	const n = 250
	for i := range n {
		d := doc(fmt.Sprintf("plugin-%03d", (i*7919)%n), uint64(i+1))
		d.Summary = strings.Repeat("common ", 1+i%2)
		d.Updated = Now.AddDate(0, 0, -(i % 3))
		d.Downloads = uint64(i%4) * 100
		docs = append(docs, d)
	}
	fill(t, x, docs)
	for _, sort := range append(search.Sorts, "") {
		for _, text := range []string{"", "common", "plugin -tag:none"} {
			q := parse(t, text)
			q.Sort = sort
			want := reference(t, docs, q)
			for _, q.Limit = range []int{1, 7, 100} {
				if q.Limit == 1 && sort != search.ByUpdated && sort != search.ByDownloads {
					continue
				}
				got := all(t, x, q)
				if !slices.EqualFunc(got, want, func(h search.Hit, w search.Found) bool { return h.Doc.Name == w.Doc.Name && h.Score == w.Score }) {
					t.Errorf("%q sorted by %q in pages of %d: %d hits, not the %d expected in their order", text, sort, q.Limit, len(got), len(want))
				}
			}
		}
	}
	// Scores depend on the time, which is that of the first page.
	first, err := x.Search(t.Context(), search.Query{Limit: 100, Now: Now})
	if err != nil {
		t.Fatal(err)
	}
	if first.Total != n || len(first.Facets["status"]) == 0 {
		t.Errorf("page 1: total %d, facets %v", first.Total, first.Facets)
	}
	second, err := x.Search(t.Context(), search.Query{Limit: 100, Now: Now.AddDate(20, 0, 0), After: first.Next})
	if err != nil {
		t.Fatal(err)
	}
	if second.Total != n || second.Facets["status"][0].Count != n {
		t.Errorf("page 2: total %d, facets %v, want those of all hits", second.Total, second.Facets)
	}
	if a, b := first.Hits[99], second.Hits[0]; b.Score > a.Score || b.Score == a.Score && b.Doc.Name <= a.Doc.Name {
		t.Errorf("page 2 begins with %s (%g) after %s (%g)", b.Doc.Name, b.Score, a.Doc.Name, a.Score)
	}
}

// It returns ErrCursor for a foreign cursor.
func testCursors(t *testing.T, open Opener) {
	x := open(t)
	fill(t, x, []search.Doc{doc("a-one", 1), doc("a-two", 1), doc("a-three", 1)})
	next := find(t, x, search.Query{Limit: 1}).Next
	if next == "" {
		t.Fatal("no cursor")
	}
	for name, q := range map[string]search.Query{
		"other terms":   parse(t, "one"),
		"other filters": parse(t, "tag:x"),
		"other sort":    {Sort: search.ByName},
		"a completion":  {Complete: "a"},
	} {
		q.After = next
		if _, err := x.Search(t.Context(), q); !errors.Is(err, search.ErrCursor) {
			t.Errorf("a cursor with %s: error %v, want ErrCursor", name, err)
		}
	}
	for _, c := range []string{"x", "%", "{}", "bnVsbA", "e30", next[1:], next[:len(next)-2], next + "A", strings.Repeat("A", 5000)} {
		if _, err := x.Search(t.Context(), search.Query{After: c}); !errors.Is(err, search.ErrCursor) {
			t.Errorf("cursor %.20q: error %v, want ErrCursor", c, err)
		}
	}
	r := find(t, x, search.Query{Limit: 2, Explain: true, After: next})
	if len(r.Hits) != 2 || r.Next != "" {
		t.Errorf("a cursor with another limit: %v, next %q", names(r), r.Next)
	}
}

func testLimits(t *testing.T, open Opener) {
	x := open(t)
	var docs []search.Doc
	for i := range 120 {
		docs = append(docs, doc(fmt.Sprintf("plugin-%03d", i), 1))
	}
	fill(t, x, docs)
	for limit, want := range map[int]int{0: 20, 1: 1, 100: 100} {
		if r := find(t, x, search.Query{Limit: limit}); len(r.Hits) != want || r.Total != 120 || r.Next == "" {
			t.Errorf("limit %d: %d hits of %d, next %q; want %d", limit, len(r.Hits), r.Total, r.Next, want)
		}
	}
	for _, q := range []search.Query{
		{Limit: -1},
		{Limit: search.MaxLimit + 1},
		{Sort: "size"},
		{Filters: []search.Filter{{Field: "name", Values: []string{"x"}}}},
		{Terms: make([]search.Term, 100)},
		{Complete: strings.Repeat("a ", search.MaxTerms+1)},
		{Complete: strings.Repeat("a", search.MaxText+1)},
	} {
		if _, err := x.Search(t.Context(), q); !errors.Is(err, search.ErrQuery) {
			t.Errorf("%+v: error %v, want ErrQuery", q, err)
		}
	}
	for _, text := range []string{`"`, "-", " ", "***"} {
		if r := find(t, x, search.Query{Complete: text}); r.Total != 0 || len(r.Hits) != 0 {
			t.Errorf("the completions of %q, which has no word, are %d hits", text, r.Total)
		}
	}
	ctx, cancel := background(t)
	cancel()
	if _, err := x.Search(ctx, search.Query{}); err == nil {
		t.Error("a cancelled search succeeds")
	}
}

// Filters are AND, the values within one are OR, facets are counted under all
// of them.
func testFilters(t *testing.T, open Opener) {
	x := open(t)
	docs := Catalogue()
	fill(t, x, docs)
	filter := func(not bool, field string, values ...string) search.Filter {
		return search.Filter{Field: field, Values: values, Not: not}
	}
	for _, filters := range [][]search.Filter{
		{filter(false, "tag", "gpu")},
		{filter(false, "tag", "gpu", "VM"), filter(false, "trust", "reviewed")},
		{filter(false, "tag", "gpu"), filter(false, "tag", "jupyter")},
		{filter(true, "tag", "gpu", "vm"), filter(false, "category", "hpc", "base")},
		{filter(false, "maintainer", "  Site   Team <SITE@example.org> ")},
		{filter(false, "status", "live"), filter(true, "interface", "admin")},
		{filter(false, "category", "no such"), filter(false, "tag", "")},
		{filter(false, "category", "machine")},
		{filter(false, "tag")},
	} {
		agree(t, x, docs, search.Query{Filters: filters, Limit: 100})
	}
}

// The largest counts first, ties by value, at most FacetValues of them.
func testFacetOrder(t *testing.T, open Opener) {
	x := open(t)
	var docs []search.Doc
	for i := range 80 {
		d := doc(fmt.Sprintf("plugin-%02d", i), 1)
		for j := range 1 + i%3 {
			d.Tags = append(d.Tags, fmt.Sprintf("Tag-%02d", (i+j*31)%70))
		}
		d.Tags = append(d.Tags, d.Tags[0], strings.ToUpper(d.Tags[0]))
		docs = append(docs, d)
	}
	fill(t, x, docs)
	r := agree(t, x, docs, search.Query{})
	if len(r.Facets["tag"]) != search.FacetValues || len(r.Facets) != len(search.Facets) {
		t.Errorf("%d values of %d fields", len(r.Facets["tag"]), len(r.Facets))
	}
}

func testHighlights(t *testing.T, open Opener) {
	x := open(t)
	d := doc("kubeplugin", 1)
	d.Spelling, d.Title = "KubePlugin", "Clusters & <pods>"
	d.Summary = "RNA-Seq on a virtual machine"
	d.Description = strings.Repeat("Filler words. ", 100) + "Here is the Kubernetes text, with Ünïcode. " + strings.Repeat("More filler. ", 100)
	put(t, x, mark(1), d)
	wantNames(t, x, "", "kubeplugin")
	for text, want := range map[string]map[string]string{
		"":              {},
		"plugin":        {"name": "Kube[Plugin]"},
		"KubePlugin":    {"name": "[KubePlugin]"},
		"cluster":       {"title": "[Clusters] & <pods>"},
		"rnaseq":        {"summary": "[RNA-Seq] on a virtual machine"},
		"vm":            {"summary": "RNA-Seq on a [virtual machine]"},
		`"machine"`:     {"summary": "RNA-Seq on a virtual [machine]"},
		"virtaul":       {"summary": "RNA-Seq on a [virtual] machine"},
		"pods -missing": {"title": "Clusters & <[pods]>"},
	} {
		got := map[string]string{}
		for field, fragments := range find(t, x, parse(t, text)).Hits[0].Highlights {
			got[field] = bracket(fragments)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q highlights %q, want %q", text, got, want)
		}
	}
	h := find(t, x, parse(t, "unicode")).Hits[0].Highlights["description"]
	if s := bracket(h); !strings.Contains(s, "with [Ünïcode].") || len(s) > 500 || strings.HasPrefix(s, "iller") {
		t.Errorf("the description is cut to %q", s)
	}
}

func bracket(fragments []search.Fragment) string {
	var b strings.Builder
	for _, f := range fragments {
		if f.Match {
			f.Text = "[" + f.Text + "]"
		}
		b.WriteString(f.Text)
	}
	return b.String()
}

// explain says which field and signal gave what, and adds up to the score.
func testExplain(t *testing.T, open Opener) {
	x := open(t)
	fill(t, x, Catalogue())
	for _, text := range []string{"", "galaxy", "rna seq", "gpu notebok", "virtual machine", "kubernets", `"virtual lab"`, "a plain machine"} {
		q := parse(t, text)
		if h := find(t, x, q).Hits; h[0].Explain != nil {
			t.Errorf("%q is explained without being asked", text)
		}
		q.Explain = true
		for _, h := range find(t, x, q).Hits {
			if got := search.Explained(h.Explain); got != h.Score {
				t.Errorf("%q, %s: the explanation adds up to %g, the score is %g: %+v", text, h.Doc.Name, got, h.Score, h.Explain)
			}
		}
	}
	q := parse(t, "kubernets")
	q.Explain = true
	r := find(t, x, q).Hits[0]
	for _, want := range []search.Reason{
		{Source: "name", Term: "kubernets", Match: search.MatchSynonym, Value: 70},
		{Source: "trust", Value: 1.1},
	} {
		if !slices.Contains(r.Explain, want) {
			t.Errorf("the explanation lacks %+v: %+v", want, r.Explain)
		}
	}
}

// What is no query language of ours is text, and harmless.
func testHostile(t *testing.T, open Opener) {
	x := open(t)
	docs := Catalogue()
	fill(t, x, docs)
	for _, text := range []string{
		"*", "?", "gal*", "*:*", "/.*/", "/[a-z]+/ galaxy", "(((", ")", "galaxy)", "galaxy AND docker", "galaxy OR docker", "NOT galaxy",
		"galaxy~2", "galaxy^99", "[a TO z]", "{a TO z}", "+galaxy +docker", "&& ||", "!galaxy", `\`, `galaxy\`, "<script>alert(1)</script>",
		"http://example.org/galaxy?x=1", "10:30", "../../etc/passwd", "'; DROP TABLE plugins; --x", "${jndi:ldap}", "%00%ff", "a\x00b", "\u202egalaxy",
		"🚀", "🚀 galaxy", "京都 データ", "ﬁle", "İstanbul", "ǅ", "e\u0301", strings.Repeat("a", 1000), strings.Repeat("京", 1000),
		strings.TrimSpace(strings.Repeat("kubernetes ", 30)), strings.TrimSpace(strings.Repeat("virtual machine ", 15)),
		"a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4", strings.Repeat("visualisation-", 70), "-" + strings.Repeat("x-", 400) + "x",
		"|", `"|"`, `"galaxy | docker"`, "tag:*", `tag:"a|b"`, "maintainer:" + strings.Repeat("é", 900),
	} {
		q, err := search.Parse(text)
		if err != nil {
			var syntax *search.SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("%.40q: %v", text, err)
			}
			continue
		}
		q.Limit = 100
		agree(t, x, docs, q)
		complete := search.Query{Complete: text, Limit: 100}
		if _, err := search.Compile(complete); err != nil {
			if _, got := x.Search(t.Context(), complete); !errors.Is(got, search.ErrQuery) {
				t.Errorf("completion of %.40q: %v, want ErrQuery", text, got)
			}
			continue
		}
		agree(t, x, docs, complete)
	}
}

// Signals multiply the score, and only so much.
func testSignals(t *testing.T, open Opener) {
	x := open(t)
	made := func(name string, change func(*search.Doc)) search.Doc {
		d := doc(name, 1)
		d.Summary, d.Updated = "sequence aligner", Now.AddDate(-10, 0, 0)
		change(&d)
		return d
	}
	docs := []search.Doc{
		made("a-plain", func(d *search.Doc) {}),
		made("b-fresh", func(d *search.Doc) { d.Updated = Now }),
		made("c-trusted", func(d *search.Doc) { d.Trust = "official" }),
		made("d-used", func(d *search.Doc) { d.Downloads = 1_000_000 }),
		made("e-future", func(d *search.Doc) { d.Updated = Now.AddDate(10, 0, 0) }),
		made("aligner", func(d *search.Doc) { d.Summary = "sequence" }),
		made("z-all", func(d *search.Doc) { d.Trust, d.Downloads, d.Updated = "official", 1_000_000, Now }),
	}
	fill(t, x, docs)
	r := agree(t, x, docs, parse(t, "sequence aligner"))
	if got := fmt.Sprint(names(r)); got != "[aligner z-all d-used c-trusted b-fresh e-future a-plain]" {
		t.Errorf("the order is %s", got)
	}
}
