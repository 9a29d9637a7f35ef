package cloudlaunch

import (
	"encoding/json"
	"slices"
	"strconv"

	"appstore/schema"
)

// App is one application of the file. A text that is "" is null in the file, unless
// its key is in Blank.
type App struct {
	Slug           string // the plugin's name
	Name           string // the plugin's title; at most 60 characters
	Status         string // LIVE, DEV or CERTIFICATION
	Summary        string // at most 140 characters
	Maintainer     string // at most 255 characters
	Description    string // Markdown, at most 32,767 characters
	InfoURL        string // at most 2,048 characters
	IconURL        string // at most 2,048 characters
	DisplayOrder   int
	DefaultVersion string          // the label of one of Versions, or ""
	LaunchConfig   json.RawMessage // an object; nil is none. Each version's is merged over it
	Versions       []Version
	Blank          []string // keys whose value is an empty text and not null, sorted
	Line           int      // where the app starts in the file that it was read from
}

// Version is one version of an app.
type Version struct {
	Label        string // at most 30 characters
	FrontendPath string // at most 255 characters, as the next two
	Frontend     string // name of the front-end component
	Backend      string // module.Class
	LaunchConfig json.RawMessage
	Blank        []string
	Line         int
}

// Statuses that an app can have.
const (
	Live          = "LIVE"
	Dev           = "DEV"
	Certification = "CERTIFICATION"
)

// Limits of a file.
const (
	MaxSize  = 16 << 20 // bytes
	maxNodes = 500_000
)

// Read reads a registry file. An app with a problem is left out and does not stop
// the others; all problems of all apps are told, in the order of the file.
func Read(data []byte) ([]App, schema.Problems) {
	doc, problems := schema.Reading{MaxBytes: MaxSize, MaxNodes: maxNodes, YAML11: true}.Read(data)
	if doc == nil {
		return nil, problems.Sort()
	}
	r := &reader{doc: doc, problems: problems, known: map[string]bool{}}
	for _, p := range problems {
		r.known[p.Pointer] = true
	}
	root := r.object("", doc.Value, "apps")
	list, ok := root["apps"].([]any)
	if !ok {
		r.problem("/apps", "not-a-list", "write apps: and a list of applications under it", "the file has no list of apps")
		return nil, r.problems.Sort()
	}
	var apps []App
	slugs := map[string]int{}
	for i, item := range list {
		pointer := "/apps/" + strconv.Itoa(i)
		app := r.app(pointer, item)
		if first, ok := slugs[schema.Normalise(app.Slug)]; ok {
			r.problem(pointer+"/slug", "duplicate-item", "give each app a slug of its own", "the slug %q is that of the app in line %d", app.Slug, first)
		}
		if !r.bad(pointer) {
			slugs[schema.Normalise(app.Slug)] = app.Line
			apps = append(apps, app)
		}
	}
	return apps, r.problems.Sort()
}

// keys of an app and of a version, in the order of the file.
var (
	appKeys = []string{
		"slug", "name", "status", "summary", "maintainer", "description", "info_url", "icon_url",
		"display_order", "default_version", "default_launch_config", "versions",
	}
	versionKeys = []string{
		"version", "frontend_component_path", "frontend_component_name", "backend_component_name", "default_launch_config",
	}
)

