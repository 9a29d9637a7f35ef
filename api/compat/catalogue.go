package compat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"appstore/api/shelf"
	"appstore/registry"
	"appstore/schema"
	"appstore/schema/cloudlaunch"
	"appstore/storage"
)

// Bounds.
const (
	keptApps        = 64 << 20 // bytes of apps that are kept
	keptDescriptors = 32 << 20 // bytes of what descriptor files say
	readers         = 16       // plugins that are read at once
)

// Catalogue gives a registry's plugins as CloudLaunch's apps. Its methods may be
// called from many goroutines. Errors are the registry's.
type Catalogue struct {
	reg  *registry.Registry
	log  *slog.Logger
	apps *shelf.Shelf[registry.Mark, one] // by the plugin's name
	read *shelf.Shelf[struct{}, details]  // by the descriptor's sha256
	all  *shelf.Shelf[registry.Mark, *pages]
}

// one is a plugin as an app, at one state.
type one struct {
	out  bool            // it has no live release that CloudLaunch can launch, or can't be held
	app  cloudlaunch.App // without launch configs: those are in text only
	text []byte          // as it stands in the file
}

// pages are all plugins at one state of the catalogue.
type pages struct {
	names []string // of those that have an app, in their order
	live  []string // of those whose status is LIVE, in the order of CloudLaunch's page
}

// New makes a Catalogue; log is told of plugins that CloudLaunch can't hold.
func New(reg *registry.Registry, log *slog.Logger) *Catalogue {
	return &Catalogue{
		reg: reg, log: log,
		apps: shelf.New[registry.Mark](keptApps, func(a one) int { return 512 + 2*len(a.text) }), // the texts of app are in text again
		read: shelf.New[struct{}](keptDescriptors, func(d details) int { return len(d.config) + len(d.extension) + 128 }),
		all:  shelf.New[registry.Mark](math.MaxInt, func(*pages) int { return 1 }),
	}
}

// File is app-registry.yaml with every app.
func (c *Catalogue) File(ctx context.Context) ([]byte, error) {
	all, err := c.whole(ctx)
	if err != nil {
		return nil, err
	}
	return c.Part(ctx, all.names)
}

// Part is app-registry.yaml with the plugins of these normalised names, in the
// order of the names. One that is unknown, or has no app, is left out.
func (c *Catalogue) Part(ctx context.Context, names []string) ([]byte, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	found, err := c.of(ctx, names)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return cloudlaunch.Write(nil)
	}
	file := []byte(head)
	for _, f := range found {
		file = append(file, f.text...)
	}
	return file, nil
}

// Live gives the names of the plugins whose status is LIVE, in the order of
// CloudLaunch's page.
func (c *Catalogue) Live(ctx context.Context) ([]string, error) {
	all, err := c.whole(ctx)
	if err != nil {
		return nil, err
	}
	return all.live, nil
}

