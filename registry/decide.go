package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"appstore/registry/artifact"
	"appstore/schema"
)

// A command is what somebody wants to change. decide says which events that
// takes in the state t, or why not; no events and no error mean that it is so
// already. It reads no clock and does no I/O but t's.
type command interface {
	decide(t tx) ([]event, error)
}

// publish releases a descriptor whose files are stored already.
type publish struct{ release Release }

func (c publish) decide(t tx) ([]event, error) {
	r := &c.release
	v, err := schema.ParseVersion(r.Descriptor.Version)
	if err != nil {
		return nil, err
	}
	if there, ok := t.release(r.Plugin, v); ok {
		if there.Digest == r.Digest {
			return nil, nil
		}
		return nil, differs(there, r)
	}
	if err := nameFree(t, r.Plugin, r.Descriptor.Name); err != nil {
		return nil, err
	}
	if p, ok := t.plugin(r.Plugin); ok && p.Releases >= MaxReleases {
		return nil, fail(TooMany, "yank what is obsolete and continue under a new name", "%s has %d releases, the most a plugin can have", p.Spelling, p.Releases)
	}
	for i := range r.Files {
		if err := fileFree(t, r.Plugin, &r.Files[i]); err != nil {
			return nil, err
		}
	}
	if r.Uses, err = stored(t, r); err != nil {
		return nil, err
	}
	return []event{released{*r}}, nil
}

// differs says in what a release differs from the one that has its version.
func differs(there, r *Release) error {
	what := "the files differ"
	if there.Source.SHA256 != r.Source.SHA256 {
		what = "the descriptor differs"
		if !sameFiles(there.Files, r.Files) {
			what = "the descriptor and the files differ"
		}
	}
	return fail(VersionExists, "a published version never changes: give this one a new version",
		"%s %s is published already, and %s", there.Descriptor.Name, there.Descriptor.Version, what)
}

func sameFiles(a, b []File) bool {
	digests := map[string]bool{}
	for _, f := range a {
		digests[f.SHA256] = true
	}
	for _, f := range b {
		if !digests[f.SHA256] {
			return false
		}
	}
	return len(a) == len(b)
}

// nameFree allows a name that is the plugin's own, or new and unlike any other (truth 7).
func nameFree(t tx, plugin, spelling string) error {
	if _, ok := t.plugin(plugin); ok {
		return nil
	}
	if taken := t.Bucket(bucketSkeletons).Get([]byte(schema.Skeleton(plugin))); taken != nil {
		p, ok := t.plugin(string(taken))
		if !ok {
			p = &Plugin{Spelling: string(taken)}
		}
		return fail(NameTaken, "choose a name that can't be mistaken for it", "the name %q looks like %q, which is taken", spelling, p.Spelling)
	}
	return nil
}

// fileFree holds truths 5 and 6.
func fileFree(t tx, plugin string, f *File) error {
	if owner := t.packageOwner(f.Package); owner != "" && owner != plugin {
		return fail(PackageOwned, "to use a stored version name it with its version and upload no file, or publish under another package name",
			"the %s package %q belongs to the plugin %q", f.Package.Ecosystem, f.Package.Name, owner)
	}
	for _, there := range t.packageFiles(f.Package) {
		there := there.File
		switch {
		case there.SHA256 == f.SHA256 && (there.Name == f.Name || f.Package.Ecosystem == schema.NPM):
			return nil
		case there.Name == f.Name:
			return fail(FileExists, "build a new version of the package", "%s of %s %s is published already with other bytes (sha256 %.12s..., yours is %.12s...)",
				f.Name, f.Package.Name, f.Package.Version, there.SHA256, f.SHA256)
		case f.Package.Ecosystem == schema.NPM:
			return fail(FileExists, "an npm version has one tarball for ever: build a new version of the package",
				"%s %s is published already as %s with other bytes", f.Package.Name, f.Package.Version, there.Name)
		}
	}
	return nil
}

