package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"appstore/schema"
	"appstore/storage"
)

const (
	// draftAge is how long what was uploaded waits for the rest of its bundle.
	draftAge = 7 * 24 * time.Hour
	// maxDraftParts bounds what waits, over all plugins.
	maxDraftParts = 1000
	maxDraftFacts = 4 << 20 // bytes
	// maxPluginParts bounds what waits of one plugin, so that it leaves room for others.
	maxPluginParts = 300
)

// Draft is a bundle that comes in several requests, because its clients
// (twine, npm) send one file in each and never say that they are done. The
// upload that completes what the descriptor names publishes it.
type Draft struct {
	Plugin     string // normalised name
	Name       string
	Version    string
	Descriptor schema.Descriptor
	Source     []byte           // the descriptor as it came
	Files      []File           // that have come
	Missing    []schema.Package // of which no file has come yet
	Updated    time.Time

	keys []string             // its objects in the store, facts first
	came map[string]time.Time // by file name
}

// draftPart is one thing that was uploaded: a descriptor, or a file, whose
// content lies beside. Each upload has a folder of its own,
//
//	drafts/<plugin>/<random>/content    only of a file
//	drafts/<plugin>/<random>/facts      created last: now the part is there
//
// so that uploads of one bundle at the same time, on any replicas, need not
// know of each other: a draft is the union of the parts of its version.
type draftPart struct {
	Version    string    `json:"version"`
	Descriptor []byte    `json:"descriptor,omitempty"`
	File       *File     `json:"file,omitempty"`
	By         string    `json:"by,omitempty"`
	Time       time.Time `json:"time"`
}

func parse(source []byte) (*schema.Descriptor, error) {
	d, problems := schema.Parse(source)
	if len(problems) > 0 {
		return nil, &Error{Code: InvalidDescriptor, Detail: fmt.Sprintf("the descriptor has %d problem(s)", len(problems)), Problems: problems}
	}
	return d, nil
}

// draftFits checks early what the publish would refuse at the end.
func (r *Registry) draftFits(ctx context.Context, d *schema.Descriptor, file *File) error {
	if file != nil {
		if err := named(d, file); err != nil {
			return err
		}
	}
	v, err := schema.ParseVersion(d.Version)
	if err != nil {
		return err
	}
	if err := r.fresh(ctx); err != nil {
		return err
	}
	return r.cat.view(func(t tx) error {
		plugin := schema.Normalise(d.Name)
		if there, ok := t.release(plugin, v); ok {
			with := "without files"
			if len(there.Files) > 0 {
				with = "with " + there.Files[0].Name
			}
			if n := len(there.Files) - 1; n > 0 {
				with += fmt.Sprintf(" and %d more", n)
			}
			return fail(VersionExists, "a published release never changes, so nothing can be added: raise the version in the descriptor; to bring several files, such as a wheel and an sdist, send them all at once with `appstore publish`, or before the bundle's last package",
				"%s %s is published already, %s", d.Name, d.Version, with)
		}
		if err := nameFree(t, plugin, d.Name); err != nil || file == nil {
			return err
		}
		return fileFree(t, plugin, file)
	})
}

// PutDraft puts a bundle's descriptor before its files. The same descriptor
// again changes nothing; another one for the same version is refused.
func (r *Registry) PutDraft(ctx context.Context, descriptor []byte, by string) (Draft, error) {
	d, err := parse(descriptor)
	if err != nil {
		return Draft{}, err
	}
	if err := r.draftFits(ctx, d, nil); err != nil {
		return Draft{}, err
	}
	draft, err := r.Draft(ctx, d.Name, d.Version)
	var e *Error
	switch {
	case err == nil && bytes.Equal(draft.Source, descriptor):
		return draft, nil
	case err == nil:
		return Draft{}, fail(VersionExists, "make the descriptors in all packages of the bundle the same, or drop the draft: appstore draft drop "+d.Name+"@"+d.Version,
			"a draft of %s %s with another descriptor is there", d.Name, d.Version)
	case !errors.As(err, &e) || e.Code != NotFound:
		return Draft{}, err
	}
	facts, err := encodePart(draftPart{Version: d.Version, Descriptor: descriptor, By: by, Time: time.Now().UTC()})
	if err != nil {
		return Draft{}, err
	}
	plugin := schema.Normalise(d.Name)
	if err := r.roomForPart(ctx, plugin); err != nil {
		return Draft{}, err
	}
	if err := r.store.Create(ctx, draftFolder(plugin)+"facts", facts); err != nil {
		return Draft{}, unavailable(err)
	}
	return r.Draft(ctx, d.Name, d.Version)
}

