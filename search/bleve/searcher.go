package bleve

import (
	"cmp"
	"context"
	"errors"

	"appstore/search"

	"github.com/blevesearch/bleve/v2/mapping"
	blevesearch "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/searcher"
	index "github.com/blevesearch/bleve_index_api"
)

// unscored: bleve looks up and this package scores, which is also faster.
var unscored = blevesearch.SearcherOptions{Score: "none"}

// planQuery makes bleve run a plan.
type planQuery struct{ plan *search.Plan }

// Searcher implements bleve's query.Query.
func (q *planQuery) Searcher(ctx context.Context, r index.IndexReader, _ mapping.IndexMapping, _ blevesearch.SearcherOptions) (blevesearch.Searcher, error) {
	b := builder{ctx: ctx, reader: r}
	s := &planSearcher{plan: q.plan, filter: b.filter(q.plan)}
	for _, c := range q.plan.Must {
		s.must = append(s.must, b.sum(c.Groups))
	}
	s.bonus = b.sum([]search.Group{q.plan.Bonus})
	if b.err == nil {
		s.signals, b.err = r.DocValueReader([]string{fieldSignals})
	}
	if b.err != nil {
		return nil, errors.Join(b.err, b.close())
	}
	s.opened = b.opened
	return s, nil
}

// builder opens searchers; after an error it opens no more.
type builder struct {
	ctx    context.Context
	reader index.IndexReader
	opened []blevesearch.Searcher // those that must be closed
	err    error
}

func (b *builder) close() error {
	var err error
	for _, s := range b.opened {
		err = errors.Join(err, s.Close())
	}
	return err
}

func (b *builder) keep(s blevesearch.Searcher, err error) blevesearch.Searcher {
	if err != nil {
		b.err = errors.Join(b.err, err)
		return nil
	}
	b.opened = append(b.opened, s)
	return s
}

func (b *builder) term(field, value string) blevesearch.Searcher {
	s, err := searcher.NewTermSearcher(b.ctx, b.reader, value, field, 1, unscored)
	return b.own(s, err)
}

// own is keep for a part of a bigger searcher, which closes it.
func (b *builder) own(s blevesearch.Searcher, err error) blevesearch.Searcher {
	if err != nil {
		b.err = errors.Join(b.err, err)
		return nil
	}
	return s
}

func (b *builder) leaf(l search.Leaf) (blevesearch.Searcher, error) {
	switch l.Op {
	case search.Prefix:
		return searcher.NewTermPrefixSearcher(b.ctx, b.reader, l.Tokens[0], l.Field, 1, unscored)
	case search.Fuzzy:
		return searcher.NewFuzzySearcher(b.ctx, b.reader, l.Tokens[0], 1, l.Edits, l.Field, 1, unscored)
	case search.Phrase:
		return searcher.NewPhraseSearcher(b.ctx, b.reader, l.Tokens, 0, false, l.Field, 1, unscored)
	}
	return searcher.NewTermSearcher(b.ctx, b.reader, l.Tokens[0], l.Field, 1, unscored)
}

// anyOf matches what one of the searchers does.
func (b *builder) anyOf(list []blevesearch.Searcher) blevesearch.Searcher {
	if b.err != nil || len(list) == 1 {
		return list[0]
	}
	s, err := searcher.NewDisjunctionSearcher(b.ctx, b.reader, list, 1, unscored)
	return b.own(s, err)
}

// filter matches what a plan does not exclude.
func (b *builder) filter(p *search.Plan) blevesearch.Searcher {
	must := []blevesearch.Searcher{b.term(fieldVisible, "1")}
	var not []blevesearch.Searcher
	for _, f := range p.Filters {
		var values []blevesearch.Searcher
		for _, v := range f.Values {
			values = append(values, b.term(fieldFacets, facetTerm(f.Field, v)))
		}
		if f.Not {
			not = append(not, values...)
		} else {
			must = append(must, b.anyOf(values))
		}
	}
	for _, c := range p.MustNot {
		for _, g := range c.Groups {
			for _, l := range g {
				s, err := b.leaf(l)
				not = append(not, b.own(s, err))
			}
		}
	}
	if b.err != nil {
		return nil
	}
	all, err := searcher.NewConjunctionSearcher(b.ctx, b.reader, must, unscored)
	if err != nil || len(not) == 0 {
		return b.keep(all, err)
	}
	none := b.anyOf(not)
	if b.err != nil {
		return nil
	}
	s, err := searcher.NewBooleanSearcher(b.ctx, b.reader, all, nil, none, unscored)
	return b.keep(s, err)
}