// stored gives the files of the packages that a release names with their
// version and brings no file of: they are stored already (truth 6).
func stored(t tx, r *Release) (files []File, err error) {
	seen := map[string]bool{}
	var absent, unknown []string // named without a version; with one that is not stored
	for _, p := range packagesOf(&r.Descriptor) {
		if p.External || brings(r, p) {
			continue
		}
		there := t.packageFiles(p)
		name := fmt.Sprintf("the %s package %q", p.Ecosystem, p.Name)
		switch {
		case p.Version == "":
			absent = add(absent, name)
		case len(there) == 0:
			unknown = add(unknown, name+" "+p.Version)
		}
		if p.Version == "" || len(there) == 0 {
			continue
		}
		if key := string(packageKey(p)); !seen[key] {
			seen[key] = true
			for _, f := range there {
				files = append(files, f.File)
			}
		}
	}
	switch {
	case len(absent) > 0:
		return nil, fail(MissingFile, "upload its file with the release; or add its version, if it is stored already; or mark it external with a version and sha256",
			"the descriptor names %s, but no file of it was uploaded", strings.Join(append(absent, unknown...), " and "))
	case len(unknown) > 0:
		return nil, fail(MissingFile, "upload its file with the release, or mark it external with its sha256",
			"the descriptor uses %s, which is not stored here and of which no file was uploaded", strings.Join(unknown, " and "))
	}
	return files, nil
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func brings(r *Release, p schema.Package) bool {
	for _, f := range r.Files {
		if samePackage(f.Package, p) {
			return true
		}
	}
	return false
}

func samePackage(a, b schema.Package) bool {
	return a.Ecosystem == b.Ecosystem && schema.NormalisePackage(a.Ecosystem, a.Name) == schema.NormalisePackage(b.Ecosystem, b.Name)
}

// sameVersion compares the versions of two packages that are the same.
func sameVersion(a, b schema.Package) bool {
	return artifact.VersionKey(a.Ecosystem, a.Version) == artifact.VersionKey(b.Ecosystem, b.Version)
}

// packagesOf gives every package that the descriptor names, each mention.
func packagesOf(d *schema.Descriptor) []schema.Package {
	var all []schema.Package
	for _, i := range d.Interfaces {
		for _, c := range []*schema.Component{i.Backend, i.Frontend} {
			if c != nil && c.Name != "" {
				all = append(all, c.Package)
			}
		}
	}
	return append(all, d.Libraries...)
}

// yank hides a release from everyone who does not ask for its exact version,
// or takes that back.
type yank struct {
	plugin, version string
	yanked          bool
	reason, by      string
	now             time.Time
}

func (c yank) decide(t tx) ([]event, error) {
	if n := utf8.RuneCountInString(c.reason); n > MaxReason {
		return nil, fail(InvalidRequest, "shorten it", "the reason has %d characters; at most %d are allowed", n, MaxReason)
	}
	r, err := exactly(t, c.plugin, c.version)
	if err != nil {
		return nil, err
	}
	want := Yanked
	if !c.yanked {
		want, c.reason = Live, ""
	}
	switch {
	case r.State == want && r.Reason == c.reason:
		return nil, nil
	case r.State != Live && r.State != Yanked:
		return nil, fail(InvalidRequest, "", "%s %s is %s; only live releases are yanked", c.plugin, c.version, r.State)
	}
	return []event{yanked{Plugin: r.Plugin, Version: r.Descriptor.Version, Yanked: c.yanked, Reason: c.reason, Time: c.now, By: c.by}}, nil
}

func exactly(t tx, plugin, version string) (*Release, error) {
	v, err := schema.ParseVersion(version)
	if err != nil {
		return nil, fail(InvalidRequest, "name one exact version, like 1.2.0", "%v", err)
	}
	r, ok := t.release(schema.Normalise(plugin), v)
	if !ok {
		return nil, notFound(t, plugin, version)
	}
	return r, nil
}

// notFound says what of plugin@ref is missing.
func notFound(t tx, plugin, ref string) error {
	p, ok := t.plugin(schema.Normalise(plugin))
	if !ok {
		return fail(NotFound, "search for it, or check the spelling", "there is no plugin %q", plugin)
	}
	return fail(NotFound, newest(p), "%s has no release %q", p.Spelling, ref)
}

func newest(p *Plugin) string {
	if p.Latest == "" {
		return ""
	}
	return "its newest is " + p.Latest
}

// setChannel points a channel to a release, or with version "" removes it.
type setChannel struct {
	plugin, channel, version, by string
	now                          time.Time
}

func (c setChannel) decide(t tx) ([]event, error) {
	p, ok := t.plugin(schema.Normalise(c.plugin))
	if !ok {
		return nil, notFound(t, c.plugin, "")
	}
	if err := schema.CheckChannel(c.channel); err != nil {
		return nil, fail(InvalidRequest, "", "%v", err)
	}
	if p.Channels[c.channel] == c.version {
		return nil, nil
	}
	if c.version == "" {
		return []event{channelMoved{Plugin: p.Name, Channel: c.channel, Time: c.now, By: c.by}}, nil
	}
	if _, set := p.Channels[c.channel]; !set && len(p.Channels) >= MaxChannels {
		return nil, fail(TooMany, "remove one that is not used any more", "%s has %d channels, the most a plugin can have", p.Spelling, len(p.Channels))
	}
	r, err := exactly(t, c.plugin, c.version)
	if err != nil {
		return nil, err
	}
	if r.State != Live {
		return nil, fail(InvalidRequest, "point it to a live release", "%s %s is %s", p.Spelling, c.version, r.State)
	}
	return []event{channelMoved{Plugin: p.Name, Channel: c.channel, Version: r.Descriptor.Version, Time: c.now, By: c.by}}, nil
}

// setListing changes how the plugin as a whole is presented.
type setListing struct {
	plugin  string
	listing Listing
	by      string
	now     time.Time
}

func (c setListing) decide(t tx) ([]event, error) {
	p, ok := t.plugin(schema.Normalise(c.plugin))
	if !ok {
		return nil, notFound(t, c.plugin, "")
	}
	if err := c.listing.check(); err != nil {
		return nil, err
	}
	if p.Listing.equal(c.listing) {
		return nil, nil
	}
	return []event{listed{Plugin: p.Name, Listing: c.listing, Time: c.now, By: c.by}}, nil
}
