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
	position uint64 // of the plugin
	out      bool   // it has no live release, or CloudLaunch can't hold it
	app      cloudlaunch.App
}

// pages are all plugins at a position of the catalogue.
type pages struct {
	position uint64
	names    []string // that have a live release, in their order
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
	apps := make([]cloudlaunch.App, 0, len(found))
	for _, f := range found {
		apps = append(apps, f.app)
	}
	return cloudlaunch.Write(apps)
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
		for i := range page {
			p := &page[i]
			if p.Live == 0 {
				continue
			}
			now.names = append(now.names, p.Name)
			if status, order := place(p); status == Status {
				now.live = append(now.live, p.Name)
				orders[p.Name] = order
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
	app    cloudlaunch.App
}

// of gives the apps of plugins in the order of the names, without those that have
// none.
func (c *Catalogue) of(ctx context.Context, names []string) ([]found, error) {
	all := make([]*found, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, name := range names {
		g.Go(func() error {
			f, err := c.find(ctx, name)
			all[i] = f
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var some []found
	for _, f := range all {
		if f != nil {
			some = append(some, *f)
		}
	}
	return some, nil
}

// find is nil for a plugin that is unknown or has no app.
func (c *Catalogue) find(ctx context.Context, name string) (*found, error) {
	p, err := c.reg.Plugin(ctx, name)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept, ok := c.apps.get(p.Name)
	if !ok || kept.position != p.Position {
		if kept, err = c.make(ctx, &p); err != nil {
			return nil, err
		}
	}
	if kept.out {
		return nil, nil
	}
	return &found{p, kept.app}, nil
}

func missing(err error) bool {
	var e *registry.Error
	return errors.As(err, &e) && e.Code == registry.NotFound
}

// make makes the app of a plugin and keeps it.
func (c *Catalogue) make(ctx context.Context, p *registry.Plugin) (one, error) {
	current, releases, err := c.lines(ctx, p)
	if err != nil {
		return one{}, err
	}
	made := one{position: p.Position, out: current == nil}
	if !made.out {
		source, _ := imported(p)
		made.app, err = app(p, source, current, releases)
		if err == nil {
			err = importable(made.app)
		}
		if err != nil {
			made.out = true
			c.log.Warn("CloudLaunch can't hold this plugin; its catalogue goes without it", "plugin", p.Name, "error", err)
		}
	}
	size := 512
	for _, v := range made.app.Versions {
		size += 256 + len(v.LaunchConfig)
	}
	c.apps.put(p.Name, made, size+len(made.app.Description)+len(made.app.LaunchConfig))
	return made, nil
}

// lines gives the newest live release of each label, the newest first, and the one
// that no ref means; nil if none is live.
func (c *Catalogue) lines(ctx context.Context, p *registry.Plugin) (current *schema.Descriptor, newest []*schema.Descriptor, err error) {
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
			if seen[label(d)] {
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
		current = newest[0] // changed since p was read; p's next state is another
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