func draftFolder(plugin string) string {
	return "drafts/" + plugin + "/" + strings.ToLower(rand.Text()) + "/"
}

// roomForPart fails when too much waits already.
func (r *Registry) roomForPart(ctx context.Context, plugin string) error {
	all, own := 0, 0
	for info, err := range r.store.List(ctx, "drafts/", "") {
		if err != nil {
			return unavailable(err)
		}
		if strings.HasSuffix(info.Key, "/facts") {
			all++
			if strings.HasPrefix(info.Key, "drafts/"+plugin+"/") {
				own++
			}
		}
	}
	const fix = "finish or drop some: appstore draft list"
	if own >= maxPluginParts {
		return fail(TooMany, fix, "%d uploads for %s wait for the rest of their bundles already", own, plugin)
	}
	if all >= maxDraftParts {
		return fail(TooMany, fix, "%d uploads wait for the rest of their bundles already", all)
	}
	return nil
}

func encodePart(p draftPart) ([]byte, error) {
	var to bytes.Buffer
	e := json.NewEncoder(&to)
	e.SetEscapeHTML(false) // it makes six bytes of one
	if err := e.Encode(p); err != nil {
		return nil, err
	}
	if to.Len() > maxDraftFacts {
		return nil, fail(TooLarge, "shorten the descriptor, or what the package says of itself", "what has to be kept of the upload takes %d bytes; at most %d are allowed", to.Len(), maxDraftFacts)
	}
	return to.Bytes(), nil
}

// Drafts lists all drafts, by plugin and version.
func (r *Registry) Drafts(ctx context.Context) ([]Draft, error) { return r.drafts(ctx, "drafts/") }

// Draft returns the draft of one version, or an *Error with the code NotFound.
func (r *Registry) Draft(ctx context.Context, name, version string) (Draft, error) {
	all, err := r.drafts(ctx, "drafts/"+schema.Normalise(name)+"/")
	if err != nil {
		return Draft{}, err
	}
	for _, d := range all {
		if d.Version == version {
			return d, nil
		}
	}
	return Draft{}, fail(NotFound, "appstore draft list tells which there are", "there is no draft of %s %s", name, version)
}

func (r *Registry) drafts(ctx context.Context, prefix string) ([]Draft, error) {
	type id struct{ plugin, version string }
	found := map[id]*Draft{}
	for info, err := range r.store.List(ctx, prefix, "") {
		if err != nil {
			return nil, unavailable(err)
		}
		folder, ok := strings.CutSuffix(info.Key, "/facts")
		if !ok {
			continue
		}
		part, err := r.readPart(ctx, info.Key)
		if errors.Is(err, storage.ErrNotExist) {
			continue // finished or dropped meanwhile
		}
		if errors.Is(err, errUnreadable) {
			r.log.Warn("a part of a draft can't be read; the sweep takes it", "key", info.Key, "error", err)
			continue
		}
		if err != nil {
			return nil, unavailable(err)
		}
		at := id{strings.Split(folder, "/")[1], part.Version}
		d := found[at]
		if d == nil {
			d = &Draft{Plugin: at.plugin, Version: at.version, came: map[string]time.Time{}}
			found[at] = d
		}
		d.keys = append(d.keys, info.Key)
		if part.Time.After(d.Updated) {
			d.Updated = part.Time
		}
		if part.File == nil {
			if d.Source != nil && !bytes.Equal(d.Source, part.Descriptor) {
				continue // two at the same moment: the first in the order of keys holds
			}
			d.Source = part.Descriptor
			continue
		}
		// Of one name the last that came counts: it may be a correction.
		if last, ok := d.came[part.File.Name]; ok && !part.Time.After(last) {
			continue
		}
		d.came[part.File.Name] = part.Time
		d.Files = slices.DeleteFunc(d.Files, func(f File) bool { return f.Name == part.File.Name })
		d.Files = append(d.Files, *part.File)
	}
	var all []Draft
	for _, d := range found {
		parsed, problems := schema.Parse(d.Source)
		if len(problems) > 0 {
			continue // files whose descriptor is gone: the sweep takes them
		}
		d.Name, d.Descriptor = parsed.Name, *parsed
		if err := r.cat.view(func(t tx) error { d.Missing = missing(t, d); return nil }); err != nil {
			return nil, err
		}
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Draft) int { return strings.Compare(a.Plugin+"\x00"+a.Version, b.Plugin+"\x00"+b.Version) })
	return all, nil
}

