package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"appstore/api/client"
	"appstore/schema"
)

// releasesOf collects releases by their plugin.
type releasesOf struct {
	im      *importer
	plugins map[string]*folderPlugin // by normalised name
}

// folderPlugin is a plugin of a folder.
type folderPlugin struct {
	im       *importer
	name     string
	releases []folderRelease
	channels []wantedChannel
	there    map[string]string // version: digest of the release on the server
}

type folderRelease struct {
	place      string // of the descriptor
	descriptor *schema.Descriptor
	version    schema.Version
	text       []byte
	files      []string
}

type wantedChannel struct{ channel, version, place string }

func (r *releasesOf) plugin(name string) *folderPlugin {
	key := schema.Normalise(name)
	if r.plugins[key] == nil {
		r.plugins[key] = &folderPlugin{im: r.im, name: name}
	}
	return r.plugins[key]
}

// add takes in a descriptor with the files of its packages.
func (r *releasesOf) add(source string, text []byte, files []string) {
	d, problems := schema.Parse(text)
	if d == nil {
		r.im.problems(source, problems)
		return
	}
	version, err := schema.ParseVersion(d.Version)
	if err != nil {
		r.im.problem(&placed{source, err}) // can't be: Parse has checked it
		return
	}
	p := r.plugin(d.Name)
	p.releases = append(p.releases, folderRelease{source, d, version, text, files})
}

// plans gives a plan for each plugin, in the order of their names.
func (r *releasesOf) plans() []*plan {
	var all []*plan
	for _, key := range slices.Sorted(maps.Keys(r.plugins)) {
		p := r.plugins[key]
		slices.SortStableFunc(p.releases, func(a, b folderRelease) int { return a.version.Compare(b.version) })
		one := &plan{releases: len(p.releases)}
		if len(p.releases) > 0 {
			one.steps = append(one.steps, p.look)
		}
		for _, release := range p.releases {
			one.steps = append(one.steps, func(ctx context.Context) error { return p.publish(ctx, release) })
		}
		if len(p.channels) > 0 {
			one.steps = append(one.steps, p.setChannels)
		}
		all = append(all, one)
	}
	return all
}

// maxRefs is how many refs one request resolves.
const maxRefs = 100

// look learns which of the releases are on the server.
func (p *folderPlugin) look(ctx context.Context) error {
	var refs []client.Ref
	for _, r := range p.releases {
		refs = append(refs, client.Ref{Name: p.name, Ref: r.descriptor.Version})
	}
	there, err := p.im.resolve(ctx, refs)
	p.there = map[string]string{}
	for _, r := range there {
		p.there[r.Version] = r.Digest
	}
	return err
}

// resolve gives those of the releases that are there.
func (im *importer) resolve(ctx context.Context, refs []client.Ref) ([]*client.Release, error) {
	var found []*client.Release
	for batch := range slices.Chunk(refs, maxRefs) {
		answers, err := im.c.Resolve(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, r := range answers {
			if r.Problem != nil && r.Problem.Status != http.StatusNotFound {
				return nil, r.Problem
			}
			if r.Release != nil {
				found = append(found, r.Release)
			}
		}
	}
	return found, nil
}

// publish publishes a release that is not there.
func (p *folderPlugin) publish(ctx context.Context, r folderRelease) error {
	digest, err := localDigest(r.text, r.files)
	if err != nil {
		return &placed{r.place, err}
	}
	switch p.there[r.descriptor.Version] {
	case digest:
		p.im.change(func(t *tally) { t.Unchanged++ })
		return nil
	case "":
	default:
		return &placed{r.place, fmt.Errorf("%s@%s is published with other content (a release never changes: give it a new version)", r.descriptor.Name, r.descriptor.Version)}
	}
	files, err := sources(r.files)
	if err != nil {
		return &placed{r.place, err}
	}
	published, err := p.im.c.Publish(ctx, r.descriptor.Name, r.text, files, nil)
	if err != nil {
		return &placed{r.place, err}
	}
	p.there[r.descriptor.Version] = published.Digest
	p.im.change(func(t *tally) {
		if published.Created {
			t.Published++
		} else {
			t.Unchanged++
		}
	})
	if len(files) > 0 {
		p.im.files.Add(1)
	}
	return nil
}

// setChannels points those channels that point elsewhere.
func (p *folderPlugin) setChannels(ctx context.Context) error {
	now, err := p.im.c.Plugin(ctx, p.name)
	if err != nil {
		return &placed{p.channels[0].place, err}
	}
	var all error
	for _, c := range p.channels {
		if now.Channels[c.channel] == c.version {
			continue
		}
		if _, err := p.im.c.SetChannel(ctx, p.name, c.channel, c.version); err != nil {
			if stops(err) {
				return err
			}
			all = errors.Join(all, &placed{c.place, err})
			continue
		}
		p.im.change(func(t *tally) { t.Channels++ })
	}
	return all
}

// localDigest is the digest of a release, of a descriptor and files that are
// here: the sha256 over the lines of their sorted digests.
func localDigest(text []byte, files []string) (string, error) {
	sum := sha256.Sum256(text)
	digests := []string{hex.EncodeToString(sum[:])}
	for _, name := range files {
		digest, err := fileDigest(name)
		if err != nil {
			return "", err
		}
		digests = append(digests, digest)
	}
	return releaseDigest(digests), nil
}

func releaseDigest(digests []string) string {
	digests = slices.Sorted(slices.Values(digests))
	sum := sha256.Sum256([]byte(strings.Join(digests, "\n") + "\n"))
	return hex.EncodeToString(sum[:])
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
