package npm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/mail"
	"path"
	"slices"
	"strings"
	"time"

	"appstore/registry"
	"appstore/schema"
)

// Package is what there is of one npm package, as it was at one position.
type Package struct {
	Name string
	Tags map[string]string // dist-tags: tag -> version

	plugin   registry.Plugin
	about    map[string]json.RawMessage // of the plugin, for the full form
	readme   string
	versions map[string]*version
}

// version is one version of a package.
type version struct {
	manifest  map[string]json.RawMessage // abbreviated, with its dist
	published time.Time
	url       string
	file      string // its name
}

// Read reads the npm package of that name. Addresses in it begin with base.
// It returns an *registry.Error with the code NotFound for one never published here.
func Read(ctx context.Context, r *registry.Registry, base, name string) (*Package, error) {
	files, err := r.PackageFiles(ctx, schema.NPM, name)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &registry.Error{Code: registry.NotFound, Detail: "no version of the npm package " + name + " can be had", Fix: "ask the operator why it was withdrawn"}
	}
	p := &Package{Name: name, versions: make(map[string]*version, len(files))}
	if p.plugin, err = r.Plugin(ctx, files[0].Plugin); err != nil {
		return nil, err
	}
	for i := range files {
		f := &files[i]
		// The same tarball under another name is the same version: the
		// address that was given first stays.
		if there := p.versions[f.Package.Version]; there != nil && !f.Published.Before(there.published) {
			continue
		}
		if p.versions[f.Package.Version], err = readVersion(base, f); err != nil {
			return nil, err
		}
	}
	return p, p.describe(ctx, r, files)
}

func readVersion(base string, f *registry.PackageFile) (*version, error) {
	v := &version{published: f.Published, file: f.Name, url: FileURL(base, f.Plugin, f.Release, f.Name), manifest: map[string]json.RawMessage{}}
	if len(f.Manifest) > 0 {
		if err := json.Unmarshal(f.Manifest, &v.manifest); err != nil {
			return nil, err
		}
	}
	normalise(v.manifest, f.Package.Name)
	set(v.manifest, "name", f.Package.Name)
	set(v.manifest, "version", f.Package.Version)
	set(v.manifest, "dist", map[string]string{"tarball": v.url, "integrity": integrity(&f.File), "shasum": f.SHA1})
	if f.Yanked {
		set(v.manifest, "deprecated", cmp.Or(f.Reason, "this version was yanked"))
	}
	return v, nil
}

// normalise does what npm's client does to a package.json before it publishes
// it, for the two fields that installers rely on (npm/cli,
// @npmcli/package-json, lib/normalize.js): one command written as a text gets
// the package's name, and bundledDependencies its other spelling.
func normalise(m map[string]json.RawMessage, name string) {
	var command string
	if json.Unmarshal(m["bin"], &command) == nil {
		set(m, "bin", map[string]string{path.Base(name): command})
	}
	if bundled, ok := m["bundledDependencies"]; ok {
		if _, ok := m["bundleDependencies"]; !ok {
			m["bundleDependencies"] = bundled
		}
		delete(m, "bundledDependencies")
	}
}

// set puts a value that encodes without fail.
func set(m map[string]json.RawMessage, key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // only texts, lists and maps of texts are given
	}
	m[key] = text
}

// describe finds the tags, and what the default release says of the plugin.
func (p *Package) describe(ctx context.Context, r *registry.Registry, files []registry.PackageFile) error {
	p.Tags = map[string]string{}
	for channel := range p.plugin.Channels {
		release, err := r.Resolve(ctx, p.plugin.Name, channel)
		if isNotFound(err) {
			continue // it points to what was yanked
		}
		if err != nil {
			return err
		}
		if v := p.versionIn(&release); v != "" {
			p.Tags[channel] = v
		}
	}
	release, err := r.Resolve(ctx, p.plugin.Name, "")
	switch {
	case isNotFound(err): // none is live
		if release, err = r.Resolve(ctx, p.plugin.Name, files[0].Release); err != nil {
			return err
		}
		p.Tags["latest"] = files[0].Package.Version
	case err != nil:
		return err
	default:
		latest := p.versionIn(&release)
		if latest == "" { // the default release does without the package
			newest := max(0, slices.IndexFunc(files, func(f registry.PackageFile) bool { return !f.Yanked }))
			latest = files[newest].Package.Version
		}
		p.Tags["latest"] = latest
	}
	p.about = about(&release)
	p.readme = release.Descriptor.Description
	return nil
}

