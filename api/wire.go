package api

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"appstore/api/client"
	"appstore/registry"
)

// link joins percent-encoded segments to the public address.
func (s *server) link(segments ...string) string {
	var b strings.Builder
	b.WriteString(s.base)
	for _, segment := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(segment))
	}
	return b.String()
}

func (s *server) apiURL(name string, more ...string) string {
	return s.link(append([]string{"api", "v1", "plugins", name}, more...)...)
}

func (s *server) pageURL(name string) string { return s.link("plugins", name) }

func (s *server) wirePlugin(p *registry.Plugin, page registry.Page, current *registry.Release) *client.Plugin {
	w := &client.Plugin{
		ID: p.Name, Name: p.Spelling,
		Title: p.Listing.Title, Summary: p.Listing.Summary, Icon: p.Listing.Icon,
		Status: cmp.Or(p.Listing.Status, "LIVE"), Trust: p.Trust,
		Channels: p.Channels, Latest: p.Latest, Default: p.Default,
		Created: p.Created, Updated: p.Updated, Position: p.Position,
		Listing:  client.Listing(p.Listing),
		Releases: s.summaries(p, page.Releases), Total: page.Total, Next: page.Next,
		URL: s.apiURL(p.Name), Page: s.pageURL(p.Name),
	}
	downloads := s.Registry.Downloads(p.Name)
	w.Downloads = client.Downloads{Total: downloads.Total, Releases: downloads.Releases, Clients: downloads.Clients}
	if w.Channels == nil {
		w.Channels = map[string]string{}
	}
	if current != nil {
		d := current.Descriptor
		w.Release = s.wireRelease(current)
		w.Title = cmp.Or(w.Title, d.Title)
		w.Summary = cmp.Or(w.Summary, d.Summary)
		w.Icon = cmp.Or(w.Icon, d.Links.Icon)
	}
	w.Title = cmp.Or(w.Title, p.Spelling)
	return w
}

func (s *server) summaries(p *registry.Plugin, releases []registry.Release) []client.ReleaseSummary {
	channels := map[string][]string{}
	for _, channel := range slices.Sorted(maps.Keys(p.Channels)) {
		version := p.Channels[channel]
		channels[version] = append(channels[version], channel)
	}
	list := make([]client.ReleaseSummary, 0, len(releases))
	for i := range releases {
		r := &releases[i]
		version := r.Descriptor.Version
		w := client.ReleaseSummary{
			Version: version, Label: r.Descriptor.Label, Summary: r.Descriptor.Summary,
			Published: r.Published, State: string(r.State), Reason: r.Reason, Channels: channels[version],
			Files: len(r.Files), Digest: r.Digest, URL: s.apiURL(r.Plugin, "releases", version),
		}
		for _, f := range r.Files {
			w.Size += f.Size
		}
		list = append(list, w)
	}
	return list
}

func (s *server) wireRelease(r *registry.Release) *client.Release {
	w := &client.Release{
		ID: r.Plugin, Name: r.Descriptor.Name, Version: r.Descriptor.Version, Label: r.Descriptor.Label,
		Digest: r.Digest, Published: r.Published, By: r.By, State: string(r.State), Reason: r.Reason,
		Position: r.Position, Descriptor: r.Descriptor,
		Source: s.wireFile(r, &r.Source), Files: make([]client.File, 0, len(r.Files)),
		URL: s.apiURL(r.Plugin, "releases", r.Descriptor.Version), Page: s.pageURL(r.Plugin),
	}
	for i := range r.Files {
		w.Files = append(w.Files, s.wireFile(r, &r.Files[i]))
	}
	for i := range r.Uses {
		w.Uses = append(w.Uses, s.wireFile(r, &r.Uses[i]))
	}
	return w
}

// wireFile leaves out where the file is stored: that is the server's own
// business.
func (s *server) wireFile(r *registry.Release, f *registry.File) client.File {
	w := client.File{
		Name: f.Name, Kind: f.Kind, Ecosystem: f.Package.Ecosystem, Package: f.Package.Name, Version: f.Package.Version,
		RequiresPython: f.RequiresPython, Dependencies: f.Dependencies, InstallScripts: f.InstallScripts, Methods: f.Methods,
		Size: f.Size, SHA256: f.SHA256, SHA512: f.SHA512, SHA1: f.SHA1,
	}
	if f.Kind == "" {
		w.URL = s.apiURL(r.Plugin, "releases", r.Descriptor.Version, "descriptor")
	} else {
		w.URL = s.apiURL(r.Plugin, "releases", r.Descriptor.Version, "files", f.Name)
	}
	return w
}