// whole goes through the plugins, once for each state of the catalogue.
func (c *Catalogue) whole(ctx context.Context) (*pages, error) {
	if err := c.reg.Movable(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // others may wait for it
	return c.all.Get("", c.reg.Mark(), func() (*pages, error) { return c.goThrough(ctx) })
}

func (c *Catalogue) goThrough(ctx context.Context) (*pages, error) {
	now := &pages{}
	orders := map[string]int{}
	for after := ""; ; {
		page, next, err := c.reg.Plugins(ctx, after, registry.MaxPage)
		if err != nil {
			return nil, err
		}
		apps, err := c.each(ctx, page)
		if err != nil {
			return nil, err
		}
		for i, p := range page {
			if apps[i].out {
				continue
			}
			now.names = append(now.names, p.Name)
			if apps[i].app.Status == Status {
				now.live = append(now.live, p.Name)
				orders[p.Name] = apps[i].app.DisplayOrder
			}
		}
		if after = next; after == "" {
			break
		}
	}
	slices.SortStableFunc(now.live, func(a, b string) int { return cmp.Compare(orders[a], orders[b]) })
	return now, nil
}

// found is an app and the plugin that it is made of.
type found struct {
	plugin registry.Plugin
	one
}

// of gives the apps of plugins in the order of the names, without those that have
// none.
func (c *Catalogue) of(ctx context.Context, names []string) ([]found, error) {
	var plugins []registry.Plugin
	for _, name := range names {
		p, err := c.reg.Plugin(ctx, name)
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		plugins = append(plugins, p)
	}
	apps, err := c.each(ctx, plugins)
	if err != nil {
		return nil, err
	}
	var all []found
	for i, p := range plugins {
		if !apps[i].out {
			all = append(all, found{p, apps[i]})
		}
	}
	return all, nil
}

// each gives each plugin's app, several at once where they must be read.
func (c *Catalogue) each(ctx context.Context, plugins []registry.Plugin) ([]one, error) {
	apps := make([]one, len(plugins))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i := range plugins {
		p := &plugins[i]
		if kept, mark, ok := c.apps.Peek(p.Name); ok && mark == p.Mark() {
			apps[i] = kept
			continue
		}
		g.Go(func() (err error) {
			apps[i], err = c.apps.Get(p.Name, p.Mark(), func() (one, error) { return c.make(context.WithoutCancel(ctx), p) })
			return err
		})
	}
	return apps, g.Wait()
}

func missing(err error) bool {
	var e *registry.Error
	return errors.As(err, &e) && e.Code == registry.NotFound
}

// make makes the app of a plugin.
func (c *Catalogue) make(ctx context.Context, p *registry.Plugin) (one, error) {
	made := one{out: p.Live == 0}
	if made.out {
		return made, nil
	}
	source, ok := imported(p)
	current, releases, err := c.lines(ctx, p, ok)
	if err != nil {
		return one{}, err
	}
	if made.out = len(releases) == 0; !made.out {
		made.app, err = app(p, source, current, releases)
		if err == nil {
			made.text, err = text(made.app)
		}
		if err != nil {
			made.out = true
			c.log.Warn("CloudLaunch can't hold this plugin; its catalogue goes without it", "plugin", p.Name, "error", err)
		}
	}
	made.app.LaunchConfig = nil
	for i := range made.app.Versions {
		made.app.Versions[i].LaunchConfig = nil
	}
	return made, nil
}

// lines gives the newest live release of each label, the newest first, of those
// that have something to launch or, with all, of all; and the release that no ref
// means.
func (c *Catalogue) lines(ctx context.Context, p *registry.Plugin, all bool) (current *schema.Descriptor, newest []*schema.Descriptor, err error) {
	seen := map[string]bool{}
	for after := ""; ; {
		page, err := c.reg.Releases(ctx, p.Name, "", after, registry.MaxPage)
		if err != nil {
			return nil, nil, err
		}
		for i := range page.Releases {
			r := &page.Releases[i]
			if r.State != registry.Live {
				continue
			}
			d := &r.Descriptor
			if d.Version == p.Default {
				current = d
			}
			if _, launch := d.Interfaces["launch"]; seen[label(d)] || !launch && !all {
				continue
			}
			seen[label(d)] = true
			if err := c.complete(ctx, r); err != nil {
				return nil, nil, err
			}
			newest = append(newest, d)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if current == nil && len(newest) > 0 {
		current = newest[0] // it was yanked since p was read: p has another mark by now
	}
	return current, newest, nil
}

// details are what only the descriptor's file says.
type details struct {
	config, extension json.RawMessage
}

// complete adds to a release's descriptor what only its file says.
func (c *Catalogue) complete(ctx context.Context, r *registry.Release) error {
	more, err := c.read.Get(r.Source.SHA256, struct{}{}, func() (more details, err error) {
		content, err := c.reg.OpenFile(ctx, r.Source, storage.Read{})
		if err != nil {
			return more, err
		}
		text, err := io.ReadAll(content)
		content.Close()
		if err != nil {
			return more, err
		}
		d, _ := schema.Parse(text)
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != r.Source.SHA256 || d == nil {
			return more, &registry.Error{
				Code: registry.Damaged, Fix: "tell the operator: a published file was changed",
				Detail: "the descriptor of " + r.Plugin + "@" + r.Descriptor.Version + " is not as it was published",
			}
		}
		return details{d.DefaultConfig, d.Extensions[cloudlaunch.Extension]}, nil
	})
	if err != nil {
		return err
	}
	r.Descriptor.DefaultConfig = more.config
	if more.extension != nil {
		r.Descriptor.Extensions = map[string]json.RawMessage{cloudlaunch.Extension: more.extension}
	}
	return nil
}
