package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/registry"
)

// drafts answers GET /api/v1/drafts.
func (s *server) drafts(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	all, err := s.Registry.Drafts(c.Request().Context())
	if err != nil {
		return err
	}
	w := client.List[client.Draft]{Items: []client.Draft{}, Total: len(all)}
	for i := range all {
		w.Items = append(w.Items, *wireDraft(&all[i]))
	}
	return s.json(c, http.StatusOK, w)
}

// draft answers GET /api/v1/drafts/{name}/{version}.
func (s *server) draft(c echo.Context) error {
	name, version, err := two(c, "name", "version")
	if err != nil {
		return err
	}
	d, err := s.Registry.Draft(c.Request().Context(), name, version)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, wireDraft(&d))
}

// putDraft answers POST /api/v1/drafts: a descriptor, before its files.
func (s *server) putDraft(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	if err := mustBe(c, "application/yaml", "application/x-yaml", "text/yaml", "text/plain", "application/octet-stream"); err != nil {
		return err
	}
	text, err := readAll(c, maxDescriptor+1)
	if err != nil {
		return err
	}
	d, err := s.Registry.PutDraft(c.Request().Context(), text, by)
	if err != nil {
		return err
	}
	return s.json(c, http.StatusOK, wireDraft(&d))
}

// finishDraft answers POST /api/v1/drafts/{name}/{version}/finish.
func (s *server) finishDraft(c echo.Context) error {
	name, version, err := two(c, "name", "version")
	if err != nil {
		return err
	}
	p, err := s.Registry.FinishDraft(c.Request().Context(), name, version, by)
	if err != nil {
		return err
	}
	return s.published(c, &p)
}

// dropDraft answers DELETE /api/v1/drafts/{name}/{version} with what was dropped.
func (s *server) dropDraft(c echo.Context) error {
	name, version, err := two(c, "name", "version")
	if err != nil {
		return err
	}
	d, err := s.Registry.Draft(c.Request().Context(), name, version)
	if err != nil {
		return err
	}
	if err := s.Registry.DropDraft(c.Request().Context(), name, version); err != nil {
		return err
	}
	return s.json(c, http.StatusOK, wireDraft(&d))
}

func wireDraft(d *registry.Draft) *client.Draft {
	w := &client.Draft{
		ID: d.Plugin, Name: d.Name, Version: d.Version, Updated: d.Updated,
		Files: []client.File{}, Missing: []client.Package{},
	}
	for _, f := range d.Files {
		w.Files = append(w.Files, client.File{
			Name: f.Name, Kind: f.Kind, Ecosystem: f.Package.Ecosystem, Package: f.Package.Name, Version: f.Package.Version,
			RequiresPython: f.RequiresPython, Size: f.Size, SHA256: f.SHA256, SHA512: f.SHA512, SHA1: f.SHA1,
		})
	}
	for _, p := range d.Missing {
		w.Missing = append(w.Missing, client.Package{Ecosystem: p.Ecosystem, Name: p.Name, Version: p.Version})
	}
	return w
}
