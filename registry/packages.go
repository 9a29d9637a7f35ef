package registry

import (
	"context"
	"strings"
	"time"

	"appstore/registry/artifact"
	"appstore/schema"
)

// PackageFile is one file of a package, whichever releases bring it.
type PackageFile struct {
	File
	Plugin    string    // that owns the package
	Release   string    // the version of the release that brought it first: where the file is served, also after newer ones
	Published time.Time // when that was
	Yanked    bool      // no live release of Plugin brings or uses this version of the package any more (truth 6)
	Reason    string    // of the newest yank, when Yanked
}

// PackageFiles lists the stored files of a package, those of the newest release first.
// It returns an *Error with the code NotFound for a package never published here.
func (r *Registry) PackageFiles(ctx context.Context, ecosystem, name string) ([]PackageFile, error) {
	if err := r.Movable(); err != nil {
		return nil, err
	}
	var all []PackageFile
	err := r.find(ctx, func(t tx) error {
		all = nil
		p := schema.Package{Ecosystem: ecosystem, Name: name}
		owner := t.packageOwner(p)
		if owner == "" {
			return fail(NotFound, "check the spelling", "there is no %s package %q here", ecosystem, name)
		}
		seen := map[string]int{}   // file name, version -> place in all
		live := map[string]bool{}  // version -> a live release brings or uses it
		why := map[string]string{} // version -> reason of the newest yanked release that brings it
		err := t.versions(owner, nil, func(l line) bool {
			release, ok := t.releaseAt(l.key)
			if !ok || !visible(release, Public) {
				return true
			}
			for _, f := range release.Uses {
				if samePackage(f.Package, p) && release.State == Live {
					live[artifact.VersionKey(ecosystem, f.Package.Version)] = true
				}
			}
			for _, f := range release.Files {
				if !samePackage(f.Package, p) {
					continue
				}
				v := artifact.VersionKey(ecosystem, f.Package.Version)
				live[v] = live[v] || release.State == Live
				if _, ok := why[v]; !ok && release.State == Yanked {
					why[v] = release.Reason
				}
				at, ok := seen[f.Name+"\x00"+v]
				if !ok {
					at = len(all)
					seen[f.Name+"\x00"+v] = at
					all = append(all, PackageFile{File: f, Plugin: owner})
				}
				if first := &all[at]; !ok || release.Published.Before(first.Published) {
					first.Release, first.Published = release.Descriptor.Version, release.Published
				}
			}
			return true
		})
		for i := range all {
			if v := artifact.VersionKey(ecosystem, all[i].Package.Version); !live[v] {
				all[i].Yanked, all[i].Reason = true, why[v]
			}
		}
		return err
	})
	return all, err
}

// PackageNames lists the packages of an ecosystem that were published here, by
// their normalised names in byte order.
func (r *Registry) PackageNames(_ context.Context, ecosystem string) (names []string, err error) {
	err = r.listed(func(t tx) error {
		prefix := ecosystem + "\x00"
		c := t.Bucket(bucketPackages).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			names = append(names, string(k[len(prefix):]))
		}
		return nil
	})
	return names, err
}

// PackageState tells which plugin owns a package, and that plugin's mark: what was
// made of the package's files holds as long as it stays. It returns an *Error with
// the code NotFound for a package never published here.
func (r *Registry) PackageState(ctx context.Context, ecosystem, name string) (owner string, mark Mark, err error) {
	if err := r.Movable(); err != nil {
		return "", Mark{}, err
	}
	err = r.find(ctx, func(t tx) error {
		owner = t.packageOwner(schema.Package{Ecosystem: ecosystem, Name: name})
		p, ok := t.plugin(owner)
		if owner == "" || !ok {
			return fail(NotFound, "check the spelling", "there is no %s package %q here", ecosystem, name)
		}
		mark = p.Mark()
		return nil
	})
	return owner, mark, err
}
