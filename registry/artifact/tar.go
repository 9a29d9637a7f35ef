package artifact

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"appstore/schema"
)

// fromTar reads the file of that name in the one top folder of a gzipped tar archive.
func fromTar(r io.Reader, name string) (data []byte, path string, err error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, "", invalid("build it again", "it is no readable gzip file (%v)", err)
	}
	t := tar.NewReader(&limited{r: z, left: MaxUnpacked})
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, "", invalid("build it again", "it has no file %s in its top folder", name)
		}
		if err != nil {
			return nil, "", invalid("build it again", "it is no readable tar archive (%v)", err)
		}
		if n >= MaxEntries {
			return nil, "", invalid("", "it has more than %d entries", MaxEntries)
		}
		dir, file, ok := strings.Cut(strings.TrimPrefix(h.Name, "./"), "/")
		if !ok || file != name || dir == "" || dir == ".." {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return nil, "", invalid("build it again", "%s is no regular file", h.Name)
		}
		data, err := bounded(t, h.Name)
		return data, h.Name, err
	}
}

// limited fails when more than left bytes come.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooMuch
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

// manifestKeys are what npm's abbreviated metadata has of package.json.
var manifestKeys = []string{
	"name", "version", "deprecated", "dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"devDependencies", "bundleDependencies", "bundledDependencies", "acceptDependencies", "bin", "directories", "engines", "os", "cpu", "libc", "funding",
}

// tarball reads package/package.json of an npm tarball.
func tarball(r io.Reader) (Info, error) {
	data, path, err := fromTar(r, "package.json")
	if err != nil {
		return Info{}, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return Info{}, invalid("run npm pack again", "%s is unreadable (%v)", path, err)
	}
	var head struct {
		Name    string            `json:"name"`
		Version string            `json:"version"`
		Scripts map[string]string `json:"scripts"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Info{}, invalid("run npm pack again", "%s: %v", path, err)
	}
	if err := schema.CheckPackage(schema.NPM, head.Name); err != nil {
		return Info{}, invalid("give the package a valid name", "%s: %v", path, err)
	}
	if head.Version == "" || len(head.Version) > 100 || strings.ContainsFunc(head.Version, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '/' }) {
		return Info{}, invalid("give the package a valid version", "%s says the version %.100q", path, head.Version)
	}
	kept := map[string]any{}
	for _, k := range manifestKeys {
		if v, ok := all[k]; ok {
			kept[k] = v
		}
	}
	for _, s := range []string{"preinstall", "install", "postinstall"} {
		if head.Scripts[s] != "" {
			kept["hasInstallScript"] = true
		}
	}
	manifest, err := json.Marshal(kept)
	if err != nil {
		return Info{}, err
	}
	return Info{
		Kind: NPM, Manifest: manifest,
		Package: schema.Package{Ecosystem: schema.NPM, Name: head.Name, Version: head.Version},
	}, nil
}
