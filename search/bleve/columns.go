package bleve

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"appstore/search"

	"github.com/blevesearch/bleve/v2/index/scorch"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// columnFields are the fields of which a row is made.
var columnFields = []string{fieldName, fieldSignals, fieldFacets}

// row is what a search needs to know of each document: to filter, score, sort
// and count it. Rows are in memory; what is shown comes from the folder.
type row struct {
	name               string
	quality            float64 // search.Entry.Quality
	updated, downloads int64   // as in search.Entry
	visible            bool
	facets             []uint32 // numbers of facet values
}

// columnCache has the rows of all segments of an index. A segment is a part
// of the index that never changes (its deletions are kept beside it), so its
// rows are read once, and there is nothing to keep in step with Put.
type columnCache struct {
	mu      sync.Mutex
	rows    map[uint64][]row  // by the id of the segment, then by document
	numbers map[string]uint32 // of facet terms; none is ever taken out
	values  []facetValue      // by number
}

type facetValue struct {
	field int // index in search.Facets
	value string
}

// of returns the rows of each segment of a snapshot, and the facet values that
// they have the numbers of.
func (c *columnCache) of(s *scorch.IndexSnapshot) ([][]row, []facetValue, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	segments := s.Segments()
	all := make([][]row, len(segments))
	fresh := false
	for i, seg := range segments {
		rows, ok := c.rows[seg.Id()]
		if !ok {
			var err error
			if rows, err = c.read(seg.Segment()); err != nil {
				return nil, nil, err
			}
			fresh = true
		}
		all[i] = rows
	}
	if fresh { // also forgets the segments that were merged into others
		c.rows = make(map[uint64][]row, len(segments))
		for i, seg := range segments {
			c.rows[seg.Id()] = all[i]
		}
	}
	return all, c.values, nil
}

// read reads the rows of a segment.
func (c *columnCache) read(seg segment.Segment) ([]row, error) {
	columns, ok := seg.(segment.DocValueVisitable)
	if !ok {
		return nil, fmt.Errorf("search index: a segment of type %T has no columns", seg)
	}
	rows := make([]row, seg.Count())
	var facets []uint32
	var state segment.DocVisitState
	for i := range rows {
		r := &rows[i]
		from := len(facets)
		var bad error
		var err error
		state, err = columns.VisitDocValues(uint64(i), columnFields, func(field string, value []byte) {
			switch field {
			case fieldName:
				r.name = string(value)
			case fieldSignals:
				bad = r.readSignals(value)
			case fieldFacets:
				facets = append(facets, c.number(value))
			}
		}, state)
		if err == nil {
			err = bad
		}
		if err != nil {
			return nil, err
		}
		r.facets = slices.Clip(facets[from:])
	}
	return rows, nil
}

// number of a facet term; a new one if it was not seen before.
func (c *columnCache) number(term []byte) uint32 {
	n, ok := c.numbers[string(term)]
	if !ok {
		n = uint32(len(c.values))
		if c.numbers == nil {
			c.numbers = map[string]uint32{}
		}
		c.numbers[string(term)] = n
		field, value, _ := strings.Cut(string(term), "=")
		c.values = append(c.values, facetValue{slices.Index(search.Facets, field), value})
	}
	return n
}

// warm reads what the next search would have to read.
func (g *generation) warm() error {
	s, err := g.snapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	_, _, err = g.columns.of(s)
	return err
}
