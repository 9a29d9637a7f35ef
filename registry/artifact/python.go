package artifact

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"

	"appstore/schema"
)

// wheel reads the METADATA of a wheel named by PEP 427:
// name-version[-build]-python-abi-platform.whl.
func wheel(name string, r io.ReaderAt, size int64) (Info, error) {
	parts := strings.Split(strings.TrimSuffix(name, ".whl"), "-")
	if len(parts) != 5 && len(parts) != 6 {
		return Info{}, invalid("name it name-version-python-abi-platform.whl, as build tools do", "the wheel's name has %d parts instead of 5 or 6", len(parts))
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return Info{}, invalid("build it again", "it is no readable zip archive (%v)", err)
	}
	if len(z.File) > MaxEntries {
		return Info{}, invalid("", "it has %d entries; at most %d are allowed", len(z.File), MaxEntries)
	}
	var found *zip.File
	for _, f := range z.File {
		dir, file, ok := strings.Cut(f.Name, "/")
		if !ok || file != "METADATA" || !strings.HasSuffix(dir, ".dist-info") {
			continue
		}
		if found != nil {
			return Info{}, invalid("build it again", "it has two METADATA files: %s and %s", found.Name, f.Name)
		}
		found = f
	}
	if found == nil {
		return Info{}, invalid("build it again", "it has no NAME-VERSION.dist-info/METADATA")
	}
	content, err := found.Open()
	if err != nil {
		return Info{}, invalid("build it again", "%s is unreadable (%v)", found.Name, err)
	}
	defer content.Close()
	data, err := bounded(content, found.Name)
	if err != nil {
		return Info{}, err
	}
	info, err := python(data, found.Name)
	if err != nil {
		return Info{}, err
	}
	info.Kind = Wheel
	return info, agrees(name, parts[0], parts[1], info.Package)
}

// sdist reads PKG-INFO of name-version.tar.gz.
func sdist(name string, r io.Reader) (Info, error) {
	data, path, err := fromTar(r, "PKG-INFO")
	if err != nil {
		return Info{}, err
	}
	info, err := python(data, path)
	if err != nil {
		return Info{}, err
	}
	info.Kind = Sdist
	base := strings.TrimSuffix(name, ".tar.gz")
	i := strings.LastIndexByte(base, '-')
	if i < 0 {
		return Info{}, invalid("name it name-version.tar.gz, as build tools do", "the sdist's name has no version")
	}
	return info, agrees(name, base[:i], base[i+1:], info.Package)
}

// python reads the head of METADATA or PKG-INFO: an RFC 822 header, whose body
// is the description.
func python(data []byte, path string) (Info, error) {
	// textproto needs the empty line that ends a header; the body has none to offer when there is no body.
	head, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(data), "\n\n"...)))).ReadMIMEHeader()
	if err != nil {
		return Info{}, invalid("build it again", "%s is unreadable (%v)", path, err)
	}
	name, version := head.Get("Name"), head.Get("Version")
	if name == "" || version == "" {
		return Info{}, invalid("build it again with a name and a version", "%s says no Name or no Version", path)
	}
	if err := schema.CheckPackage(schema.PyPI, name); err != nil {
		return Info{}, invalid("give the package a valid name", "%s: %v", path, err)
	}
	if len(version) > 100 || strings.ContainsFunc(version, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '/' }) {
		return Info{}, invalid("give the package a valid version", "%s says the version %.100q", path, version)
	}
	return Info{
		Package:        schema.Package{Ecosystem: schema.PyPI, Name: name, Version: version},
		RequiresPython: head.Get("Requires-Python"),
		Metadata:       data,
	}, nil
}

// agrees checks a file's name against what the file says. Build tools write
// names with _ or . for - and normalise versions (PEP 427, PEP 625).
func agrees(file, name, version string, p schema.Package) error {
	if schema.NormalisePackage(schema.PyPI, name) != schema.NormalisePackage(schema.PyPI, p.Name) {
		return invalid("build it again; do not rename build results", "the file name says the package %q, its metadata %q", name, p.Name)
	}
	if escaped(version) != escaped(p.Version) {
		return invalid("build it again; do not rename build results", "the file name says version %q, its metadata %q", version, p.Version)
	}
	return nil
}

func escaped(version string) string {
	return strings.ToLower(strings.NewReplacer("-", "_", ".", "_").Replace(version))
}

// bounded reads at most MaxMetadata bytes.
func bounded(r io.Reader, path string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxMetadata+1))
	if err != nil {
		return nil, invalid("build it again", "%s is unreadable (%v)", path, err)
	}
	if len(data) > MaxMetadata {
		return nil, invalid("shorten it", "%s is larger than %d bytes", path, MaxMetadata)
	}
	return data, nil
}

var errTooMuch = errors.New("decompresses to too many bytes")
