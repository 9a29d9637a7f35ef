package bleve

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"appstore/search"

	"github.com/blevesearch/bleve/v2/index/scorch"
)

// Search implements search.Index.
func (x *Index) Search(ctx context.Context, q search.Query) (*search.Result, error) {
	p, err := search.Compile(q)
	if err != nil {
		return nil, err
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.gen == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := x.gen.snapshot()
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	defer s.Close()
	rows, values, err := x.gen.columns.of(s)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}

	total := 0
	page := newPage(p)
	counts := make([]int, len(values))
	typos := &automata{}
	for i, seg := range s.Segments() {
		err := match(ctx, p, typos, seg, rows[i], func(doc int, text float64) {
			r := &rows[i][doc]
			total++
			for _, n := range r.facets {
				counts[n]++
			}
			page.add(hit{row: r, segment: i, doc: doc, score: search.Score(text, r.quality, r.updated, p.Now)})
		})
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
	}
	found, err := load(s, page.hits(), p.Limit)
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return p.Result(found, total, facets(values, counts)), nil
}

// hit is a document that was found.
type hit struct {
	*row
	segment, doc int
	score        float64
	key          uint64 // what comes first has the largest
}

// page collects the hits of a page.
type page struct {
	sort  string
	after *hit // nil on the first page
	first first[hit]
}

func newPage(p *search.Plan) *page {
	pg := &page{sort: p.Sort, first: first[hit]{n: p.Limit + 1, compare: compareHits}}
	if c := p.After; c != nil {
		pg.after = &hit{row: &row{name: c.Name, updated: c.Updated, downloads: c.Downloads}, score: max(c.Score, 0)}
		pg.setKey(pg.after)
	}
	return pg
}

// setKey writes what a hit is sorted by as a number, so that all orders are
// compared in one way.
func (pg *page) setKey(h *hit) {
	switch pg.sort {
	case search.ByRelevance:
		h.key = math.Float64bits(h.score) // in the order of the scores, as none is negative
	case search.ByUpdated:
		h.key = uint64(h.updated) ^ 1<<63
	case search.ByDownloads:
		h.key = uint64(h.downloads)
	}
}

func compareHits(a, b hit) int {
	if a.key != b.key {
		return cmp.Compare(b.key, a.key)
	}
	return strings.Compare(a.name, b.name)
}

func (pg *page) add(h hit) {
	pg.setKey(&h)
	if pg.after == nil || compareHits(*pg.after, h) < 0 {
		pg.first.add(h)
	}
}

func (pg *page) hits() []hit { return pg.first.sorted() }

// load reads the documents of limit hits; there may be one more hit, which
// only says that there is a next page.
func load(s *scorch.IndexSnapshot, hits []hit, limit int) ([]search.Found, error) {
	found := make([]search.Found, len(hits))
	for i, h := range hits[:min(len(hits), limit)] {
		var bad error
		err := s.Segments()[h.segment].VisitDocument(uint64(h.doc), func(field string, _ byte, value []byte, _ []uint64) bool {
			if field != fieldDoc {
				return true
			}
			bad = json.Unmarshal(value, &found[i].Doc)
			return false
		})
		if err = cmp.Or(err, bad); err != nil {
			return nil, fmt.Errorf("stored document %s: %w", h.name, err)
		}
		found[i].Score = h.score
	}
	return found, nil
}

// facets are the largest counts of each field.
func facets(values []facetValue, counts []int) map[string][]search.Count {
	largest := make([]first[search.Count], len(search.Facets))
	for i := range largest {
		largest[i] = first[search.Count]{n: search.FacetValues, compare: func(a, b search.Count) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		}}
	}
	for n, count := range counts {
		if v := values[n]; count > 0 && v.field >= 0 {
			largest[v.field].add(search.Count{Value: v.value, Count: count})
		}
	}
	all := make(map[string][]search.Count, len(search.Facets))
	for i, field := range search.Facets {
		all[field] = largest[i].sorted()
	}
	return all
}
