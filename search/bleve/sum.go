package bleve

import (
	blevesearch "github.com/blevesearch/bleve/v2/search"
	index "github.com/blevesearch/bleve_index_api"
)

// sumSearcher walks the documents that match at least one leaf. A document is
// worth the sum over the groups of the best leaf of each.
type sumSearcher struct {
	leaves []*cursor // those that have documents left
	best   []int     // by group; scratch space of value
}

// cursor is a leaf and the document it stands at.
type cursor struct {
	searcher blevesearch.Searcher
	group    int
	score    int
	at       *blevesearch.DocumentMatch
}

// start moves all leaves to their first documents.
func (s *sumSearcher) start(ctx *blevesearch.SearchContext) error {
	return s.move(func(c *cursor) (*blevesearch.DocumentMatch, error) { return c.searcher.Next(ctx) })
}

// seek moves to the first document at or after id, and returns which that is;
// nil at the end.
func (s *sumSearcher) seek(ctx *blevesearch.SearchContext, id index.IndexInternalID) (index.IndexInternalID, error) {
	err := s.move(func(c *cursor) (*blevesearch.DocumentMatch, error) {
		if c.at.IndexInternalID.Compare(id) >= 0 {
			return c.at, nil
		}
		ctx.DocumentMatchPool.Put(c.at)
		c.at = nil
		return c.searcher.Advance(ctx, id)
	})
	var first index.IndexInternalID
	for _, c := range s.leaves {
		if first == nil || c.at.IndexInternalID.Compare(first) < 0 {
			first = c.at.IndexInternalID
		}
	}
	return first, err
}

// move lets each leaf take a step, and drops those that came to their end.
func (s *sumSearcher) move(step func(*cursor) (*blevesearch.DocumentMatch, error)) error {
	left := s.leaves[:0]
	for _, c := range s.leaves {
		m, err := step(c)
		if err != nil {
			return err
		}
		if c.at = m; m != nil {
			left = append(left, c)
		}
	}
	s.leaves = left
	return nil
}

// value is what document id is worth; seek(id) came before.
func (s *sumSearcher) value(id index.IndexInternalID) int {
	clear(s.best)
	for _, c := range s.leaves {
		if c.score > s.best[c.group] && c.at.IndexInternalID.Equals(id) {
			s.best[c.group] = c.score
		}
	}
	sum := 0
	for _, b := range s.best {
		sum += b
	}
	return sum
}