func (r *reader) app(pointer string, item any) App {
	m := r.object(pointer, item, appKeys...)
	if m == nil {
		return App{Line: r.line(pointer)}
	}
	f := fields{r, pointer, m, nil}
	app := App{
		Line:           r.line(pointer),
		Slug:           f.needed("slug", schema.MaxName),
		Name:           f.needed("name", 60),
		Status:         f.needed("status", 30),
		Summary:        f.text("summary", 140),
		Maintainer:     f.text("maintainer", 255),
		Description:    f.text("description", 32767),
		InfoURL:        f.text("info_url", 2048),
		IconURL:        f.text("icon_url", 2048),
		DisplayOrder:   f.integer("display_order"),
		DefaultVersion: f.text("default_version", 30),
		LaunchConfig:   f.config("default_launch_config"),
	}
	if app.Slug != "" {
		if err := schema.CheckName(app.Slug); err != nil {
			r.fail(pointer+"/slug", err)
		}
	}
	if statuses := []string{Live, Dev, Certification}; app.Status != "" && !slices.Contains(statuses, app.Status) {
		r.problem(pointer+"/status", "bad-value", "write LIVE, DEV or CERTIFICATION", "the status %q is none that CloudLaunch has", app.Status)
	}
	versions, ok := m["versions"].([]any)
	if !ok && m["versions"] != nil {
		r.problem(pointer+"/versions", "not-a-list", "write a list of versions", "versions is no list")
	}
	labels := map[string]int{}
	for i, item := range versions {
		at := pointer + "/versions/" + strconv.Itoa(i)
		v := r.version(at, item)
		if first, ok := labels[v.Label]; ok && v.Label != "" {
			r.problem(at+"/version", "duplicate-item", "give each version a name of its own", "the version %q is in line %d already", v.Label, first)
		} else {
			labels[v.Label] = v.Line
		}
		app.Versions = append(app.Versions, v)
	}
	if _, ok := labels[app.DefaultVersion]; !ok && app.DefaultVersion != "" {
		r.problem(pointer+"/default_version", "bad-value", "write the name of one of the versions", "the default version %q is none of the versions", app.DefaultVersion)
	}
	app.Blank = f.sortedBlank()
	return app
}

func (r *reader) version(pointer string, item any) Version {
	m := r.object(pointer, item, versionKeys...)
	if m == nil {
		return Version{Line: r.line(pointer)}
	}
	f := fields{r, pointer, m, nil}
	v := Version{
		Line:         r.line(pointer),
		Label:        f.needed("version", 30),
		FrontendPath: f.text("frontend_component_path", 255),
		Frontend:     f.text("frontend_component_name", 255),
		Backend:      f.text("backend_component_name", 255),
		LaunchConfig: f.config("default_launch_config"),
	}
	v.Blank = f.sortedBlank()
	return v
}

// Write gives the file for apps. The text is the same for the same apps; Read gives
// the apps back.
func Write(apps []App) ([]byte, error) {
	list := make([]any, 0, len(apps))
	for _, a := range apps {
		text := func(key, value string) schema.Field {
			return schema.Field{Key: key, Value: orNull(value, key, a.Blank)}
		}
		versions := make([]any, 0, len(a.Versions))
		for _, v := range a.Versions {
			text := func(key, value string) schema.Field {
				return schema.Field{Key: key, Value: orNull(value, key, v.Blank)}
			}
			versions = append(versions, []schema.Field{
				{Key: "version", Value: v.Label},
				text("frontend_component_path", v.FrontendPath),
				text("frontend_component_name", v.Frontend),
				text("backend_component_name", v.Backend),
				configField(v.LaunchConfig, v.Blank),
			})
		}
		list = append(list, []schema.Field{
			{Key: "slug", Value: a.Slug},
			{Key: "name", Value: a.Name},
			{Key: "status", Value: a.Status},
			text("summary", a.Summary),
			text("maintainer", a.Maintainer),
			text("description", a.Description),
			text("info_url", a.InfoURL),
			text("icon_url", a.IconURL),
			{Key: "display_order", Value: a.DisplayOrder},
			text("default_version", a.DefaultVersion),
			configField(a.LaunchConfig, a.Blank),
			{Key: "versions", Value: versions},
		})
	}
	return schema.EncodeYAML([]schema.Field{{Key: "apps", Value: list}})
}

func orNull(value, key string, blank []string) any {
	if value == "" && !slices.Contains(blank, key) {
		return nil
	}
	return value
}

func configField(config json.RawMessage, blank []string) schema.Field {
	const key = "default_launch_config"
	if config == nil {
		return schema.Field{Key: key, Value: orNull("", key, blank)}
	}
	return schema.Field{Key: key, Value: config}
}