// versionIn is the version of the package that a release brings or uses, or "".
func (p *Package) versionIn(r *registry.Release) string {
	for _, list := range [][]registry.File{r.Files, r.Uses} {
		for _, f := range list {
			if f.Package.Ecosystem == schema.NPM && f.Package.Name == p.Name && p.versions[f.Package.Version] != nil {
				return f.Package.Version
			}
		}
	}
	return ""
}

// person is how npm writes one.
type person struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// about gives what a descriptor says in the keys of package.json. It is the
// plugin's word on all versions, as a version's own package.json is kept in
// its abbreviated form only.
func about(r *registry.Release) map[string]json.RawMessage {
	d := &r.Descriptor
	m := map[string]json.RawMessage{}
	for key, text := range map[string]string{"description": d.Summary, "homepage": d.Links.Homepage, "license": d.License} {
		if text != "" {
			set(m, key, text)
		}
	}
	if d.Links.Source != "" {
		set(m, "repository", map[string]string{"type": "git", "url": d.Links.Source})
	}
	if words := keywords(d.Categories, d.Tags); len(words) > 0 {
		set(m, "keywords", words)
	}
	if who := people(d.Maintainer); len(who) > 0 {
		set(m, "maintainers", who)
	}
	return m
}

func keywords(categories, tags []string) []string {
	words := slices.Concat(categories, tags)
	slices.Sort(words)
	return slices.Compact(words)
}

// people reads a maintainer: "Jane Roe <jane@example.org>", several with
// commas, or any text.
func people(text string) []person {
	if text == "" {
		return nil
	}
	list, err := mail.ParseAddressList(text)
	if err != nil {
		return []person{{Name: text}}
	}
	var all []person
	for _, a := range list {
		all = append(all, person{cmp.Or(a.Name, a.Address), a.Address})
	}
	return all
}

// Abbreviated is the packument for installers.
func (p *Package) Abbreviated() ([]byte, error) {
	versions := make(map[string]map[string]json.RawMessage, len(p.versions))
	for number, v := range p.versions {
		versions[number] = v.manifest
	}
	return json.Marshal(struct {
		Name     string                                `json:"name"`
		Modified time.Time                             `json:"modified"`
		Tags     map[string]string                     `json:"dist-tags"`
		Versions map[string]map[string]json.RawMessage `json:"versions"`
	}{p.Name, stamp(p.plugin.Updated), p.Tags, versions})
}

// Full is the packument for people.
func (p *Package) Full() ([]byte, error) {
	m := maps.Clone(p.about)
	versions := make(map[string]map[string]json.RawMessage, len(p.versions))
	times := map[string]time.Time{"modified": stamp(p.plugin.Updated)}
	for number, v := range p.versions {
		versions[number] = p.full(number)
		times[number] = stamp(v.published)
		if created, ok := times["created"]; !ok || v.published.Before(created) {
			times["created"] = stamp(v.published)
		}
	}
	set(m, "_id", p.Name)
	set(m, "name", p.Name)
	set(m, "dist-tags", p.Tags)
	set(m, "time", times)
	set(m, "versions", versions)
	if p.readme != "" {
		set(m, "readme", p.readme)
	}
	return json.Marshal(m)
}

// stamp is a time as npm writes it: in milliseconds.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func (p *Package) full(number string) map[string]json.RawMessage {
	m := maps.Clone(p.about)
	maps.Copy(m, p.versions[number].manifest)
	set(m, "_id", p.Name+"@"+number)
	return m
}

// Version is the document of one version, or of the one that a tag names. It
// is nil if there is none.
func (p *Package) Version(ref string) ([]byte, error) {
	if number, ok := p.Tags[ref]; ok {
		ref = number
	}
	if p.versions[ref] == nil {
		return nil, nil
	}
	return json.Marshal(p.full(ref))
}

// Tarball is the address of a tarball by its file name, in npm's own form or
// as it was uploaded; "" if there is none.
func (p *Package) Tarball(file string) string {
	for number, v := range p.versions {
		if file == TarballName(p.Name, number) {
			return v.url
		}
	}
	for _, v := range p.versions {
		if file == v.file {
			return v.url
		}
	}
	return ""
}

// Size is about how many bytes the package and its documents take in memory.
func (p *Package) Size() int {
	n := 4096 + len(p.readme)
	for _, raw := range p.about {
		n += len(raw) * len(p.versions)
	}
	for _, v := range p.versions {
		n += 512
		for key, raw := range v.manifest {
			n += 4 * (len(key) + len(raw)) // itself, and in both forms of the packument
		}
	}
	return n
}

func isNotFound(err error) bool {
	var e *registry.Error
	return errors.As(err, &e) && e.Code == registry.NotFound
}

// username is how a search shows a person.
func username(p person) string { return strings.TrimSpace(cmp.Or(p.Name, p.Email)) }
