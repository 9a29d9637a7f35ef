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
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

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
	apps cache[string, one]     // by the plugin's name
	read cache[string, details] // by the descriptor's sha256

	mu    sync.Mutex // held while all plugins are gone through
	pages *pages
}

// one is a plugin as an app, at one state.
type one struct {
	position uint64          // of the plugin
	out      bool            // it has no live release that CloudLaunch can launch, or can't be held
	app      cloudlaunch.App // without launch configs: those are in text only
	text     []byte          // as it stands in the file
}

// pages are all plugins at a position of the catalogue.
type pages struct {
	position uint64
	names    []string // of those that have an app, in their order
	live     []string // of those whose status is LIVE, in the order of CloudLaunch's page
}

// New makes a Catalogue; log is told of plugins that CloudLaunch can't hold.
func New(reg *registry.Registry, log *slog.Logger) *Catalogue {
	return &Catalogue{
		reg: reg, log: log,
		apps: cache[string, one]{most: keptApps}, read: cache[string, details]{most: keptDescriptors},
	}
}

// Current is nil while the registry can speak for what may have changed.
func (c *Catalogue) Current(ctx context.Context) error {
	_, _, err := c.reg.Plugins(ctx, "", 1)
	return err
}

// File is app-registry.yaml with every app.
func (c *Catalogue) File(ctx context.Context) ([]byte, error) {
	all, err := c.all(ctx)
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
	all, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	return all.live, nil
}

// all goes through the plugins, once for each position of the catalogue.
func (c *Catalogue) all(ctx context.Context) (*pages, error) {
	if err := c.Current(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Read first: what comes in meanwhile is seen too, or leads to another round.
	position := c.reg.Position()
	if c.pages != nil && c.pages.position == position {
		return c.pages, nil
	}
	now := &pages{position: position}
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
	c.pages = now
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
		if kept, ok := c.apps.get(p.Name); ok && kept.position == p.Position {
			apps[i] = kept
			continue
		}
		g.Go(func() (err error) {
			apps[i], err = c.make(ctx, p)
			return err
		})
	}
	return apps, g.Wait()
}

func missing(err error) bool {
	var e *registry.Error
	return errors.As(err, &e) && e.Code == registry.NotFound
}

// make makes the app of a plugin and keeps it.
func (c *Catalogue) make(ctx context.Context, p *registry.Plugin) (one, error) {
	made := one{position: p.Position, out: p.Live == 0}
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
	c.apps.put(p.Name, made, 512+2*len(made.text)) // the texts of app are in text again
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
		current = newest[0] // it was yanked since p was read: p has another position by now
	}
	return current, newest, nil
}

// details are what only the descriptor's file says.
type details struct {
	config, extension json.RawMessage
}

// complete adds to a release's descriptor what only its file says.
func (c *Catalogue) complete(ctx context.Context, r *registry.Release) error {
	more, ok := c.read.get(r.Source.SHA256)
	if !ok {
		content, err := c.reg.OpenFile(ctx, r.Source, storage.Read{})
		if err != nil {
			return err
		}
		text, err := io.ReadAll(content)
		content.Close()
		if err != nil {
			return err
		}
		d, _ := schema.Parse(text)
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != r.Source.SHA256 || d == nil {
			return &registry.Error{
				Code: registry.Damaged, Fix: "tell the operator: a published file was changed",
				Detail: "the descriptor of " + r.Plugin + "@" + r.Descriptor.Version + " is not as it was published",
			}
		}
		more = details{d.DefaultConfig, d.Extensions[cloudlaunch.Extension]}
		c.read.put(r.Source.SHA256, more, len(more.config)+len(more.extension)+128)
	}
	r.Descriptor.DefaultConfig = more.config
	if more.extension != nil {
		r.Descriptor.Extensions = map[string]json.RawMessage{cloudlaunch.Extension: more.extension}
	}
	return nil
}
