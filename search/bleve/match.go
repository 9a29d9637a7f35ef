package bleve

import (
	"bytes"
	"context"
	"sync"
	"unicode/utf8"

	"appstore/search"

	"github.com/blevesearch/bleve/v2/index/scorch"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// matcher finds what a plan matches in one segment. It takes one look-up after
// the other and walks through the documents that bleve has for it, noting in
// each document's cell how far it got and what it is worth. So the cost is
// that of the lists of documents, whatever the form of the plan.
type matcher struct {
	ctx   context.Context
	seg   segment.Segment
	dicts map[string]segment.TermDictionary
	typos *automata

	cells []cell // by document
	stage int32  // that a document needs for the present clause
	group int32  // number of the present group

	postings segment.PostingsList // used again
	iterator segment.PostingsIterator
	numbers  [512]uint32
}

// cell is the state of a document while a plan is matched.
type cell struct {
	stage int32 // how many clauses and filters it has passed; out: none any more
	group int32 // the last group that matched; only the best leaf of a group counts
	score int32 // the sum so far
}

const out = -1

var cellPool = sync.Pool{New: func() any { return new([]cell) }}

// match calls found for each document that matches, with its text score.
func match(ctx context.Context, p *search.Plan, typos *automata, s *scorch.SegmentSnapshot, rows []row, found func(doc int, text float64)) error {
	pooled := cellPool.Get().(*[]cell)
	defer cellPool.Put(pooled)
	if cap(*pooled) < len(rows) {
		*pooled = make([]cell, len(rows))
	}
	m := &matcher{ctx: ctx, seg: s.Segment(), dicts: map[string]segment.TermDictionary{}, typos: typos, cells: (*pooled)[:len(rows)]}
	clear(m.cells)
	if gone := s.Deleted(); gone != nil {
		for it := gone.Iterator(); it.HasNext(); {
			m.cells[it.Next()].stage = out
		}
	}
	if err := m.run(p); err != nil {
		return err
	}
	for i := range m.cells {
		if c := &m.cells[i]; c.stage == m.stage && rows[i].visible {
			found(i, p.Base+float64(c.score))
		}
	}
	return nil
}

// run leaves the documents that match at the last stage.
func (m *matcher) run(p *search.Plan) error {
	remove := func(doc uint32) { m.cells[doc].stage = out }
	for _, c := range p.MustNot {
		for _, g := range c.Groups {
			for i := range g {
				if err := m.leaf(&g[i], remove); err != nil {
					return err
				}
			}
		}
	}
	for _, f := range p.Filters {
		visit := remove
		if !f.Not {
			visit = m.pass
		}
		for _, v := range f.Values {
			if err := m.equals(fieldFacets, facetTerm(f.Field, v), visit); err != nil {
				return err
			}
		}
		if !f.Not {
			m.stage++
		}
	}
	for _, c := range p.Must {
		for _, g := range c.Groups {
			if err := m.best(g, true); err != nil {
				return err
			}
		}
		m.stage++
	}
	return m.best(p.Bonus, false)
}

// pass lets a document that has come to the present stage reach the next one.
func (m *matcher) pass(doc uint32) {
	if c := &m.cells[doc]; c.stage == m.stage {
		c.stage++
	}
}

// best adds to each document the score of the first leaf that matches.
func (m *matcher) best(g search.Group, needed bool) error {
	m.group++
	stage, next := m.stage, m.stage
	if needed {
		next++
	}
	for i := range g {
		score := int32(g[i].Score)
		err := m.leaf(&g[i], func(doc uint32) {
			c := &m.cells[doc]
			if (c.stage == stage || c.stage == next) && c.group != m.group {
				c.stage, c.group, c.score = next, m.group, c.score+score
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf visits the documents that match a leaf, some perhaps several times.
func (m *matcher) leaf(l *search.Leaf, visit func(doc uint32)) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	token := l.Tokens[0]
	switch l.Op {
	case search.Prefix:
		return m.terms(l.Field, nil, []byte(token), visit)
	case search.Fuzzy:
		a, err := m.typos.of(token, l.Edits)
		if err != nil {
			return err
		}
		_, first := utf8.DecodeRuneInString(token)
		return m.terms(l.Field, a, []byte(token[:first]), visit)
	case search.Phrase:
		return m.phrase(l.Field, l.Tokens, visit)
	}
	return m.equals(l.Field, token, visit)
}

func (m *matcher) dict(field string) (segment.TermDictionary, error) {
	if d, ok := m.dicts[field]; ok {
		return d, nil
	}
	d, err := m.seg.Dictionary(field)
	m.dicts[field] = d
	return d, err
}

// equals visits the documents that have a token in a field.
func (m *matcher) equals(field, token string, visit func(doc uint32)) error {
	d, err := m.dict(field)
	if err != nil || d == nil {
		return err
	}
	return m.walk(d, []byte(token), visit)
}

// terms visits the documents with tokens that begin with prefix and that the
// automaton, if there is one, accepts.
func (m *matcher) terms(field string, a segment.Automaton, prefix []byte, visit func(doc uint32)) error {
	d, err := m.dict(field)
	if err != nil || d == nil {
		return err
	}
	tokens := countless(d, a, prefix, after(prefix))
	for {
		t, err := tokens.Next()
		if err != nil || t == nil {
			return err
		}
		if err := m.walk(d, []byte(t.Term), visit); err != nil {
			return err
		}
	}
}

// countless walks through the tokens of a dictionary, and leaves out to count
// the documents of each where it can.
func countless(d segment.TermDictionary, a segment.Automaton, from, to []byte) segment.DictionaryIterator {
	if c, ok := d.(interface {
		AutomatonIteratorOmitCount(a segment.Automaton, from, to []byte) segment.DictionaryIterator
	}); ok {
		return c.AutomatonIteratorOmitCount(a, from, to)
	}
	return d.AutomatonIterator(a, from, to)
}

// after is the first key behind all those that begin with prefix; nil if there
// is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// walk visits the documents of one token.
func (m *matcher) walk(d segment.TermDictionary, token []byte, visit func(doc uint32)) (err error) {
	if m.postings, err = d.PostingsList(token, nil, m.postings); err != nil {
		return err
	}
	m.iterator = m.postings.Iterator(false, false, false, m.iterator)
	if o, ok := m.iterator.(segment.OptimizablePostingsIterator); ok {
		if docs := o.ActualBitmap(); docs != nil {
			it := docs.ManyIterator()
			for n := it.NextMany(m.numbers[:]); n > 0; n = it.NextMany(m.numbers[:]) {
				for _, doc := range m.numbers[:n] {
					visit(doc)
				}
			}
			return nil
		}
	}
	for {
		p, err := m.iterator.Next()
		if err != nil || p == nil {
			return err
		}
		visit(uint32(p.Number()))
	}
}

// phrase visits the documents that have the tokens directly after one another.
func (m *matcher) phrase(field string, tokens []string, visit func(doc uint32)) error {
	d, err := m.dict(field)
	if err != nil || d == nil {
		return err
	}
	lists := make([]segment.PostingsIterator, len(tokens))
	for i, t := range tokens {
		p, err := d.PostingsList([]byte(t), nil, nil)
		if err != nil {
			return err
		}
		lists[i] = p.Iterator(true, false, true, nil)
	}
	at := make([]segment.Posting, len(tokens))
	doc := uint64(0)
	for {
		same := 0
		for i := 0; same < len(lists); i = (i + 1) % len(lists) {
			if at[i] == nil || at[i].Number() < doc {
				if at[i], err = lists[i].Advance(doc); err != nil || at[i] == nil {
					return err
				}
			}
			if n := at[i].Number(); n > doc {
				doc, same = n, 0
			}
			same++
		}
		if adjoin(at) {
			visit(uint32(doc))
		}
		doc++
	}
}

// adjoin tells whether the first posting has a position from which on the
// others follow, each one further.
func adjoin(at []segment.Posting) bool {
	for _, first := range at[0].Locations() {
		n := uint64(1)
		for ; n < uint64(len(at)); n++ {
			if !has(at[n].Locations(), first.Pos()+n) {
				break
			}
		}
		if n == uint64(len(at)) {
			return true
		}
	}
	return false
}

func has(all []segment.Location, pos uint64) bool {
	for _, l := range all {
		if l.Pos() == pos {
			return true
		}
	}
	return false
}
