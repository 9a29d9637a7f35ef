package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/registry"
	"appstore/schema"
)

// validate answers POST /api/v1/validate: every problem, nothing stored.
func (s *server) validate(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	if err := mustBe(c, "application/yaml", "application/x-yaml", "text/yaml", "text/plain", "application/octet-stream"); err != nil {
		return err
	}
	// One byte more: schema then says that it is too large, as for a publish.
	text, err := readAll(c, maxDescriptor+1)
	if err != nil {
		return err
	}
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-c.Request().Context().Done():
		return c.Request().Context().Err()
	}
	d, problems := schema.Parse(text)
	w := client.Validation{Valid: len(problems) == 0, Problems: []client.Problem{}}
	for _, p := range problems {
		w.Problems = append(w.Problems, client.Problem(p))
	}
	if w.Valid {
		w.Descriptor = d
	}
	return s.json(c, http.StatusOK, w)
}

// yank answers PUT /api/v1/plugins/{name}/releases/{version}/yank.
func (s *server) yank(c echo.Context) error {
	name, version, err := two(c, "name", "version")
	if err != nil {
		return err
	}
	var body struct {
		Yanked *bool  `json:"yanked"`
		Reason string `json:"reason"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Yanked == nil {
		return fail(codeBadBody, `send {"yanked": true, "reason": "..."} or {"yanked": false}`, `"yanked" is missing`)
	}
	r, err := s.Registry.Yank(c.Request().Context(), name, version, *body.Yanked, body.Reason, by)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, s.wireRelease(&r))
}

// setChannel answers PUT /api/v1/plugins/{name}/channels/{channel}.
func (s *server) setChannel(c echo.Context) error {
	name, channel, err := two(c, "name", "channel")
	if err != nil {
		return err
	}
	var body client.Channel
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Version == "" {
		return fail(codeBadBody, `send {"version": "1.2.3"}; DELETE removes the channel`, `"version" is missing`)
	}
	if _, err := s.Registry.SetChannel(c.Request().Context(), name, channel, body.Version, by); err != nil {
		return err
	}
	return s.changed(c, name)
}

// removeChannel answers DELETE /api/v1/plugins/{name}/channels/{channel}.
func (s *server) removeChannel(c echo.Context) error {
	name, channel, err := two(c, "name", "channel")
	if err != nil {
		return err
	}
	if _, err := s.Registry.SetChannel(c.Request().Context(), name, channel, "", by); err != nil {
		return err
	}
	return s.changed(c, name)
}

// setListing answers PUT /api/v1/plugins/{name}/listing.
func (s *server) setListing(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	var body client.Listing
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if _, err := s.Registry.SetListing(c.Request().Context(), name, registry.Listing(body), by); err != nil {
		return err
	}
	return s.changed(c, name)
}

// reindex answers POST /api/v1/reindex when the new index serves.
func (s *server) reindex(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	if err := s.Registry.Reindex(c.Request().Context()); err != nil {
		return err
	}
	return s.status(c)
}

// changed answers a change of a plugin with the plugin.
func (s *server) changed(c echo.Context, name string) error {
	p, err := s.whole(c.Request().Context(), name)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, p)
}

// two reads two path parameters of a route without query parameters.
func two(c echo.Context, first, second string) (string, string, error) {
	if _, err := queryOf(c); err != nil {
		return "", "", err
	}
	a, err := param(c, first)
	if err != nil {
		return "", "", err
	}
	b, err := param(c, second)
	return a, b, err
}
