package cloudlaunch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"appstore/schema"
)

// Extension is the key of a descriptor that keeps what CloudLaunch has and a
// descriptor has no place for.
const Extension = "x-cloudlaunch"

// extension is the value of that key.
type extension struct {
	FrontendPath string `json:"frontend_component_path,omitempty"`
	// The launch configs before they were merged. Without an AppConfig the
	// version's own is default_config, and Config is nil.
	AppConfig json.RawMessage `json:"app_launch_config,omitempty"`
	Config    json.RawMessage `json:"launch_config,omitempty"`
	// Keys of the version whose value is an empty text and not null.
	Blank []string `json:"blank,omitempty"`
}

// Converted is one version of an app as a descriptor whose number is not decided.
type Converted struct {
	Label string         // CloudLaunch's name of the version
	Base  schema.Version // the number that the label suggests; others may suggest the same
	d     schema.Descriptor
}

// Render gives the text of the descriptor as the given version.
func (c Converted) Render(v schema.Version) ([]byte, error) {
	d := c.d
	d.Version = v.String()
	return d.YAML()
}

// Content is Content of the descriptor.
func (c Converted) Content() [sha256.Size]byte { return Content(&c.d) }

// Content is a digest of what a label stands for: components and configuration, and
// neither the number of the release nor what the app's listing says. A label whose
// Content changed needs a new release; where only the summary changed it does not.
func Content(d *schema.Descriptor) [sha256.Size]byte {
	b, err := json.Marshal([]any{d.Label, d.Interfaces, d.DefaultConfig, d.Extensions[Extension]})
	if err != nil {
		panic(err) // can't happen: they were read from JSON or YAML
	}
	return sha256.Sum256(b)
}

// Descriptors converts each version of an app, in the order of the file. Each
// descriptor that comes without a problem passes schema.Parse; what does not is told
// with the line of its version.
func (a App) Descriptors() ([]Converted, schema.Problems) {
	var all []Converted
	var problems schema.Problems
	for i, v := range a.Versions {
		c := Converted{Label: v.Label, Base: BaseVersion(v.Label), d: a.descriptor(v)}
		text, err := c.Render(c.Base)
		var found []schema.Problem
		if err == nil {
			_, found = schema.Parse(text)
		} else {
			found = []schema.Problem{{Code: "bad-yaml", Message: err.Error()}}
		}
		for _, p := range found {
			p.Line, p.Column = v.Line, 1
			p.Message = fmt.Sprintf("version %q of %s, as a descriptor: %s: %s", v.Label, a.Slug, p.Pointer, p.Message)
			p.Pointer = fmt.Sprintf("/versions/%d", i)
			problems = append(problems, p)
		}
		if len(found) == 0 {
			all = append(all, c)
		}
	}
	return all, problems.Sort()
}

func (a App) descriptor(v Version) schema.Descriptor {
	d := schema.Descriptor{
		Name: a.Slug, Label: v.Label, Title: a.Name, Summary: a.Summary, Description: a.Description, Maintainer: a.Maintainer,
		Links:         schema.Links{Homepage: a.InfoURL, Icon: a.IconURL},
		DefaultConfig: MergeConfigs(a.LaunchConfig, v.LaunchConfig),
	}
	var launch schema.Interface
	if v.Backend != "" {
		launch.Backend = &schema.Component{Component: v.Backend}
	}
	if v.Frontend != "" {
		launch.Frontend = &schema.Component{Component: v.Frontend}
	}
	if launch.Backend != nil || launch.Frontend != nil {
		d.Interfaces = map[string]schema.Interface{"launch": launch}
	}
	x := extension{FrontendPath: v.FrontendPath, AppConfig: a.LaunchConfig, Blank: v.Blank}
	if a.LaunchConfig != nil {
		x.Config = orNullJSON(v.LaunchConfig)
	}
	// Through a value, so that the keys are sorted as they are when it is read back.
	if value := decode(encode(x)); len(value) > 0 {
		d.Extensions = map[string]json.RawMessage{Extension: encode(value)}
	}
	return d
}

func orNullJSON(config json.RawMessage) json.RawMessage {
	if config == nil {
		return json.RawMessage("null")
	}
	return config
}

// VersionOf is the way back: the version of an app that a descriptor stands for. A
// descriptor without a label has its version as its label.
func VersionOf(d *schema.Descriptor) (Version, error) {
	var x extension
	if raw := d.Extensions[Extension]; raw != nil {
		if err := json.Unmarshal(raw, &x); err != nil {
			return Version{}, fmt.Errorf("%s of %s@%s is not as an import writes it: %w", Extension, d.Name, d.Version, err)
		}
	}
	v := Version{Label: d.Label, FrontendPath: x.FrontendPath, Blank: x.Blank, LaunchConfig: d.DefaultConfig}
	if v.Label == "" {
		v.Label = d.Version
	}
	if x.AppConfig != nil {
		v.LaunchConfig = x.Config
		if bytes.Equal(x.Config, []byte("null")) {
			v.LaunchConfig = nil
		}
	}
	launch := d.Interfaces["launch"]
	if launch.Backend != nil {
		v.Backend = launch.Backend.Component
	}
	if launch.Frontend != nil {
		v.Frontend = launch.Frontend.Component
	}
	return v, nil
}