// sum adds up groups; see sumSearcher.
func (b *builder) sum(groups []search.Group) *sumSearcher {
	s := &sumSearcher{best: make([]int, len(groups))}
	for i, g := range groups {
		for _, l := range g {
			if b.err != nil {
				return s
			}
			leaf, err := b.leaf(l)
			if leaf = b.keep(leaf, err); leaf != nil {
				s.leaves = append(s.leaves, &cursor{searcher: leaf, group: i, score: l.Score})
			}
		}
	}
	return s
}

// planSearcher walks the documents that match all clauses and the filter, and
// scores them.
type planSearcher struct {
	plan    *search.Plan
	filter  blevesearch.Searcher
	must    []*sumSearcher
	bonus   *sumSearcher
	signals index.DocValueReader
	opened  []blevesearch.Searcher
	started bool
}

// Next implements bleve's Searcher.
func (s *planSearcher) Next(ctx *blevesearch.SearchContext) (*blevesearch.DocumentMatch, error) {
	m, err := s.filter.Next(ctx)
	return s.from(ctx, m, err)
}

// Advance implements bleve's Searcher.
func (s *planSearcher) Advance(ctx *blevesearch.SearchContext, id index.IndexInternalID) (*blevesearch.DocumentMatch, error) {
	m, err := s.filter.Advance(ctx, id)
	return s.from(ctx, m, err)
}

// from finds the first full match at or after m, a match of the filter.
func (s *planSearcher) from(ctx *blevesearch.SearchContext, m *blevesearch.DocumentMatch, err error) (*blevesearch.DocumentMatch, error) {
	if !s.started && err == nil {
		s.started = true
		for _, c := range append(s.must, s.bonus) {
			if err = c.start(ctx); err != nil {
				return nil, err
			}
		}
	}
scan:
	for m != nil && err == nil {
		for _, c := range s.must {
			id, err := c.seek(ctx, m.IndexInternalID)
			if err != nil || id == nil {
				return nil, err
			}
			if !id.Equals(m.IndexInternalID) {
				target := append(index.IndexInternalID(nil), id...)
				ctx.DocumentMatchPool.Put(m)
				if m, err = s.filter.Advance(ctx, target); err != nil {
					return nil, err
				}
				continue scan
			}
		}
		return m, s.score(ctx, m)
	}
	return nil, err
}

func (s *planSearcher) score(ctx *blevesearch.SearchContext, m *blevesearch.DocumentMatch) error {
	text := s.plan.Base
	for _, c := range s.must {
		text += float64(c.value(m.IndexInternalID))
	}
	if _, err := s.bonus.seek(ctx, m.IndexInternalID); err != nil {
		return err
	}
	text += float64(s.bonus.value(m.IndexInternalID))
	var quality float64
	var updated int64
	var bad error
	err := s.signals.VisitDocValues(m.IndexInternalID, func(_ string, term []byte) {
		quality, updated, bad = parseSignals(term)
	})
	if err = cmp.Or(err, bad); err != nil {
		return err
	}
	m.Score = search.Score(text, quality, updated, s.plan.Now)
	return nil
}

// Close implements bleve's Searcher.
func (s *planSearcher) Close() error {
	b := builder{opened: s.opened}
	return b.close()
}

// DocumentMatchPoolSize implements bleve's Searcher.
func (s *planSearcher) DocumentMatchPoolSize() int {
	n := 1
	for _, o := range s.opened {
		n += o.DocumentMatchPoolSize() + 1
	}
	return n
}

// The rest of bleve's Searcher; only its own scoring uses these.

func (s *planSearcher) Weight() float64      { return 0 }
func (s *planSearcher) SetQueryNorm(float64) {}
func (s *planSearcher) Count() uint64        { return s.filter.Count() }
func (s *planSearcher) Min() int             { return 0 }
func (s *planSearcher) Size() int            { return s.filter.Size() }
