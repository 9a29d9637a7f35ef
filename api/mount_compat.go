package api

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"appstore/api/compat"
	"appstore/api/shelf"
	"appstore/registry"
	"appstore/search"
)

// compatPage is how many applications CloudLaunch puts on a page.
const compatPage = 50

// compatRoutes is what CloudLaunch reads, under /compat.
type compatRoutes struct {
	*server
	catalogue *compat.Catalogue
	file      *shelf.Shelf[registry.Mark, *answer] // one value
}

func (s *server) mountCompat() {
	m := &compatRoutes{server: s, catalogue: compat.New(s.Registry, s.Log), file: shelf.New[registry.Mark](math.MaxInt, func(*answer) int { return 1 })}
	for path, h := range map[string]echo.HandlerFunc{
		"/app-registry.yaml":   m.registryFile,
		"/applications/":       m.applications, // searches are not kept
		"/applications/:slug/": s.hotly(m.application),
	} {
		s.echo.GET("/compat"+path, h)
		s.echo.HEAD("/compat"+path, h)
	}
}

// registryFile answers GET /compat/app-registry.yaml.
func (m *compatRoutes) registryFile(c echo.Context) error {
	v, err := queryOf(c, "q", "category")
	if err != nil {
		return err
	}
	q, err := searchQuery(v)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if len(q.Terms)+len(q.Filters) == 0 {
		a, err := m.whole(ctx)
		if err != nil {
			return err
		}
		return a.write(c)
	}
	q.Sort = search.ByName
	names, _, err := m.matches(ctx, q, -1)
	if err != nil {
		return err
	}
	body, err := m.catalogue.Part(ctx, names)
	if err != nil {
		return err
	}
	return m.send(c, yamlAnswer(body))
}

func yamlAnswer(body []byte) *answer {
	return &answer{status: http.StatusOK, contentType: "application/yaml", body: body, cache: revalidate, etag: etagOf(body)}
}

// whole is the file with every app, made once for each state of the catalogue.
func (m *compatRoutes) whole(ctx context.Context) (*answer, error) {
	if err := m.Registry.Movable(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // others may wait for it
	return m.file.Get("", m.Registry.Mark(), func() (*answer, error) {
		body, err := m.catalogue.File(ctx)
		if err != nil {
			return nil, err
		}
		a := yamlAnswer(body)
		if last, _, ok := m.file.Peek(""); ok && last.etag == a.etag {
			a = last // which is compressed already
		}
		return a, nil
	})
}

// matches gives the names of at least so many plugins that a query finds, where
// there are so many; all with -1. total is how many there are.
func (m *compatRoutes) matches(ctx context.Context, q search.Query, least int) (names []string, total int, err error) {
	for q.Limit = search.MaxLimit; ; {
		found, err := m.Index.Search(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		for _, h := range found.Hits {
			names = append(names, h.Doc.Name)
		}
		if q.After = found.Next; q.After == "" || least >= 0 && len(names) >= least {
			return names, found.Total, nil
		}
	}
}

// applications answers GET /compat/applications/.
func (m *compatRoutes) applications(c echo.Context) error {
	v, err := queryOf(c, "search", "page", "page_size")
	if err != nil {
		return err
	}
	page, err := number(v, "page", 1, 1_000_000, 1)
	if err != nil {
		return err
	}
	size, err := number(v, "page_size", 1, search.MaxLimit, compatPage)
	if err != nil {
		return err
	}
	text, err := single(v, "search")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	names, total, err := m.live(ctx, text, page*size)
	if err != nil {
		return err
	}
	first := (page - 1) * size
	if first >= total && page > 1 {
		return fail(registry.NotFound, "begin with page 1 and follow `next`", "there is no page %d: %d applications are on %d pages", page, total, (total+size-1)/size)
	}
	names = names[min(first, len(names)):min(first+size, len(names))]
	list, err := m.catalogue.Applications(ctx, names, m.applicationURL)
	if err != nil {
		return err
	}
	var w struct {
		Count    int                  `json:"count"`
		Next     *string              `json:"next"`
		Previous *string              `json:"previous"`
		Results  []compat.Application `json:"results"`
	}
	w.Count, w.Results = total, list
	if first+size < total {
		w.Next = m.applicationsURL(v, page+1)
	}
	if page > 1 {
		w.Previous = m.applicationsURL(v, page-1)
	}
	return m.json(c, http.StatusOK, w)
}

// live gives at least so many names of LIVE plugins: those that a text finds, the
// best first, or all in the order of CloudLaunch's page.
func (m *compatRoutes) live(ctx context.Context, text string, least int) (names []string, total int, err error) {
	q, err := search.Parse(text)
	if err != nil {
		return nil, 0, err
	}
	if len(q.Terms)+len(q.Filters) == 0 {
		names, err = m.catalogue.Live(ctx)
		return names, len(names), err
	}
	q.Filters = append(q.Filters,
		search.Filter{Field: "status", Values: []string{compat.Status}}, search.Filter{Field: "interface", Values: []string{"launch"}})
	return m.matches(ctx, q, least)
}

// application answers GET /compat/applications/{slug}/.
func (m *compatRoutes) application(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	slug, err := param(c, "slug")
	if err != nil {
		return err
	}
	a, err := m.catalogue.Application(c.Request().Context(), slug, m.applicationURL)
	if err != nil {
		return err
	}
	return m.json(c, http.StatusOK, a)
}

func (m *compatRoutes) applicationURL(slug string) string {
	return m.link("compat", "applications", slug) + "/"
}

func (m *compatRoutes) applicationsURL(v url.Values, page int) *string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	for _, name := range []string{"search", "page_size"} {
		if v.Has(name) {
			q.Set(name, v.Get(name))
		}
	}
	link := m.link("compat", "applications") + "/?" + q.Encode()
	return &link
}
