package pip

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"appstore/api/shelf"
	"appstore/registry"
	"appstore/schema"
)

// Options of an Index.
type Options struct {
	Registry *registry.Registry
	// FileURL is where a file of a release is served; its metadata is served
	// there with ".metadata" added.
	FileURL func(plugin, release, file string) string
	// UpstreamURL is where a file of the upstream is served by [Index.File];
	// needed with Upstream only.
	UpstreamURL func(project, sha256, file string) string
	// Upstream answers for names that were never published here; nil: nobody does.
	Upstream *Upstream
}

// Index is a Python package index. Its methods may be called from many
// goroutines. Errors for the user are of type *registry.Error.
type Index struct {
	Options
	pages *shelf.Shelf[pageMark, *Page]
}

// New makes the index of a registry.
func New(o Options) *Index {
	return &Index{Options: o, pages: shelf.New[pageMark](keepBytes, (*Page).size)}
}

// Normalise gives the name under which a project has its page (PEP 503).
func Normalise(name string) string { return schema.NormalisePackage(schema.PyPI, name) }

// Root is the list of the packages that were published here; those of an
// upstream are not in it.
func (x *Index) Root(ctx context.Context, f Form) (*Page, error) {
	if err := x.Registry.Movable(); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // others may wait for what is made
	return x.page("", pageMark{here: x.Registry.Mark()}, f, func() ([]byte, error) {
		names, err := x.Registry.PackageNames(ctx, schema.PyPI)
		if err != nil {
			return nil, err
		}
		return renderRoot(names, f)
	})
}

// Project is the page of one project by its normalised name. It shows every
// publish and yank that the registry knows when it is called.
func (x *Index) Project(ctx context.Context, name string, f Form) (*Page, error) {
	here, mark, err := x.owned(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case here:
		ctx := context.WithoutCancel(ctx)
		return x.page(name, pageMark{here: mark}, f, func() ([]byte, error) {
			p, err := x.project(ctx, name)
			if err != nil {
				return nil, err
			}
			return p.render(f)
		})
	case x.Upstream == nil:
		return nil, absent(name, "only packages that were published here are served: check the spelling; /simple/ lists them")
	}
	there, err := x.Upstream.project(ctx, name)
	if err != nil {
		return nil, err
	}
	return x.page(name, pageMark{upstream: there.mark}, f, func() ([]byte, error) {
		p := there.project
		p.files = slices.Clone(p.files)
		for i := range p.files {
			p.files[i].url = x.UpstreamURL(name, p.files[i].sha256, p.files[i].name)
		}
		return p.render(f)
	})
}

func absent(name, fix string) error {
	return &registry.Error{Code: registry.NotFound, Detail: fmt.Sprintf("there is no Python package %q", name), Fix: fix}
}

// owned tells whether a package was ever published here, and at which state of
// its plugin we are. An error means that this is not certain.
func (x *Index) owned(ctx context.Context, name string) (here bool, mark registry.Mark, err error) {
	_, mark, err = x.Registry.PackageState(ctx, schema.PyPI, name)
	var e *registry.Error
	if errors.As(err, &e) && e.Code == registry.NotFound {
		return false, mark, nil
	}
	return err == nil, mark, err
}

// page takes a page from what is kept, or makes and keeps it.
func (x *Index) page(name string, mark pageMark, f Form, body func() ([]byte, error)) (*Page, error) {
	return x.pages.Get(name+"\x00"+string(f), mark, func() (*Page, error) {
		text, err := body()
		if err != nil {
			return nil, err
		}
		return newPage(f, text)
	})
}

func (x *Index) project(ctx context.Context, name string) (*project, error) {
	all, err := x.Registry.PackageFiles(ctx, schema.PyPI, name)
	if err != nil {
		return nil, err
	}
	p := &project{name: name, status: active}
	if len(all) == 0 {
		p.status = quarantined
	}
	seen := map[string]bool{}
	for i := range all {
		f := &all[i]
		w := file{
			name: f.Name, url: x.FileURL(f.Plugin, f.Release, f.Name), sha256: f.SHA256, requiresPython: f.RequiresPython,
			yanked: f.Yanked, reason: f.Reason, size: f.Size, uploaded: f.Published,
		}
		// A file that was stored before under another name has that one's
		// metadata, which is not served beside this one.
		if m := f.Metadata; m != nil && m.Name == f.Name+".metadata" {
			w.metadata = m.SHA256
		}
		p.files = append(p.files, w)
		if v := f.Package.Version; !seen[v] {
			seen[v] = true
			p.versions = append(p.versions, v)
		}
	}
	return p, nil
}
