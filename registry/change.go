package registry

import (
	"context"
	"time"
)

// Yank hides a release from everyone who does not ask for its exact version,
// with a reason; or takes that back.
func (r *Registry) Yank(ctx context.Context, name, version string, yanked bool, reason, by string) (Release, error) {
	if _, err := r.submit(ctx, yank{plugin: name, version: version, yanked: yanked, reason: reason, by: by, now: time.Now().UTC()}); err != nil {
		return Release{}, err
	}
	return r.Resolve(ctx, name, version)
}

// SetChannel points a plugin's channel to a live release; version "" removes it.
func (r *Registry) SetChannel(ctx context.Context, name, channel, version, by string) (Plugin, error) {
	if _, err := r.submit(ctx, setChannel{plugin: name, channel: channel, version: version, by: by, now: time.Now().UTC()}); err != nil {
		return Plugin{}, err
	}
	return r.Plugin(ctx, name)
}

// SetListing changes how a plugin as a whole is presented.
func (r *Registry) SetListing(ctx context.Context, name string, l Listing, by string) (Plugin, error) {
	if _, err := r.submit(ctx, setListing{plugin: name, listing: l, by: by, now: time.Now().UTC()}); err != nil {
		return Plugin{}, err
	}
	return r.Plugin(ctx, name)
}
