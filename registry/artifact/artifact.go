// Package artifact reads wheels, sdists and npm tarballs, which are hostile
// input until shown otherwise: nothing of them is run or unpacked to disk, and
// whatever is read is bounded first.
//
// A wheel is a zip archive with NAME-VERSION.dist-info/METADATA (PEP 427), an
// sdist a gzipped tar archive with NAME-VERSION/PKG-INFO (PEP 643), an npm
// tarball a gzipped tar archive with package/package.json. The kind follows
// from the file name; what the archive then says of itself must agree with it.
package artifact

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"appstore/schema"
)

// Kinds of files.
const (
	Wheel = "wheel"
	Sdist = "sdist"
	NPM   = "npm"
)

// Limits of what is read.
const (
	MaxName     = 255     // bytes of a file name
	MaxMetadata = 1 << 20 // bytes of METADATA, PKG-INFO or package.json
	// MaxEntries is the number of entries looked through for those.
	MaxEntries = 100_000
	// MaxUnpacked is how many bytes are decompressed in looking for them.
	MaxUnpacked = 8 << 30
)

// Error says what is wrong with a file, for its author.
type Error struct{ Message, Fix string }

func (e *Error) Error() string { return e.Message + " (" + e.Fix + ")" }

func invalid(fix, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Fix: fix}
}

// Info is what a file says of itself.
type Info struct {
	Kind           string // Wheel, Sdist or NPM
	Package        schema.Package
	RequiresPython string
	Metadata       []byte          // METADATA or PKG-INFO as it is
	Manifest       json.RawMessage // abbreviated package.json: what an installer needs to choose and resolve
}

// CheckName tells whether name can be the name of an uploaded file.
func CheckName(name string) error {
	_, err := kindOf(name)
	return err
}

func kindOf(name string) (string, error) {
	if name == "" || len(name) > MaxName {
		return "", invalid("rename it", "the file name has %d bytes; 1 to %d are allowed", len(name), MaxName)
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._+-!@", c) >= 0) {
			return "", invalid("rename it: letters, digits and . _ + - ! @ are allowed", "the file name %q has the character %q", name, c)
		}
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		return "", invalid("rename it", "the file name %q begins with %q", name, name[0])
	}
	switch {
	case strings.HasSuffix(name, ".whl"):
		return Wheel, nil
	case strings.HasSuffix(name, ".tar.gz"):
		return Sdist, nil
	case strings.HasSuffix(name, ".tgz"):
		return NPM, nil
	}
	return "", invalid("upload a wheel (.whl), an sdist (.tar.gz) or an npm tarball (.tgz)", "the kind of the file %q is not known", name)
}

// Inspect reads what the file of that name, of size bytes, says of itself. Its
// position in r afterwards is undefined. An *Error is the author's to mend.
func Inspect(name string, r io.ReaderAt, size int64) (Info, error) {
	kind, err := kindOf(name)
	if err != nil {
		return Info{}, err
	}
	switch kind {
	case Wheel:
		return wheel(name, r, size)
	case Sdist:
		return sdist(name, io.NewSectionReader(r, 0, size))
	default:
		return tarball(io.NewSectionReader(r, 0, size))
	}
}
