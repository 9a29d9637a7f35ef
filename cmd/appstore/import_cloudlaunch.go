package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"appstore/api/client"
	"appstore/schema"
	"appstore/schema/cloudlaunch"
)

// stableChannel is what default_version becomes.
const stableChannel = "stable"

// apps makes plans of the text of CloudLaunch's registry.
func (im *importer) apps(source string, data []byte) []*plan {
	apps, problems := cloudlaunch.Read(data)
	im.problems(source, problems)
	var plans []*plan
	for _, app := range apps {
		versions, problems := app.Descriptors()
		im.problems(source, problems)
		p := &appPlugin{im: im, app: app, place: fmt.Sprintf("%s:%d:1", source, app.Line)}
		if len(app.Versions) == 0 {
			im.problemLine(fmt.Sprintf("%s: the app %s has no versions, so there is nothing to publish (write one under versions:)", p.place, app.Slug))
		}
		if len(versions) == 0 {
			continue
		}
		one := &plan{releases: len(versions), steps: []step{p.look}}
		for _, v := range versions {
			one.steps = append(one.steps, func(ctx context.Context) error { return p.publish(ctx, v) })
		}
		one.steps = append(one.steps, p.setStable, p.setListing)
		plans = append(plans, one)
	}
	return plans
}

// appPlugin is an app of CloudLaunch on its way to a plugin.
type appPlugin struct {
	im    *importer
	app   cloudlaunch.App
	place string

	taken map[schema.Version]bool
	lines map[string]line // by label
	now   *client.Plugin  // nil if it is new
}

// line is the releases under one label: its newest one.
type line struct {
	version schema.Version
	digest  string // sha256 of its descriptor
}

// look learns which numbers are taken and which lines there are.
func (p *appPlugin) look(ctx context.Context) error {
	p.taken, p.lines, p.now = map[schema.Version]bool{}, map[string]line{}, nil
	now, err := p.im.c.Plugin(ctx, p.app.Slug)
	var answer *client.Error
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound && answer.Code != "" {
		return nil
	}
	if err != nil {
		return &placed{p.place, err}
	}
	p.now = now
	for after := ""; ; {
		page, err := p.im.c.Releases(ctx, p.app.Slug, "", after, 100)
		if err != nil {
			return &placed{p.place, err}
		}
		for _, r := range page.Items {
			p.count(r)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	var refs []client.Ref
	for _, l := range p.lines {
		refs = append(refs, client.Ref{Name: p.app.Slug, Ref: l.version.String()})
	}
	newest, err := p.im.resolve(ctx, refs)
	if err != nil {
		return &placed{p.place, err}
	}
	for _, r := range newest {
		label := lineOf(r.Label, r.Version)
		l := p.lines[label]
		l.digest = r.Source.SHA256
		p.lines[label] = l
	}
	return nil
}

// lineOf is the line of a release: without a label its version is one.
func lineOf(label, version string) string {
	if label == "" {
		return version
	}
	return label
}

func (p *appPlugin) count(r client.ReleaseSummary) {
	v, err := schema.ParseVersion(r.Version)
	if err != nil {
		return // can't be
	}
	p.taken[v] = true
	label := lineOf(r.Label, r.Version)
	if l, ok := p.lines[label]; !ok || v.Compare(l.version) > 0 {
		p.lines[label] = line{version: v}
	}
}

// maxMoves bounds how often a release moves on to the next number because the
// one before is taken by a release that can't be seen.
const maxMoves = 100

// publish publishes a version of the app as the next release of its line,
// unless the newest one has the same content.
func (p *appPlugin) publish(ctx context.Context, c cloudlaunch.Converted) error {
	from := c.Base
	if newest, ok := p.lines[c.Label]; ok {
		same, err := p.same(ctx, c, newest)
		if err != nil {
			return &placed{p.place, err}
		}
		if same {
			p.im.change(func(t *tally) { t.Unchanged++ })
			return nil
		}
		from = newest.version
	}
	for range maxMoves {
		v := cloudlaunch.NextVersion(from, func(v schema.Version) bool { return p.taken[v] })
		text, err := c.Render(v)
		if err != nil {
			return &placed{p.place, err}
		}
		published, err := p.im.c.Publish(ctx, p.app.Slug, text, nil, nil)
		var answer *client.Error
		if errors.As(err, &answer) && answer.Code == "version-exists" {
			p.taken[v] = true
			continue
		}
		if err != nil {
			return &placed{p.place, err}
		}
		p.taken[v] = true
		p.lines[c.Label] = line{v, published.Source.SHA256}
		p.im.change(func(t *tally) { t.Published++ })
		return nil
	}
	return &placed{p.place, fmt.Errorf("no number is free for the version %q of %s", c.Label, p.app.Slug)}
}

// same tells whether a line's newest release has the content of c. What the
// listing says of the app as a whole is no part of it.
func (p *appPlugin) same(ctx context.Context, c cloudlaunch.Converted, newest line) (bool, error) {
	text, err := c.Render(newest.version)
	if err != nil {
		return false, err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) == newest.digest {
		return true, nil
	}
	there, err := p.im.c.Descriptor(ctx, p.app.Slug, newest.version.String())
	if err != nil {
		return false, err
	}
	d, _ := schema.Parse(there)
	return d != nil && cloudlaunch.Content(d) == c.Content(), nil
}

// setStable points the channel stable to the line of the default version.
func (p *appPlugin) setStable(ctx context.Context) error {
	l, ok := p.lines[p.app.DefaultVersion]
	if p.app.DefaultVersion == "" || !ok {
		return nil
	}
	if p.now != nil && p.now.Channels[stableChannel] == l.version.String() {
		return nil
	}
	if _, err := p.im.c.SetChannel(ctx, p.app.Slug, stableChannel, l.version.String()); err != nil {
		return &placed{p.place, err}
	}
	p.im.change(func(t *tally) { t.Channels++ })
	return nil
}

// setListing stores what the file says of the app as a whole.
func (p *appPlugin) setListing(ctx context.Context) error {
	l := p.app.Listing()
	source, err := json.Marshal(l)
	if err != nil {
		return &placed{p.place, err}
	}
	want := client.Listing{
		Title: l.Title, Summary: l.Summary, Icon: l.Icon, Status: l.Status, Order: l.Order, Labels: l.Labels, Source: source,
	}
	if p.now != nil && sameListing(p.now.Listing, want) {
		return nil
	}
	if len(p.taken) == 0 {
		return nil // nothing of it could be published, and that was said
	}
	if _, err := p.im.c.SetListing(ctx, p.app.Slug, want); err != nil {
		return &placed{p.place, err}
	}
	p.im.change(func(t *tally) { t.Listings++ })
	return nil
}

// sameListing compares two listings, whatever the order of keys and the spaces
// in their JSON.
func sameListing(a, b client.Listing) bool {
	canonical := func(l client.Listing) []byte {
		text, err := json.Marshal(l)
		if err != nil {
			return nil
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		text, _ = json.Marshal(v)
		return text
	}
	one := canonical(a)
	return one != nil && bytes.Equal(one, canonical(b))
}
