package compat

import (
	"context"
	"slices"
	"time"

	"appstore/registry"
	"appstore/schema/cloudlaunch"
)

// Status is that of the apps on CloudLaunch's page.
const Status = cloudlaunch.Live

// Application is an app as CloudLaunch 2.0.2 answers it.
type Application struct {
	URL            string    `json:"url"`
	Slug           string    `json:"slug"`
	Versions       []Version `json:"versions"`
	DefaultVersion *string   `json:"default_version"` // the version of one of Versions
	Added          time.Time `json:"added"`
	Updated        time.Time `json:"updated"`
	Name           string    `json:"name"`
	Status         string    `json:"status"`
	Summary        *string   `json:"summary"`
	Maintainer     *string   `json:"maintainer"`
	Description    *string   `json:"description"` // Markdown
	InfoURL        *string   `json:"info_url"`
	IconURL        *string   `json:"icon_url"`
	DisplayOrder   int       `json:"display_order"`
}

// Version is a version of an Application.
type Version struct {
	Version      string     `json:"version"`
	CloudConfig  []struct{} `json:"cloud_config"` // empty: it is about the clouds of one CloudLaunch
	FrontendPath *string    `json:"frontend_component_path"`
	FrontendName *string    `json:"frontend_component_name"`
	DefaultCloud *string    `json:"default_cloud"` // null, for the same reason
}

// Applications gives the apps of the plugins with these normalised names whose
// status is LIVE, in the order of the names. url gives the address of one's
// answer.
func (c *Catalogue) Applications(ctx context.Context, names []string, url func(slug string) string) ([]Application, error) {
	all, err := c.of(ctx, names)
	if err != nil {
		return nil, err
	}
	list := make([]Application, 0, len(all))
	for i := range all {
		if all[i].app.Status == Status {
			list = append(list, application(&all[i], url))
		}
	}
	return list, nil
}

// Application gives the app of a plugin by its slug; NotFound if it has none, or
// one that is not LIVE.
func (c *Catalogue) Application(ctx context.Context, slug string, url func(slug string) string) (Application, error) {
	list, err := c.Applications(ctx, []string{slug}, url)
	if err != nil {
		return Application{}, err
	}
	if len(list) == 0 {
		return Application{}, &registry.Error{
			Code: registry.NotFound, Detail: "CloudLaunch's page has no application " + slug,
			Fix: "an application is shown there while its status is LIVE and it has a live release",
		}
	}
	return list[0], nil
}

func application(f *found, url func(slug string) string) Application {
	a := &f.app
	text := func(key, value string) *string { return orNull(value, key, a.Blank) }
	w := Application{
		URL: url(a.Slug), Slug: a.Slug, Versions: make([]Version, 0, len(a.Versions)), DefaultVersion: text("default_version", a.DefaultVersion),
		Added: f.plugin.Created.UTC(), Updated: f.plugin.Updated.UTC(), Name: a.Name, Status: a.Status,
		Summary: text("summary", a.Summary), Maintainer: text("maintainer", a.Maintainer), Description: text("description", a.Description),
		InfoURL: text("info_url", a.InfoURL), IconURL: text("icon_url", a.IconURL), DisplayOrder: a.DisplayOrder,
	}
	for _, v := range a.Versions {
		w.Versions = append(w.Versions, Version{
			Version: v.Label, CloudConfig: []struct{}{},
			FrontendPath: orNull(v.FrontendPath, "frontend_component_path", v.Blank), FrontendName: orNull(v.Frontend, "frontend_component_name", v.Blank),
		})
	}
	return w
}

// orNull is nil for a text that is null in CloudLaunch, and not an empty one.
func orNull(value, key string, blank []string) *string {
	if value == "" && !slices.Contains(blank, key) {
		return nil
	}
	return &value
}
