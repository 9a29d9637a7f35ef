package npm

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"appstore/registry"
	"appstore/schema"
)

// Limits of what `npm publish` sends: the tarball in base64 inside of a JSON
// text. Clients build that text in memory, so larger packages are for the
// other way of publishing.
const (
	MaxTarball = 256 << 20                     // bytes
	MaxBody    = MaxTarball/3*4 + (16<<20 + 4) // bytes, with the manifest and the readme
)

// Upload is the tarball inside the body of a publish. It is read as the bytes
// arrive, at most some hundred kilobytes of the body are in memory.
//
// What the client says of the tarball (its version, length and digests) may
// stand before or behind it. Read tells io.EOF only when the whole body was
// read and all of it agrees with the bytes: whoever gets another error must
// forget what was read.
type Upload struct {
	Package schema.Package // name and version, as the client says
	File    string         // the tarball's own file name

	scan   *scanner
	data   io.Reader
	hashes []namedHash
	size   int64
	claims claims
	err    error // what Read ended with
}

type namedHash struct {
	name string // as Subresource Integrity calls it
	hash.Hash
}

// claims are what the body says of the tarball.
type claims struct {
	name, id    string
	versions    []string  // at most two: one too many is enough to know
	inner       [2]string // name and version of the manifest
	integrity   string
	shasum      string
	length      string
	tag         string // of several the last
	attachments int
}

// ErrNoTarball is what a body without one is: a change of what was published.
var ErrNoTarball = errors.New("npm: there is no tarball in the body")

// Receive reads the body of a publish up to the tarball.
func Receive(body io.Reader, name string) (*Upload, error) {
	u := &Upload{scan: newScanner(body)}
	key, err := u.walk()
	if err != nil {
		return nil, bodyError(err)
	}
	if key == "" {
		return nil, ErrNoTarball
	}
	version, ok := strings.CutSuffix(key, ".tgz")
	for _, prefix := range []string{name + "-", strings.TrimSuffix(TarballName(name, ""), ".tgz")} {
		if v, found := strings.CutPrefix(version, prefix); ok && found && v != "" {
			u.Package = schema.Package{Ecosystem: schema.NPM, Name: name, Version: v}
			u.File = packedName(name, v)
			u.data = base64.NewDecoder(base64.StdEncoding, &stringReader{r: u.scan.r})
			u.hashes = []namedHash{{"sha512", sha512.New()}, {"sha384", sha512.New384()}, {"sha256", sha256.New()}, {"sha1", sha1.New()}}
			return u, nil
		}
	}
	return nil, mismatch("the attachment %.100q is no tarball of %s: it should be called %s-VERSION.tgz", key, name, name)
}

func mismatch(format string, args ...any) error {
	return &registry.Error{Code: registry.ArtifactMismatch, Detail: fmt.Sprintf(format, args...), Fix: "publish it again with a current npm, pnpm or yarn"}
}

