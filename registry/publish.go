package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"appstore/registry/artifact"
	"appstore/schema"

	"golang.org/x/sync/errgroup"
)

const (
	// publishTimeout is how long a publish may take from its first file to its
	// entry; the sweep relies on it (see sweepAge).
	publishTimeout = time.Hour
	// putsAtOnce is how many files of a publish are stored at the same time.
	putsAtOnce = 4
	// searchableWait is how long an answer waits for the search index.
	searchableWait = time.Second
)

// Upload is a release to be published.
type Upload struct {
	Descriptor []byte // at most schema.MaxSize bytes
	// Next gives the next file, and io.EOF after the last; nil means no files.
	// Each content is read to its end before Next is called again.
	Next func() (name string, content io.Reader, err error)
	By   string // who publishes
}

// Published is what became of an upload.
type Published struct {
	Release    Release
	Created    bool // false: the very same release was there already
	Searchable bool // the search index has it
}

// Publish releases a descriptor with its files as one immutable release. When
// it returns an error nothing of it is visible, unless the code is
// OutcomeUnknown; the same upload again is safe in any case.
func (r *Registry) Publish(ctx context.Context, u Upload) (Published, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	release, err := r.begin(u.Descriptor, u.By)
	if err != nil {
		return Published{}, err
	}
	received, err := r.receive(ctx, &release, u.Next)
	defer func() {
		for _, f := range received {
			f.content.release()
		}
	}()
	if err != nil {
		return Published{}, err
	}
	return r.publish(ctx, &release, u.Descriptor, received)
}

// begin makes the release of a descriptor, still without files. What can be
// refused before those are received, is.
func (r *Registry) begin(descriptor []byte, by string) (Release, error) {
	if why := r.readOnly.Load(); why != nil {
		return Release{}, fail(ReadOnly, "upgrade this replica", "this replica is read-only: %s", *why)
	}
	d, err := parse(descriptor)
	if err != nil {
		return Release{}, err
	}
	release := Release{Plugin: schema.Normalise(d.Name), Descriptor: *d, State: Live, By: by}
	release.Descriptor.DefaultConfig, release.Descriptor.Extensions = nil, nil
	release.Source = describe("plugin.yaml", descriptor)
	return release, r.cat.view(func(t tx) error { return nameFree(t, release.Plugin, d.Name) })
}

// publish stores a release whose files have been received, and commits it.
func (r *Registry) publish(ctx context.Context, release *Release, descriptor []byte, received []receivedFile) (Published, error) {
	if err := oneVersion(release.Files); err != nil {
		return Published{}, err
	}
	release.Digest = releaseDigest(release)
	position, created, err := r.keep(ctx, release, descriptor, received)
	if err != nil {
		return Published{}, err
	}
	p := Published{Created: created, Searchable: r.index.wait(ctx, position, searchableWait)}
	p.Release, err = r.Resolve(context.WithoutCancel(ctx), release.Plugin, release.Descriptor.Version)
	return p, err
}

// receivedFile is a file of an upload, on the local disk and looked into.
type receivedFile struct {
	content    *spooled
	file       File   // what it says of itself
	metadata   []byte // of a wheel: its METADATA, which is stored beside
	descriptor []byte // the plugin's, where the package carries it
}

// take takes one file in and looks into it. The caller releases its content.
func (r *Registry) take(ctx context.Context, name string, content io.Reader, most int64) (receivedFile, error) {
	if err := artifact.CheckName(name); err != nil {
		return receivedFile{}, inspected(name, err)
	}
	f, err := r.spool.receive(ctx, name, content, most)
	if err != nil {
		return receivedFile{}, err
	}
	info, err := artifact.Inspect(name, while{ctx, f}, f.size)
	if err != nil {
		f.release()
		return receivedFile{}, inspected(name, err)
	}
	got := receivedFile{content: f, file: fileOf(name, f, info), descriptor: info.Descriptor}
	if info.Kind == Wheel {
		meta := describe(name+".metadata", info.Metadata)
		meta.Kind, meta.Package = CoreMetadata, info.Package
		got.file.Metadata, got.metadata = &meta, info.Metadata
	}
	return got, nil
}

// add adds a received file to a release whose descriptor names it.
func (release *Release) add(ctx context.Context, got receivedFile) error {
	if err := named(&release.Descriptor, &got.file); err != nil {
		return err
	}
	if err := components(&release.Descriptor, &got.file, while{ctx, got.content}); err != nil {
		return err
	}
	release.Files = append(release.Files, got.file)
	return nil
}

