package bleve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"appstore/search"

	"github.com/blevesearch/bleve/v2"
	blevesearch "github.com/blevesearch/bleve/v2/search"
)

// facetTerms is how many values bleve hands out, more than there are: they are
// told apart by field, sorted and cut to search.FacetValues here.
const facetTerms = 1_000_000

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
	res, err := x.gen.bleve.SearchInContext(ctx, request(p))
	if err != nil {
		if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
			err = errors.Join(cause, err)
		}
		return nil, fmt.Errorf("search: %w", err)
	}
	found := make([]search.Found, len(res.Hits))
	for i, h := range res.Hits {
		data, _ := h.Fields[fieldDoc].(string)
		if err := json.Unmarshal([]byte(data), &found[i].Doc); err != nil {
			return nil, fmt.Errorf("search: stored document %s: %w", h.ID, err)
		}
		found[i].Score = h.Score
	}
	return p.Result(found, int(res.Total), facets(res)), nil
}

// facets sorts the counts by field.
func facets(res *bleve.SearchResult) map[string][]search.Count {
	all := make(map[string][]search.Count, len(search.Facets))
	for _, field := range search.Facets {
		all[field] = []search.Count{}
	}
	if f := res.Facets[fieldFacets]; f != nil && f.Terms != nil {
		for _, t := range f.Terms.Terms() {
			field, value, _ := strings.Cut(t.Term, "=")
			all[field] = append(all[field], search.Count{Value: value, Count: t.Count})
		}
	}
	for field, counts := range all {
		slices.SortFunc(counts, func(a, b search.Count) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
		all[field] = counts[:min(len(counts), search.FacetValues)]
	}
	return all
}

func request(p *search.Plan) *bleve.SearchRequest {
	req := bleve.NewSearchRequestOptions(&planQuery{p}, p.Limit+1, 0, false)
	req.Fields = []string{fieldDoc}
	byName := &blevesearch.SortField{Field: fieldName, Type: blevesearch.SortFieldAsString}
	var after []string
	switch p.Sort {
	case search.ByName:
		req.Sort = blevesearch.SortOrder{byName}
	case search.ByUpdated:
		req.Sort = blevesearch.SortOrder{&blevesearch.SortField{Field: fieldUpdated, Type: blevesearch.SortFieldAsString, Desc: true}, byName}
		if p.After != nil {
			after = append(after, sortableInt(p.After.Updated))
		}
	default:
		req.Sort = blevesearch.SortOrder{&blevesearch.SortScore{Desc: true}, byName}
		if p.After != nil {
			after = append(after, strconv.FormatFloat(p.After.Score, 'g', -1, 64))
		}
	}
	if p.After != nil {
		req.SearchAfter = append(after, p.After.Name)
	}
	req.AddFacet(fieldFacets, bleve.NewFacetRequest(fieldFacets, facetTerms))
	return req
}
