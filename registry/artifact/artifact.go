package artifact

import (
	"encoding/json"
	"errors"
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

// Limits of what is read. A file beyond one of them is refused.
const (
	MaxName     = 255     // bytes of a file name
	MaxMetadata = 1 << 20 // bytes of METADATA, PKG-INFO, WHEEL or package.json
	MaxRecord   = 16 << 20
	MaxEntries  = 40_000 // entries of an archive
	MaxHeaders  = 50_000 // headers of a tar archive that extend others
	MaxPaths    = 50_000 // entries and the folders that they imply
	MaxPath     = 1024   // bytes of an entry's name
	MaxDepth    = 64     // folders in an entry's name
	MaxUnpacked = 8 << 30
	// MaxRatio is how many times its own size a file may decompress to, once
	// that is more than FreeUnpacked. DEFLATE's own limit is 1032.
	MaxRatio     = 50
	FreeUnpacked = 64 << 20
	// MaxEntryRatio is the same for one entry of a zip archive, once that is
	// more than FreeEntry bytes.
	MaxEntryRatio = 250
	FreeEntry     = 16 << 20
	MaxPAX        = 64 << 10 // bytes of a tar archive's extended header
	MaxDeps       = 1000     // Requires-Dist lines
	MaxLine       = 16 << 10 // bytes of a field of METADATA, or line of RECORD
)

// Error says what is wrong with a file, for its author. Code is stable.
type Error struct{ Code, Message, Fix string }

func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Message
	}
	return e.Message + " (" + e.Fix + ")"
}

// again is the fix where nothing better can be said.
const again = "build it again with a current build tool; do not edit or rename what it built"

func refuse(code, fix, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// Info is what a file says of itself, and which checks say that it may.
type Info struct {
	Kind           string // Wheel, Sdist or NPM
	Package        schema.Package
	RequiresPython string
	// Dependencies are a wheel's or sdist's Requires-Dist lines as they are;
	// those of an npm package are in Manifest.
	Dependencies []string
	Metadata     []byte          // METADATA or PKG-INFO as it is
	Manifest     json.RawMessage // abbreviated package.json: what an installer needs to choose and resolve
	// InstallScripts are the commands that npm runs when it installs the
	// package, as "postinstall: node install.js". They are disclosed, not
	// refused.
	InstallScripts []string
	// Descriptor is the plugin's descriptor that travels in the package, as
	// DescriptorName; nil if none does. It is not checked here.
	Descriptor []byte
	Entries    int   // files and folders in the archive
	Unpacked   int64 // bytes of its files
	Checks     []Check
}

// CheckName tells whether name can be the name of an uploaded file. An error
// is an *Error.
func CheckName(name string) error {
	_, err := kindOf(name)
	if err != nil {
		return err
	}
	return nil
}

func kindOf(name string) (string, *Error) {
	if name == "" || len(name) > MaxName {
		return "", refuse("name-length", "rename it", "the file name has %d bytes; 1 to %d are allowed", len(name), MaxName)
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._+-!@", c) >= 0) {
			return "", refuse("name-character", "rename it: letters, digits and . _ + - ! @ are allowed", "the file name %q has the character %q", name, c)
		}
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		return "", refuse("name-start", "rename it", "the file name %q begins with %q", name, name[0])
	}
	switch {
	case strings.HasSuffix(name, ".whl"):
		return Wheel, nil
	case strings.HasSuffix(name, ".tar.gz"):
		return Sdist, nil
	case strings.HasSuffix(name, ".tgz"):
		return NPM, nil
	}
	return "", refuse("name-kind", "upload a wheel (.whl), an sdist (.tar.gz) or an npm tarball (.tgz)", "the kind of the file %q is not known", name)
}

// Inspect reads the whole of the file of that name, of size bytes, and tells
// what it says of itself. Only when every required check passed is the error
// nil. An *Error is the author's to mend; any other error is of r. Checks are
// there in either case. It takes less than 8 MB of memory, and time in
// proportion to size, whatever the file has.
func Inspect(name string, r io.ReaderAt, size int64) (Info, error) {
	kind, bad := kindOf(name)
	rep := newReport(kind)
	src := &source{r: r, size: size}
	var info Info
	err := error(bad)
	if bad == nil {
		switch kind {
		case Wheel:
			info, err = inspectWheel(rep, name, src)
		case Sdist:
			info, err = inspectSdist(rep, name, src)
		default:
			info, err = inspectTarball(rep, src)
		}
	}
	err = src.blame(err)
	if err = rep.close(err); err != nil {
		return Info{Kind: kind, Checks: rep.checks}, err
	}
	info.Kind, info.Checks = kind, rep.checks
	return info, nil
}

// source is the file. It remembers a failure to read it, so that this is not
// taken for a fault of the file.
type source struct {
	r    io.ReaderAt
	size int64
	err  error
}

func (s *source) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at > s.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > s.size-at
	if short {
		p = p[:s.size-at]
	}
	n, err := s.r.ReadAt(p, at)
	switch {
	case n == len(p):
		err = nil
	case errors.Is(err, io.EOF) || err == nil:
		err = io.ErrUnexpectedEOF // the file is shorter than the caller said
	}
	if err != nil {
		if s.err == nil {
			s.err = fmt.Errorf("the file can't be read: %w", err)
		}
		return n, s.err
	}
	if short {
		return n, io.EOF
	}
	return n, nil
}

// blame gives the failure to read the file, if there was one, else err.
func (s *source) blame(err error) error {
	if s.err != nil {
		return s.err
	}
	return err
}

func (s *source) stream() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }
