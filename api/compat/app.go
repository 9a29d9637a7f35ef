package compat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"appstore/registry"
	"appstore/schema"
	"appstore/schema/cloudlaunch"
)

// defaultOrder is CloudLaunch's display_order for apps that have none.
const defaultOrder = 10000

const maxTitle = 60 // runes, of CloudLaunch's Application.name

// slug is a plugin's name as Django's SlugField takes it. Names are unique in
// their normalised form, in which "." and "-" are the same, so slugs are too.
func slug(p *registry.Plugin) string { return strings.ReplaceAll(p.Spelling, ".", "-") }

// label is the name of the line that a release belongs to.
func label(d *schema.Descriptor) string { return cmp.Or(d.Label, d.Version) }

// imported gives what an import kept of the app's listing.
func imported(p *registry.Plugin) (cloudlaunch.Listing, bool) {
	var l cloudlaunch.Listing
	if len(p.Listing.Source) == 0 || json.Unmarshal(p.Listing.Source, &l) != nil || l.Title == "" || l.Status == "" {
		return cloudlaunch.Listing{}, false // of something else than an import
	}
	return l, true
}

// listing says of a plugin what CloudLaunch says of an app and not of its
// versions. source is what an import kept, if there was one; current is the
// release that no ref means.
func listing(p *registry.Plugin, source cloudlaunch.Listing, current *schema.Descriptor) cloudlaunch.Listing {
	l := source
	if source.Title == "" {
		l = cloudlaunch.Listing{
			Title: cut(cmp.Or(current.Title, p.Spelling), maxTitle), Summary: current.Summary,
			Maintainer: current.Maintainer, Description: current.Description,
			Homepage: current.Links.Homepage, Icon: current.Links.Icon,
			Status: cloudlaunch.Live, Order: defaultOrder,
		}
	}
	l.Status = cmp.Or(p.Listing.Status, l.Status)
	l.Order = cmp.Or(p.Listing.Order, l.Order)
	l.Title = cmp.Or(p.Listing.Title, l.Title)
	l.Summary = cmp.Or(p.Listing.Summary, l.Summary)
	l.Icon = cmp.Or(p.Listing.Icon, l.Icon)
	if p.Listing.Labels != nil {
		l.Labels = p.Listing.Labels
	}
	// An app whose file names no default version keeps none, until the channel
	// says one.
	if _, set := p.Channels["stable"]; set || source.Title == "" || source.DefaultLabel != "" {
		l.DefaultLabel = label(current)
	}
	return l
}

// app makes the app of a plugin.
func app(p *registry.Plugin, source cloudlaunch.Listing, current *schema.Descriptor, releases []*schema.Descriptor) (cloudlaunch.App, error) {
	full := make([]*schema.Descriptor, 0, len(releases))
	known := false
	for _, d := range releases {
		full = append(full, withModule(d))
		known = known || label(d) == label(current)
	}
	l := listing(p, source, current)
	if l.DefaultLabel != "" && !known {
		l.DefaultLabel = label(releases[0]) // what no ref means is nothing to launch
	}
	return cloudlaunch.AppOf(slug(p), l, full)
}

// withModule writes a back end's bare class as module.Class: CloudLaunch imports
// what stands before the last dot. The module has the package's name.
func withModule(d *schema.Descriptor) *schema.Descriptor {
	launch, ok := d.Interfaces["launch"]
	if !ok || launch.Backend == nil || launch.Backend.Package.Name == "" || launch.Backend.Component == "" || strings.Contains(launch.Backend.Component, ".") {
		return d
	}
	backend := *launch.Backend
	backend.Component = strings.ReplaceAll(schema.Normalise(backend.Package.Name), "-", "_") + "." + backend.Component
	launch.Backend = &backend
	changed := *d
	changed.Interfaces = map[string]schema.Interface{"launch": launch}
	return &changed
}

func cut(s string, runes int) string {
	r := []rune(s)
	return string(r[:min(len(r), runes)])
}

// head is the line over the apps in a registry file that has any.
const head = "apps:\n"

// text writes an app as it stands in a registry file, under its head. CloudLaunch
// checks nothing of what it reads, so what it can't hold is an error here.
func text(a cloudlaunch.App) ([]byte, error) {
	file, err := cloudlaunch.Write([]cloudlaunch.App{a})
	if err != nil {
		return nil, err
	}
	if _, problems := cloudlaunch.Read(file); len(problems) > 0 {
		return nil, problems
	}
	return bytes.TrimPrefix(file, []byte(head)), nil
}
