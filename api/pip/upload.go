package pip

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"

	"appstore/registry"
	"appstore/schema"
)

// Codes of uploads that are refused here.
const (
	// BadForm: the body is not what the legacy upload API takes.
	BadForm registry.Code = "bad-upload"
	// DigestMismatch: the bytes that came are not those that were sent.
	DigestMismatch registry.Code = "digest-mismatch"
)

// Limits of the fields before the file. The longest is the description, which
// is part of METADATA and so at most 1 MiB.
const (
	maxFields     = 2000 // twine sends one for each classifier and dependency
	maxFieldBytes = 4 << 20
)

const howToUpload = "upload with `twine upload --repository-url URL/legacy/` or `uv publish --publish-url URL/legacy/`"

// Part gives the next part of a form: its field's name, its file name if it has
// one, and its content, to be read before the next call; io.EOF at the end.
type Part func() (field, file string, content io.Reader, err error)

// Uploaded is what became of an upload, and Notice the same for people.
type Uploaded struct {
	registry.Uploaded
	Notice string
}

// claims is what an upload says of its file.
type claims struct {
	fields map[string]string // those that are used; the first value of each
	notes  []string
}

// used are the fields that mean something here; the others say again what
// METADATA says.
var used = []string{":action", "protocol_version", "name", "version", "filetype", "sha256_digest", "blake2_256_digest", "md5_digest"}

// Upload takes one file by the legacy upload API. What the fields claim is
// held against the file before anything of it is kept.
func (x *Index) Upload(ctx context.Context, next Part, by string) (Uploaded, error) {
	c := claims{fields: map[string]string{}}
	name, content, err := c.read(next)
	if err != nil {
		return Uploaded{}, err
	}
	p, err := c.check(name)
	if err != nil {
		return Uploaded{}, err
	}
	whole, err := c.verified(content, next)
	if err != nil {
		return Uploaded{}, err
	}
	u, err := x.Registry.UploadFile(ctx, name, whole, by, p)
	if err != nil {
		return Uploaded{}, err
	}
	return Uploaded{u, strings.Join(append([]string{notice(&u)}, c.notes...), "\n")}, nil
}

// read takes the fields up to the file.
func (c *claims) read(next Part) (name string, content io.Reader, err error) {
	size := 0
	for range maxFields {
		field, file, content, err := next()
		switch {
		case errors.Is(err, io.EOF):
			return "", nil, bad(howToUpload, `the form has no file: its field "content" is missing`)
		case err != nil:
			return "", nil, err
		case field == "content":
			if file == "" {
				return "", nil, bad(howToUpload, `the field "content" has no file name`)
			}
			return file, content, nil
		}
		text, err := io.ReadAll(io.LimitReader(content, int64(maxFieldBytes-size+1)))
		if err != nil {
			return "", nil, err
		}
		if size += len(text); size > maxFieldBytes {
			return "", nil, &registry.Error{Code: registry.TooLarge, Detail: fmt.Sprintf("the fields before the file have more than %d bytes", maxFieldBytes), Fix: "shorten the description"}
		}
		switch {
		case field == "attestations" || field == "gpg_signature":
			c.notes = append(c.notes, "The field "+field+" is not kept: this index does not serve signatures.")
		case slices.Contains(used, field):
			if before, twice := c.fields[field]; twice && before != string(text) {
				return "", nil, bad("", "the field %q is there twice, with different values", field)
			}
			c.fields[field] = string(text)
		}
	}
	return "", nil, bad(howToUpload, "the form has more than %d fields", maxFields)
}

// check looks at what can be checked before the file comes.
func (c *claims) check(name string) (schema.Package, error) {
	p := schema.Package{Ecosystem: schema.PyPI, Name: c.fields["name"], Version: c.fields["version"]}
	switch action := c.fields[":action"]; action {
	case "file_upload":
	case "":
		return p, bad(howToUpload, `the form has no field ":action" before the file`)
	default:
		return p, bad(howToUpload, "the action %.40q is not known: only files are uploaded (file_upload)", action)
	}
	if v := c.fields["protocol_version"]; v != "" && v != "1" {
		return p, bad(howToUpload, "the protocol version %.20q is not known: it is 1", v)
	}
	for _, field := range []string{"name", "version", "filetype"} {
		if c.fields[field] == "" {
			return p, bad(howToUpload, "the form has no field %q before the file", field)
		}
	}
	ending, ok := map[string]string{"bdist_wheel": ".whl", "sdist": ".tar.gz"}[c.fields["filetype"]]
	if !ok {
		return p, bad("build a wheel or an sdist: python -m build", "a file of the type %.40q is not taken", c.fields["filetype"])
	}
	if !strings.HasSuffix(name, ending) {
		return p, bad("build a wheel (.whl) or an sdist (.tar.gz): python -m build", "%s is sent as %s, whose name ends in %s", name, c.fields["filetype"], ending)
	}
	return p, nil
}

// verified is the content, which ends only if it is what the strongest digest
// claims, and the form ends with it; else reading it fails.
func (c *claims) verified(content io.Reader, next Part) (io.Reader, error) {
	v := &verified{r: content, next: next}
	for _, d := range []struct {
		field string
		make  func() hash.Hash
	}{{"sha256_digest", sha256.New}, {"blake2_256_digest", newBlake2}, {"md5_digest", md5.New}} {
		if want := strings.ToLower(c.fields[d.field]); want != "" {
			v.field, v.want, v.hash = d.field, want, d.make()
			return v, nil
		}
	}
	return nil, bad(howToUpload, "the form has no digest of the file before it: sha256_digest is missing")
}

func newBlake2() hash.Hash {
	h, _ := blake2b.New256(nil) // fails for a key only
	return h
}

type verified struct {
	r           io.Reader
	next        Part
	field, want string
	hash        hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if have := hex.EncodeToString(v.hash.Sum(nil)); have != v.want {
		return n, &registry.Error{
			Code: DigestMismatch, Fix: "upload it again; if it stays, something between here and there changes the bytes",
			Detail: fmt.Sprintf("the file that came is not the one that was sent: its %s is %.12s..., the form says %.12s...", v.field, have, v.want),
		}
	}
	field, _, _, err := v.next()
	if err == nil {
		return n, bad("send the file last", "the field %.40q comes after the file", field)
	}
	return n, err // io.EOF, or that the form is cut off
}

func bad(fix, format string, args ...any) error {
	return &registry.Error{Code: BadForm, Detail: fmt.Sprintf(format, args...), Fix: fix}
}

// notice tells people what became of their file.
func notice(u *registry.Uploaded) string {
	switch {
	case u.Known:
		return fmt.Sprintf("%s is published already with these very bytes: nothing has changed.", u.File.Name)
	case u.Published != nil:
		r := &u.Published.Release
		return fmt.Sprintf("%s %s is published, with %d file(s).", r.Descriptor.Name, r.Descriptor.Version, len(r.Files))
	}
	var missing []string
	for _, p := range u.Draft.Missing {
		missing = append(missing, strings.TrimSpace(fmt.Sprintf("the %s package %q %s", p.Ecosystem, p.Name, p.Version)))
	}
	return fmt.Sprintf("%s is kept as a draft of %s %s, which is published when the rest has come: %s. `appstore draft list` shows it.",
		u.File.Name, u.Draft.Name, u.Draft.Version, strings.Join(missing, ", "))
}