func (r *Registry) readPart(ctx context.Context, key string) (p draftPart, err error) {
	c, _, err := r.store.Get(ctx, key, storage.Read{})
	if err != nil {
		return p, err
	}
	defer c.Close()
	data, err := io.ReadAll(io.LimitReader(c, maxDraftFacts+1))
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return p, nil
}

var errUnreadable = errors.New("unreadable facts of a draft")

// missing gives the packages that the descriptor names and of which neither
// the draft nor the store has a file.
func missing(t tx, d *Draft) (all []schema.Package) {
	for _, p := range packagesOf(&d.Descriptor) {
		have := p.External ||
			slices.ContainsFunc(d.Files, func(f File) bool { return samePackage(f.Package, p) }) ||
			p.Version != "" && len(t.packageFiles(p)) > 0 ||
			slices.ContainsFunc(all, func(q schema.Package) bool { return samePackage(p, q) })
		if !have {
			all = append(all, p)
		}
	}
	return all
}

// FinishDraft publishes a draft as it is; what the descriptor names must be there.
func (r *Registry) FinishDraft(ctx context.Context, name, version, by string) (Published, error) {
	d, err := r.Draft(ctx, name, version)
	if err != nil {
		return Published{}, err
	}
	return r.finish(ctx, d, by)
}

// finish publishes a draft on the same way as any upload, and removes it.
func (r *Registry) finish(ctx context.Context, d Draft, by string) (Published, error) {
	i := 0
	var open io.Closer
	defer func() {
		if open != nil {
			open.Close()
		}
	}()
	slices.SortFunc(d.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	p, err := r.Publish(ctx, Upload{Descriptor: d.Source, By: by, Next: func() (string, io.Reader, error) {
		if open != nil {
			open.Close()
			open = nil
		}
		if i == len(d.Files) {
			return "", nil, io.EOF
		}
		c, err := r.OpenFile(ctx, d.Files[i], storage.Read{})
		if err != nil {
			return "", nil, err
		}
		open = c
		i++
		return d.Files[i-1].Name, c, nil
	}})
	if err != nil {
		return Published{}, err
	}
	if err := r.remove(context.WithoutCancel(ctx), d); err != nil {
		r.log.Warn("a published draft could not be removed; the sweep does it", "plugin", d.Plugin, "version", d.Version, "error", err)
	}
	return p, nil
}

// DropDraft removes a draft and its files.
func (r *Registry) DropDraft(ctx context.Context, name, version string) error {
	d, err := r.Draft(ctx, name, version)
	if err != nil {
		return err
	}
	return unavailable(r.remove(ctx, d))
}

func (r *Registry) remove(ctx context.Context, d Draft) error {
	for _, key := range d.keys { // the facts first: without them a part is not there
		if err := r.store.Delete(ctx, key); err != nil {
			return err
		}
	}
	for _, key := range d.keys {
		if err := r.store.Delete(ctx, strings.TrimSuffix(key, "facts")+"content"); err != nil {
			return err
		}
	}
	return nil
}

// sweepDrafts removes parts that waited in vain.
func (r *Registry) sweepDrafts(ctx context.Context, old time.Time) (removed int, err error) {
	for info, err := range r.store.List(ctx, "drafts/", "") {
		if err != nil {
			return removed, err
		}
		if !info.Modified.Before(old) {
			continue
		}
		if err := r.store.Delete(ctx, info.Key); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
