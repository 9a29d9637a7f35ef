package api

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/registry"
	"appstore/storage"
)

// Sizes of lists.
const (
	newest  = 50  // releases in the answer about a plugin
	maxRefs = 100 // refs in one resolve
)

// plugin answers GET /api/v1/plugins/{name}.
func (s *server) plugin(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	p, err := s.whole(c.Request().Context(), name)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, p)
}

// whole collects what there is to say about a plugin.
func (s *server) whole(ctx context.Context, name string) (*client.Plugin, error) {
	p, err := s.Registry.Plugin(ctx, name)
	if err != nil {
		return nil, err
	}
	page, err := s.Registry.Releases(ctx, name, "", "", newest)
	if err != nil {
		return nil, err
	}
	var current *registry.Release
	if p.Default != "" {
		r, err := s.Registry.Resolve(ctx, name, p.Default)
		if err != nil {
			return nil, err
		}
		current = &r
	}
	return s.wirePlugin(&p, page, current), nil
}

// releases answers GET /api/v1/plugins/{name}/releases.
func (s *server) releases(c echo.Context) error {
	v, err := queryOf(c, "range", "after", "limit")
	if err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	rng, err := single(v, "range")
	if err != nil {
		return err
	}
	after, err := single(v, "after")
	if err != nil {
		return err
	}
	limit, err := number(v, "limit", 1, registry.MaxPage, newest)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := s.Registry.Plugin(ctx, name)
	if err != nil {
		return err
	}
	page, err := s.Registry.Releases(ctx, name, rng, after, limit)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, client.List[client.ReleaseSummary]{
		Items: s.summaries(&p, page.Releases), Total: page.Total, Next: page.Next,
	})
}

// found resolves the name and the ref of the path. Exact says that the ref is
// the release's own version, so what the release holds will never be other.
func (s *server) found(c echo.Context) (r *registry.Release, exact bool, err error) {
	if _, err = queryOf(c); err != nil {
		return nil, false, err
	}
	name, err := param(c, "name")
	if err != nil {
		return nil, false, err
	}
	ref, err := param(c, "ref")
	if err != nil {
		return nil, false, err
	}
	if r, err = s.resolved(c.Request().Context(), name, ref); err != nil {
		return nil, false, err
	}
	return r, ref == r.Descriptor.Version, nil
}

// resolved is Registry.Resolve with what it gave a moment ago.
func (s *server) resolved(ctx context.Context, name, ref string) (*registry.Release, error) {
	key, mark := name+"\x00"+ref, s.Registry.Mark()
	movable := s.Registry.Movable() == nil // else only an exact one may still be told
	if r, at, ok := s.hot.releases.Peek(key); ok && at == mark && movable {
		return r, nil
	}
	r, err := s.Registry.Resolve(ctx, name, ref)
	if err != nil {
		return nil, err
	}
	if movable {
		s.hot.releases.Put(key, mark, &r)
	}
	return &r, nil
}

// release answers GET /api/v1/plugins/{name}/releases/{ref}. Also an exact one
// is revalidated: it can be yanked.
func (s *server) release(c echo.Context) error {
	r, _, err := s.found(c)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, s.wireRelease(r))
}

// descriptor answers GET .../releases/{ref}/descriptor.
func (s *server) descriptor(c echo.Context) error {
	r, exact, err := s.found(c)
	if err != nil {
		return err
	}
	a := &answer{contentType: "application/yaml", etag: `"` + r.Source.SHA256 + `"`, cache: revalidate}
	if exact {
		a.cache = immutable
	}
	uploaded(c, r.Source.Name)
	c.Response().Header().Set("Content-Location", s.wireFile(r, &r.Source).URL)
	reader, err := s.Registry.OpenFile(c.Request().Context(), r.Source, storage.Read{})
	if err != nil {
		return err
	}
	a.body, err = io.ReadAll(reader)
	if err := errors.Join(err, reader.Close()); err != nil {
		return err
	}
	if c.Request().Method == http.MethodGet && len(r.Files)+len(r.Uses) == 0 {
		// Its code comes with the host: the descriptor is all that there is to fetch.
		s.Registry.CountDownload(r.Plugin, r.Descriptor.Version, clientKind(c.Request().UserAgent()))
	}
	return s.send(c, a)
}

// resolve answers POST /api/v1/resolve: many refs, each with an answer of its
// own.
func (s *server) resolve(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var body client.Refs
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if n := len(body.Refs); n < 1 || n > maxRefs {
		return fail(codeBadBody, "split them into several requests", `"refs" has %d entries; 1 to %d are allowed`, n, maxRefs)
	}
	list := client.List[client.Resolved]{Items: make([]client.Resolved, 0, len(body.Refs)), Total: len(body.Refs)}
	for _, ref := range body.Refs {
		item := client.Resolved{Ref: ref}
		r, err := s.resolved(c.Request().Context(), ref.Name, ref.Ref)
		if err != nil {
			e := translate(err)
			p := document(e, requestIDOf(c))
			if p.Status >= 500 || p.Status == statusCancelled {
				return err // not of this ref alone
			}
			item.Problem = p
		} else {
			item.Release = s.wireRelease(r)
		}
		list.Items = append(list.Items, item)
	}
	return s.json(c, http.StatusOK, list)
}