// receive takes the upload's files in, looks into each, and fills in what the
// release says of them.
func (r *Registry) receive(ctx context.Context, release *Release, next func() (string, io.Reader, error)) (all []receivedFile, err error) {
	names := map[string]bool{}
	left := int64(MaxUpload)
	for next != nil {
		name, content, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return all, err
		}
		switch {
		case len(all) >= MaxFiles:
			return all, fail(TooMany, "split the release", "more than %d files were uploaded", MaxFiles)
		case names[name]:
			return all, fail(InvalidRequest, "upload each file once", "the file %q was uploaded twice", name)
		}
		names[name] = true
		got, err := r.take(ctx, name, content, min(left, MaxFile))
		if err != nil {
			return all, err
		}
		all = append(all, got)
		left -= got.content.size
		if err := release.add(ctx, got); err != nil {
			return all, err
		}
	}
	return all, nil
}

func fileOf(name string, f *spooled, info artifact.Info) File {
	return File{
		Name: name, Kind: info.Kind, Package: info.Package,
		Size: f.size, SHA256: f.sha256, SHA512: f.sha512, SHA1: f.sha1,
		RequiresPython: info.RequiresPython, Dependencies: info.Dependencies,
		Manifest: info.Manifest, InstallScripts: info.InstallScripts,
	}
}

// inspected turns what artifact says into an error for the user.
func inspected(name string, err error) error {
	var invalid *artifact.Error
	if errors.As(err, &invalid) {
		return fail(ArtifactInvalid, invalid.Fix, "%s: %s", name, invalid.Message)
	}
	return err
}

// named checks that the descriptor names the package of f, and agrees with it.
func named(d *schema.Descriptor, f *File) error {
	found := false
	for _, p := range packagesOf(d) {
		if !samePackage(p, f.Package) {
			continue
		}
		found = true
		switch {
		case p.External:
			return fail(ArtifactMismatch, "remove `external`, or do not upload the file", "%s was uploaded, but the descriptor marks %q as external", f.Name, p.Name)
		case p.Version != "" && !sameVersion(p, f.Package):
			return fail(ArtifactMismatch, "make them agree", "%s is version %s of %q, but the descriptor says %s", f.Name, f.Package.Version, p.Name, p.Version)
		}
	}
	if found {
		return nil
	}
	var names []string
	for _, p := range packagesOf(d) {
		if label := fmt.Sprintf("%s %q", p.Ecosystem, p.Name); !slices.Contains(names, label) {
			names = append(names, label)
		}
	}
	slices.Sort(names)
	return fail(UnexpectedFile, "name the package in the descriptor, or leave the file out",
		"%s is the %s package %q, which the descriptor does not name (it names %s)",
		f.Name, f.Package.Ecosystem, f.Package.Name, cmp.Or(strings.Join(names, ", "), "no package"))
}

