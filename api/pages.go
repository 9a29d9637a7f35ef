package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/api/web"
	"appstore/registry"
)

// home answers GET /: the search page. Parameters that it does not know are
// ignored: links from elsewhere carry their own.
func (s *server) home(c echo.Context) error {
	asked, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return fail(codeBadParameter, "", "the query of the address can't be read")
	}
	known := url.Values{}
	for _, name := range searchParams {
		for _, value := range asked[name] {
			if value != "" {
				known.Add(name, value)
			}
		}
	}
	q, err := searchQuery(known)
	if err != nil {
		return err
	}
	found, err := s.Index.Search(c.Request().Context(), q)
	if err != nil {
		return err
	}
	body, err := s.web.Search(web.Search{Asked: known, Found: s.hits(found)})
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, body)
}

// pluginPage answers GET /plugins/{name}; the parameter ref chooses the
// release, after the page of the list of releases.
func (s *server) pluginPage(c echo.Context) error {
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := s.whole(ctx, name)
	if err != nil {
		return err
	}
	v := web.Plugin{Plugin: p, Release: p.Release, Server: s.base}
	if ref := c.QueryParam("ref"); ref != "" && ref != p.Default {
		var r registry.Release
		if r, err = s.Registry.Resolve(ctx, name, ref); err != nil {
			return err
		}
		v.Release = s.wireRelease(&r)
	}
	if after := c.QueryParam("after"); after != "" {
		if err := s.older(ctx, p, after); err != nil {
			return err
		}
	}
	body, err := s.web.Plugin(v)
	if err != nil {
		return err
	}
	return s.page(c, http.StatusOK, body)
}

// older puts another page of releases into p.
func (s *server) older(ctx context.Context, p *client.Plugin, after string) error {
	of, err := s.Registry.Plugin(ctx, p.ID)
	if err != nil {
		return err
	}
	page, err := s.Registry.Releases(ctx, p.ID, "", after, newest)
	if err != nil {
		return err
	}
	p.Releases, p.Next = s.summaries(&of, page.Releases), page.Next
	return nil
}

// asset answers GET /assets/{asset}, whose names have a hash of the content.
func (s *server) asset(c echo.Context) error {
	name, err := param(c, "asset")
	if err != nil {
		return err
	}
	a, ok := s.web.Asset(name)
	if !ok {
		return fail(registry.NotFound, "", "there is no such file")
	}
	return s.send(c, &answer{contentType: a.ContentType, body: a.Body, cache: immutable})
}

func (s *server) page(c echo.Context, status int, body []byte) error {
	a := &answer{
		status: status, contentType: "text/html; charset=utf-8", body: body,
		header: [][2]string{{"Content-Security-Policy", web.CSP}, {"Referrer-Policy", "no-referrer"}},
	}
	if status != http.StatusOK {
		a.cache = noStore
	}
	return s.send(c, a)
}

// errorPage is an error for people.
func (s *server) errorPage(c echo.Context, e *client.Error) error {
	query := ""
	if c.Path() == "/" {
		query = c.QueryParam("q")
	}
	body, err := s.web.Error(e, query)
	if err != nil {
		return err
	}
	return s.page(c, e.Status, body)
}
