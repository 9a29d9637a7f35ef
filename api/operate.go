package api

import (
	_ "embed"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/schema"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI is the contract of the API, as it is served at /openapi.yaml.
func OpenAPI() []byte { return openAPI }

// openapi answers GET /openapi.yaml.
func (s *server) openapi(c echo.Context) error {
	return s.send(c, &answer{contentType: "application/yaml", body: openAPI})
}

// schema answers GET /schema/plugin.v1.json, by which editors complete
// descriptors.
func (s *server) schema(c echo.Context) error {
	c.Response().Header().Set("Access-Control-Allow-Origin", "*") // editors in browsers too
	return s.send(c, &answer{contentType: "application/schema+json", body: schema.JSON()})
}

// events answers GET /api/v1/events: the public journal as a feed.
func (s *server) events(c echo.Context) error {
	v, err := queryOf(c, "after", "limit")
	if err != nil {
		return err
	}
	limit, err := number(v, "limit", 1, 1000, 100)
	if err != nil {
		return err
	}
	text, err := single(v, "after")
	if err != nil {
		return err
	}
	after := uint64(0)
	if text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fail(codeBadParameter, `take it from the field "next" of the page before; 0 is the beginning`, `the parameter "after" is %.40q; it must be a position of the journal`, text)
		}
	}
	changes, next, err := s.Registry.Events(c.Request().Context(), after, limit)
	if err != nil {
		return err
	}
	w := client.Events{Items: make([]client.Event, 0, len(changes)), Next: next}
	for _, change := range changes {
		w.Items = append(w.Items, client.Event(change))
	}
	return s.json(c, http.StatusOK, w)
}

// status answers GET /api/v1/status.
func (s *server) status(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	st, err := s.Registry.Status(c.Request().Context())
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, client.Status{
		Version: s.Version, Store: st.StoreID, Position: st.Position, Head: st.Head,
		Behind: st.Behind.Seconds(), ReadOnly: st.ReadOnly,
		IndexPosition: st.IndexPosition, IndexDocs: st.IndexDocs, IndexError: st.IndexError,
		Plugins: st.Plugins, Releases: st.Releases,
	})
}

// healthz says that the process answers.
func (s *server) healthz(c echo.Context) error {
	return s.send(c, &answer{contentType: "application/json", body: []byte(`{"status":"ok"}` + "\n"), cache: noStore})
}

// readyz says whether requests should be sent here: while storage answers.
// Without the search engine the rest goes on, so that does not count.
func (s *server) readyz(c echo.Context) error {
	if err := s.Registry.Ready(c.Request().Context()); err != nil {
		return err
	}
	return s.send(c, &answer{contentType: "application/json", body: []byte(`{"status":"ready"}` + "\n"), cache: noStore})
}