// components looks for the components that the descriptor says are in the
// package of f, without running anything and in one pass. One that can be seen
// not to be there is refused; one that can't be seen (compiled, bundled, made at
// run time), or of which nothing can be said (a bare class or free text), is not.
func components(d *schema.Descriptor, f *File, content io.ReaderAt) error {
	var names, of []string // the components, and of which interfaces they are
	for _, i := range slices.Sorted(maps.Keys(d.Interfaces)) {
		for _, c := range []*schema.Component{d.Interfaces[i].Backend, d.Interfaces[i].Frontend} {
			if c != nil && c.Component != "" && samePackage(c.Package, f.Package) {
				names, of = append(names, c.Component), append(of, i)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	missing := func(n int, v artifact.Verdict, detail string) error {
		if v != artifact.Fail {
			return nil
		}
		return fail(ArtifactMismatch, "correct the component in the descriptor, or build the package with it", "%s does not have the component %q of the interface %q: %s", f.Name, names[n], of[n], detail)
	}
	if f.Kind == NPMTarball {
		all, err := artifact.FindExports(content, f.Size, names)
		if err != nil {
			return err
		}
		for n, export := range all {
			if err := missing(n, export.Verdict, export.Detail); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := artifact.FindClasses(f.Name, content, f.Size, names)
	if err != nil {
		return err
	}
	for n, class := range all {
		for _, m := range class.Methods {
			if !slices.Contains(f.Methods, m) {
				f.Methods = append(f.Methods, m)
			}
		}
		if err := missing(n, class.Verdict, class.Detail); err != nil {
			return err
		}
	}
	return nil
}

// while reads until ctx ends, so that nobody looks into a file for a client
// that has gone.
type while struct {
	ctx context.Context
	io.ReaderAt
}

func (w while) ReadAt(p []byte, at int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.ReaderAt.ReadAt(p, at)
}

// oneVersion checks that the files of a package are of one version.
func oneVersion(files []File) error {
	for i, f := range files {
		for _, g := range files[:i] {
			if !samePackage(f.Package, g.Package) {
				continue
			}
			if !sameVersion(f.Package, g.Package) {
				return fail(ArtifactMismatch, "upload files of one version", "%s is version %s of %q, but %s is %s", f.Name, f.Package.Version, f.Package.Name, g.Name, g.Package.Version)
			}
			if f.Kind == NPMTarball {
				return fail(ArtifactMismatch, "upload one tarball for a package", "%s and %s are both %s %s", f.Name, g.Name, f.Package.Name, f.Package.Version)
			}
		}
	}
	return nil
}

func describe(name string, data []byte) File {
	s256, s512, s1 := sha256.Sum256(data), sha512.Sum512(data), sha1.Sum(data)
	return File{
		Name: name, Size: int64(len(data)),
		SHA256: fmt.Sprintf("%x", s256), SHA512: fmt.Sprintf("%x", s512), SHA1: fmt.Sprintf("%x", s1),
	}
}

// releaseDigest is the sha256 over the lines of the sorted digests: the
// descriptor's and each file's, in hex (truth 3).
func releaseDigest(r *Release) string {
	digests := []string{r.Source.SHA256}
	for _, f := range r.Files {
		digests = append(digests, f.SHA256)
	}
	slices.Sort(digests)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(digests, "\n")+"\n")))
}

// keep stores what is new, commits the release, and tells at which position it
// is true. What it stored in vain it removes, if that is certain.
func (r *Registry) keep(ctx context.Context, release *Release, descriptor []byte, received []receivedFile) (position uint64, created bool, err error) {
	v, err := schema.ParseVersion(release.Descriptor.Version)
	if err != nil {
		return 0, false, err
	}
	owned := map[string]File{} // by sha256: what the plugin has stored already
	err = r.cat.view(func(t tx) error {
		if there, ok := t.release(release.Plugin, v); ok {
			if there.Digest != release.Digest {
				return differs(there, release)
			}
			position = t.head().Position
			return nil
		}
		for i := range release.Files {
			for _, there := range t.packageFiles(release.Files[i].Package) {
				if there.Plugin == release.Plugin {
					owned[there.File.SHA256] = there.File
				}
			}
		}
		return nil
	})
	if err != nil || position > 0 {
		return position, false, err
	}

	folder := folder(release.Plugin)
	var stored []string
	// At the same time, as each waits for the disk or the network most of the time.
	puts, putting := errgroup.WithContext(ctx)
	puts.SetLimit(putsAtOnce)
	store := func(f *File, content io.ReadSeeker) {
		f.Key = folder + f.SHA256
		if slices.Contains(stored, f.Key) {
			return
		}
		stored = append(stored, f.Key)
		puts.Go(func() error { return unavailable(r.store.Put(putting, f.Key, content, f.Size)) })
	}
	submitted := false
	defer func() {
		// Once it may be in an entry, only a refusal says that it is not. A storage that
		// wrongly claims that nothing happened must cost disk space, not a release's bytes.
		var e *Error
		refused := errors.As(err, &e) && e.Code != OutcomeUnknown && e.Code != Unavailable
		if created || submitted && err != nil && !refused {
			return
		}
		for _, key := range stored {
			_ = r.store.Delete(context.WithoutCancel(ctx), key) // else the sweep does it
		}
	}()
	store(&release.Source, bytes.NewReader(descriptor))
	for i := range release.Files {
		f := &release.Files[i]
		if there, ok := owned[f.SHA256]; ok {
			f.Key, f.Metadata = there.Key, there.Metadata
			continue
		}
		store(f, received[i].content)
		if f.Metadata != nil {
			store(f.Metadata, bytes.NewReader(received[i].metadata))
		}
	}
	if err := puts.Wait(); err != nil {
		return 0, false, err
	}
	release.Published = time.Now().UTC()
	submitted = true
	o, err := r.submit(ctx, publish{*release})
	return o.position, o.changed, err
}

// folder is a new folder for the files of one publish.
func folder(plugin string) string {
	shard := sha256.Sum256([]byte(plugin))
	return fmt.Sprintf("files/%x/%s/%s/", shard[:1], plugin, strings.ToLower(rand.Text()))
}