// MergeConfigs merges a version's launch config over its app's, as jsonmerge does
// without a schema: objects are merged key by key, anything else is replaced. nil
// is no config. (jsonmerge fails where an object comes over something else; here
// the object replaces it.)
func MergeConfigs(app, version json.RawMessage) json.RawMessage {
	switch {
	case app == nil:
		return version
	case version == nil:
		return app
	}
	return encode(merge(decode(app), decode(version)))
}

func merge(base, head map[string]any) map[string]any {
	out := maps.Clone(base)
	for key, v := range head {
		b, okBase := out[key].(map[string]any)
		h, okHead := v.(map[string]any)
		if okBase && okHead {
			v = merge(b, h)
		}
		out[key] = v
	}
	return out
}

func decode(config json.RawMessage) map[string]any {
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	m := map[string]any{}
	if err := d.Decode(&m); err != nil {
		panic(err) // can't happen: configs are objects from the moment they are read
	}
	return m
}

// A number of up to three parts that does not follow a letter, other than v.
var numberGroup = regexp.MustCompile(`(?:^|[^A-Za-z0-9.])[vV]?([0-9]+(?:\.[0-9]+){0,2})`)

// BaseVersion suggests a version for a label: its first number, filled up to three
// parts and without zeros before them, or 0.1.0. "17.05" is 17.5.0, "GVL 4.3.0
// (Galaxy 17.09)" is 4.3.0, "dev" is 0.1.0.
func BaseVersion(label string) schema.Version {
	if m := numberGroup.FindStringSubmatch(label); m != nil {
		parts := append(strings.Split(m[1], "."), "0", "0")[:3]
		for i, p := range parts {
			if parts[i] = strings.TrimLeft(p, "0"); parts[i] == "" {
				parts[i] = "0"
			}
		}
		if v, err := schema.ParseVersion(strings.Join(parts, ".")); err == nil {
			return v
		}
	}
	return schema.Version{Minor: 1}
}

// NextVersion is the first version from v on, counting up its patch number, that is
// not taken. A number that was ever used is taken.
func NextVersion(v schema.Version, taken func(schema.Version) bool) schema.Version {
	for taken(v) {
		v = schema.Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch + 1}
	}
	return v
}

// Listing is what CloudLaunch says of an app and not of its versions. Its texts are
// "" where the file has null, unless the key is in Blank.
type Listing struct {
	Title        string          `json:"title"`
	Status       string          `json:"status"` // shown and filtered by; it hides nothing
	Summary      string          `json:"summary,omitempty"`
	Maintainer   string          `json:"maintainer,omitempty"`
	Description  string          `json:"description,omitempty"`
	Homepage     string          `json:"homepage,omitempty"`
	Icon         string          `json:"icon,omitempty"`
	Order        int             `json:"order"`
	DefaultLabel string          `json:"default_label,omitempty"` // channel "stable"
	Labels       []string        `json:"labels,omitempty"`        // in the order of the file
	LaunchConfig json.RawMessage `json:"launch_config,omitempty"`
	Blank        []string        `json:"blank,omitempty"`
}

// Listing takes the listing out of an app.
func (a App) Listing() Listing {
	l := Listing{
		Title: a.Name, Status: a.Status, Summary: a.Summary, Maintainer: a.Maintainer, Description: a.Description,
		Homepage: a.InfoURL, Icon: a.IconURL, Order: a.DisplayOrder, DefaultLabel: a.DefaultVersion,
		LaunchConfig: a.LaunchConfig, Blank: slices.Clone(a.Blank),
	}
	for _, v := range a.Versions {
		l.Labels = append(l.Labels, v.Label)
	}
	return l
}

// AppOf puts an app together again: its listing, and the descriptor of each label's
// newest live release. The versions come in the order of the listing's labels, and
// those it does not know after them.
func AppOf(slug string, l Listing, releases []*schema.Descriptor) (App, error) {
	a := App{
		Slug: slug, Name: l.Title, Status: l.Status, Summary: l.Summary, Maintainer: l.Maintainer, Description: l.Description,
		InfoURL: l.Homepage, IconURL: l.Icon, DisplayOrder: l.Order, DefaultVersion: l.DefaultLabel,
		LaunchConfig: l.LaunchConfig, Blank: slices.Clone(l.Blank),
	}
	for _, d := range releases {
		v, err := VersionOf(d)
		if err != nil {
			return App{}, err
		}
		a.Versions = append(a.Versions, v)
	}
	place := func(v Version) int {
		if i := slices.Index(l.Labels, v.Label); i >= 0 {
			return i
		}
		return len(l.Labels)
	}
	slices.SortStableFunc(a.Versions, func(v, w Version) int { return place(v) - place(w) })
	return a, nil
}