// bodyError is what a body that can't be read means to the user; failures of
// the connection stay as they are.
func bodyError(err error) error {
	var corrupt base64.CorruptInputError
	switch {
	case errors.Is(err, errJSON), errors.As(err, &corrupt):
		return &registry.Error{Code: registry.InvalidRequest, Detail: fmt.Sprintf("the body of the publish can't be read: %v", err), Fix: "publish with npm, pnpm or yarn"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &registry.Error{Code: registry.InvalidRequest, Detail: "the body of the publish ends early", Fix: "publish it again", Err: err}
	}
	return err
}

// walk reads on until the data of a tarball, whose name it gives, or to the
// end of the body.
func (u *Upload) walk() (attachment string, err error) {
	s := u.scan
	for {
		kind, err := s.next()
		if err != nil || kind == 0 {
			return "", err
		}
		c := &u.claims
		depth := s.depth()
		var to *string
		switch {
		case depth == 1 && s.path(0) == "name":
			to = &c.name
		case depth == 1 && s.path(0) == "_id":
			to = &c.id
		case depth == 2 && s.path(0) == "dist-tags":
			c.tag = s.path(1)
		case depth == 3 && s.path(0) == "versions" && kind == '{': // versions.V, just opened
			if len(c.versions) < 2 || !slices.Contains(c.versions, s.path(1)) {
				c.versions = append(c.versions[:min(len(c.versions), 1)], s.path(1))
			}
		case depth == 3 && s.path(0) == "versions" && s.path(2) == "name":
			to = &c.inner[0]
		case depth == 3 && s.path(0) == "versions" && s.path(2) == "version":
			to = &c.inner[1]
		case depth == 4 && s.path(0) == "versions" && s.path(2) == "dist" && s.path(3) == "integrity":
			to = &c.integrity
		case depth == 4 && s.path(0) == "versions" && s.path(2) == "dist" && s.path(3) == "shasum":
			to = &c.shasum
		case depth == 3 && s.path(0) == "_attachments" && s.path(2) == "length" && kind == 'v':
			c.length = s.literal
		case depth == 3 && s.path(0) == "_attachments" && s.path(2) == "data" && kind == '"':
			if c.attachments++; c.attachments > 1 {
				return "", mismatch("the body has several attachments; publish one tarball, without provenance")
			}
			return s.path(1), nil
		}
		switch {
		case kind != '"':
		case to != nil:
			if *to, err = s.text(maxKey); err != nil {
				return "", err
			}
		default:
			if err := s.skip(); err != nil {
				return "", err
			}
		}
	}
}

// Read reads the tarball.
func (u *Upload) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.data.Read(p)
	if u.size += int64(n); u.size > MaxTarball {
		u.err = &registry.Error{
			Code: registry.TooLarge, Detail: fmt.Sprintf("the tarball is larger than the %d MiB that can be published by npm", MaxTarball>>20),
			Fix: "publish it with `appstore publish`, which takes larger files",
		}
		return 0, u.err
	}
	for _, h := range u.hashes {
		h.Write(p[:n])
	}
	if err == io.EOF {
		err = u.finish()
	}
	if err != nil {
		u.err = bodyError(err)
	}
	return n, u.err
}

// finish reads the rest of the body and holds what it says against the bytes.
func (u *Upload) finish() error {
	if _, err := u.walk(); err != nil {
		return err
	}
	c, p := &u.claims, u.Package
	for _, said := range []string{c.name, c.id, c.inner[0]} {
		if said != "" && said != p.Name {
			return mismatch("it was sent to the address of %s, but the body says %.100q", p.Name, said)
		}
	}
	if len(c.versions) != 1 || c.versions[0] != p.Version || c.inner[1] != "" && c.inner[1] != p.Version {
		return mismatch("the tarball is called version %s, but the body describes another version, or not exactly one", p.Version)
	}
	if c.length != "" && c.length != fmt.Sprint(u.size) {
		return mismatch("the tarball has %d bytes, but the body says %s: it was damaged on its way", u.size, c.length)
	}
	sums := map[string]string{}
	for _, h := range u.hashes {
		sums[h.name] = base64.StdEncoding.EncodeToString(h.Sum(nil))
		if h.name == "sha1" && c.shasum != "" && !strings.EqualFold(c.shasum, hex.EncodeToString(h.Sum(nil))) {
			return mismatch("the sha1 of the tarball is not the shasum that the body says: it was damaged on its way")
		}
	}
	for one := range strings.FieldsSeq(c.integrity) {
		one, _, _ = strings.Cut(one, "?") // options
		name, want, _ := strings.Cut(one, "-")
		if have, known := sums[name]; known && have != want {
			return mismatch("the %s of the tarball is not the one that the body says: it was damaged on its way", name)
		}
	}
	return io.EOF
}

// Notice is what the publisher should know of what became of the upload, in
// one line; "" if all is as they would think.
func Notice(u *Upload, done *registry.Uploaded) string {
	var lines []string
	if d := done.Draft; d != nil {
		var missing []string
		for _, p := range d.Missing {
			missing = append(missing, p.Ecosystem+" package "+p.Name)
		}
		lines = append(lines, fmt.Sprintf("%s %s is not published yet: %s %s waits for the %s (appstore draft show %s@%s)",
			u.Package.Name, u.Package.Version, d.Name, d.Version, strings.Join(missing, ", the "), d.Name, d.Version))
	}
	if tag := u.claims.tag; tag != "" && tag != "latest" {
		lines = append(lines, fmt.Sprintf("the tag %+.60q was not set: dist-tags are the channels of the plugin (appstore channel PLUGIN CHANNEL VERSION)", tag))
	}
	return strings.Join(lines, "; ")
}
