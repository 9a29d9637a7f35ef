package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"appstore/registry/artifact"
	"appstore/schema"
)

// Uploaded is what became of one file: exactly one of Published, Draft and
// Known is set.
type Uploaded struct {
	File      File
	Published *Published // it completed its bundle
	Draft     *Draft     // it waits for the rest
	Known     bool       // the same bytes are published already
}

// UploadFile takes one file of a bundle from a client that sends one file a
// request. The bundle's descriptor travels inside the package, as a file named
// artifact.DescriptorName, or was put before (PutDraft). claims are what the
// client says that the file is: one that says otherwise is refused.
func (r *Registry) UploadFile(ctx context.Context, name string, content io.Reader, by string, claims ...schema.Package) (Uploaded, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	got, err := r.take(ctx, name, content, MaxFile)
	if err != nil {
		return Uploaded{}, err
	}
	defer got.content.release()
	file := got.file
	for _, c := range claims {
		if !samePackage(c, file.Package) || !sameVersion(c, file.Package) {
			return Uploaded{}, fail(ArtifactMismatch, "build it again, and upload it under its own name and version", "it was uploaded as %s %s, but %s says that it is %s %s",
				c.Name, c.Version, name, file.Package.Name, file.Package.Version)
		}
	}
	known := false
	err = r.cat.view(func(t tx) error {
		for _, there := range t.packageFiles(file.Package) {
			known = known || there.File.Name == file.Name && there.File.SHA256 == file.SHA256
		}
		if known {
			return nil
		}
		return fileFree(t, t.packageOwner(file.Package), &file)
	})
	if err != nil || known {
		return Uploaded{File: file, Known: known}, err
	}

	source := got.descriptor
	if source == nil {
		if source, err = r.descriptorFor(ctx, file.Package); err != nil {
			return Uploaded{}, err
		}
	}
	d, err := parse(source)
	if err != nil {
		return Uploaded{}, err
	}
	if err := r.draftFits(ctx, d, &file); err != nil {
		return Uploaded{}, err
	}
	switch alone, err := r.alone(ctx, d, file); {
	case err != nil:
		return Uploaded{}, err
	case alone: // nothing has to wait
		release, err := r.begin(source, by)
		if err != nil {
			return Uploaded{}, err
		}
		if err := release.add(ctx, got); err != nil {
			return Uploaded{}, err
		}
		published, err := r.publish(ctx, &release, source, []receivedFile{got})
		if err != nil {
			return Uploaded{}, err
		}
		return Uploaded{File: file, Published: &published}, nil
	}
	if got.descriptor != nil {
		if _, err := r.PutDraft(ctx, got.descriptor, by); err != nil {
			return Uploaded{}, err
		}
	}
	file.Metadata = nil // made again when it is published
	if err := r.addFile(ctx, d, &file, got.content, by); err != nil {
		return Uploaded{}, err
	}
	// Whoever adds the last part sees all of them. Two may: then the other's
	// publish can be done already, and the draft be on its way out.
	draft, err := r.Draft(ctx, d.Name, d.Version)
	if err == nil && len(draft.Missing) == 0 {
		var published Published
		if published, err = r.finish(ctx, draft, by); err == nil {
			return Uploaded{File: file, Published: &published}, nil
		}
	}
	if release, ok := r.brought(ctx, d, file.SHA256); ok {
		return Uploaded{File: file, Published: &Published{Release: release}}, nil
	}
	if err != nil {
		return Uploaded{}, err
	}
	return Uploaded{File: file, Draft: &draft}, nil
}

// alone tells whether a file is all that its descriptor waits for: no draft of it
// is there, and nothing else is missing.
func (r *Registry) alone(ctx context.Context, d *schema.Descriptor, file File) (alone bool, err error) {
	var e *Error
	if _, err := r.Draft(ctx, d.Name, d.Version); !errors.As(err, &e) || e.Code != NotFound {
		return false, err
	}
	err = r.cat.view(func(t tx) error {
		alone = len(missing(t, &Draft{Descriptor: *d, Files: []File{file}})) == 0
		return nil
	})
	return alone, err
}

// addFile adds a file and its content to the draft of d, unless it is there.
func (r *Registry) addFile(ctx context.Context, d *schema.Descriptor, file *File, content io.ReadSeeker, by string) (err error) {
	draft, err := r.Draft(ctx, d.Name, d.Version)
	if err == nil && slices.ContainsFunc(draft.Files, func(f File) bool { return f.Name == file.Name && f.SHA256 == file.SHA256 }) {
		return nil
	}
	var e *Error
	if err != nil && (!errors.As(err, &e) || e.Code != NotFound) {
		return err
	}
	plugin := schema.Normalise(d.Name)
	folder := draftFolder(plugin)
	file.Key = folder + "content"
	facts, err := encodePart(draftPart{Version: d.Version, File: file, By: by, Time: time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := r.roomForPart(ctx, plugin); err != nil {
		return err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := r.store.Put(ctx, file.Key, content, file.Size); err != nil {
		return unavailable(err)
	}
	if err := unavailable(r.store.Create(ctx, folder+"facts", facts)); err != nil {
		if !errors.As(err, &e) || e.Code != OutcomeUnknown {
			_ = r.store.Delete(context.WithoutCancel(ctx), file.Key) // else the sweep does it
		}
		return err
	}
	return nil
}

// brought returns the release of d, if it is published and has the file.
func (r *Registry) brought(ctx context.Context, d *schema.Descriptor, sha256 string) (Release, bool) {
	release, err := r.Resolve(ctx, d.Name, d.Version)
	return release, err == nil && slices.ContainsFunc(release.Files, func(f File) bool { return f.SHA256 == sha256 })
}

// descriptorFor finds the draft that waits for a package.
func (r *Registry) descriptorFor(ctx context.Context, p schema.Package) ([]byte, error) {
	all, err := r.Drafts(ctx)
	if err != nil {
		return nil, err
	}
	var found []Draft
	for _, d := range all {
		if slices.ContainsFunc(packagesOf(&d.Descriptor), func(q schema.Package) bool {
			return !q.External && samePackage(p, q) && (q.Version == "" || sameVersion(p, q))
		}) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0].Source, nil
	case 0:
		return nil, fail(NoDescriptor, fmt.Sprintf("add the descriptor to the package as %s, or send it first: appstore draft put plugin.yaml", artifact.DescriptorName),
			"the %s package %q %s has no descriptor in it, and no draft names it", p.Ecosystem, p.Name, p.Version)
	}
	return nil, fail(NoDescriptor, "give the package's version in the descriptors, or drop a draft: appstore draft drop", "several drafts wait for the %s package %q: %s %s and %s %s",
		p.Ecosystem, p.Name, found[0].Name, found[0].Version, found[1].Name, found[1].Version)
}
