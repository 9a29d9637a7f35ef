package api

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/search"
)

// maxValues bounds how many values one filter may have.
const maxValues = 50

// searchParams are the parameters of a search: facets are filters.
var searchParams = append([]string{"q", "sort", "limit", "after", "explain"}, search.Facets...)

// search answers GET /api/v1/plugins.
func (s *server) search(c echo.Context) error {
	v, err := queryOf(c, searchParams...)
	if err != nil {
		return err
	}
	q, err := searchQuery(v)
	if err != nil {
		return err
	}
	found, err := s.Index.Search(c.Request().Context(), q)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, s.hits(found))
}

// searchQuery reads the parameters of a search.
func searchQuery(v url.Values) (search.Query, error) {
	text, err := single(v, "q")
	if err != nil {
		return search.Query{}, err
	}
	q, err := search.Parse(text)
	if err != nil {
		return q, err
	}
	for _, field := range search.Facets {
		values := v[field]
		if len(values) > maxValues {
			return q, fail(codeBadParameter, "", "the parameter %q is given %d times; at most %d are allowed", field, len(values), maxValues)
		}
		f := search.Filter{Field: field}
		for _, value := range values {
			if value = strings.TrimSpace(value); value != "" { // an empty form field filters nothing
				f.Values = append(f.Values, value)
			}
		}
		if len(f.Values) > 0 {
			q.Filters = append(q.Filters, f)
		}
	}
	if q.Sort, err = choice(v, "sort", search.Sorts...); err != nil {
		return q, err
	}
	if q.Limit, err = number(v, "limit", 1, search.MaxLimit, 20); err != nil {
		return q, err
	}
	explain, err := choice(v, "explain", "true", "false")
	if err != nil {
		return q, err
	}
	q.Explain = explain == "true"
	q.After, err = single(v, "after")
	return q, err
}

// suggest answers GET /api/v1/suggest.
func (s *server) suggest(c echo.Context) error {
	v, err := queryOf(c, "q", "limit")
	if err != nil {
		return err
	}
	text, err := single(v, "q")
	if err != nil {
		return err
	}
	limit, err := number(v, "limit", 1, 20, 10)
	if err != nil {
		return err
	}
	if len(text) > search.MaxText {
		return fail(codeBadParameter, "", `the parameter "q" has %d bytes; at most %d are allowed`, len(text), search.MaxText)
	}
	list := client.List[client.Suggestion]{Items: []client.Suggestion{}}
	if len(search.Parts(text)) > 0 { // signs alone begin no name
		found, err := s.Index.Search(c.Request().Context(), search.Query{Complete: text, Limit: limit})
		if err != nil {
			return err
		}
		list.Total = found.Total
		for _, h := range found.Hits {
			list.Items = append(list.Items, client.Suggestion{
				ID: h.Doc.Name, Name: h.Doc.Spelling, Title: cmp.Or(h.Doc.Title, h.Doc.Spelling),
				URL: s.apiURL(h.Doc.Name), Page: s.pageURL(h.Doc.Name),
			})
		}
	}
	return s.json(c, http.StatusOK, list)
}

// hits maps a page of hits to the wire.
func (s *server) hits(found *search.Result) client.List[client.Hit] {
	list := client.List[client.Hit]{
		Items:  make([]client.Hit, 0, len(found.Hits)),
		Total:  found.Total,
		Next:   found.Next,
		Facets: make(map[string][]client.Count, len(search.Facets)),
	}
	for _, field := range search.Facets {
		counts := make([]client.Count, 0, len(found.Facets[field]))
		for _, n := range found.Facets[field] {
			counts = append(counts, client.Count(n))
		}
		list.Facets[field] = counts
	}
	for _, h := range found.Hits {
		d := h.Doc
		hit := client.Hit{
			ID: d.Name, Name: d.Spelling, Title: cmp.Or(d.Title, d.Spelling), Summary: d.Summary, Version: d.Version, Label: d.Label,
			Icon: d.Icon, Maintainer: d.Maintainer, Categories: some(d.Categories), Tags: some(d.Tags),
			Interfaces: some(d.Interfaces), Trust: d.Trust, Status: d.Status, Downloads: d.Downloads,
			Updated: d.Updated, Score: h.Score, URL: s.apiURL(d.Name), Page: s.pageURL(d.Name),
		}
		if len(h.Highlights) > 0 {
			hit.Highlights = make(map[string][]client.Fragment, len(h.Highlights))
			for field, fragments := range h.Highlights {
				for _, f := range fragments {
					hit.Highlights[field] = append(hit.Highlights[field], client.Fragment(f))
				}
			}
		}
		for _, r := range h.Explain {
			hit.Explain = append(hit.Explain, client.Reason(r))
		}
		list.Items = append(list.Items, hit)
	}
	return list
}

// some makes an empty list of nil, so that clients never meet null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
