package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/registry"
	"appstore/schema"
)

const howToPublish = `send multipart/form-data: first a part "descriptor" with the YAML, then a part "file" for each file, as: curl -F descriptor=@plugin.yaml -F file=@a.whl`

// publish answers POST /api/v1/plugins/{name}/releases. The files are streamed
// from the connection to the registry, one after the other.
func (s *server) publish(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	name, err := param(c, "name")
	if err != nil {
		return err
	}
	parts, err := openForm(c)
	if err != nil {
		return err
	}
	descriptor, err := parts.descriptor()
	if err != nil {
		return err
	}
	if d, problems := schema.Parse(descriptor); len(problems) == 0 && schema.Normalise(d.Name) != schema.Normalise(name) {
		return fail(codeNameMismatch, fmt.Sprintf("post it to the releases of %q, or change the descriptor", d.Name),
			"the address names the plugin %q, the descriptor %q", name, d.Name)
	}
	p, err := s.Registry.Publish(c.Request().Context(), registry.Upload{Descriptor: descriptor, Next: parts.file, By: by})
	if err != nil {
		return err
	}
	return s.published(c, &p)
}

// published answers 201 for a new release, 200 for one that was there.
func (s *server) published(c echo.Context, p *registry.Published) error {
	w := client.Published{Release: *s.wireRelease(&p.Release), Created: p.Created, Searchable: p.Searchable}
	c.Response().Header().Set("Location", w.URL)
	if p.Created {
		return s.json(c, http.StatusCreated, w)
	}
	return s.json(c, http.StatusOK, w)
}

// form reads the parts of an upload in their order.
type form struct{ parts *multipart.Reader }

func openForm(c echo.Context) (*form, error) {
	if err := mustBe(c, "multipart/form-data"); err != nil {
		return nil, fail(codeMediaType, howToPublish, "the body is %.80q", c.Request().Header.Get("Content-Type"))
	}
	_, params, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	boundary := params["boundary"]
	if boundary == "" || len(boundary) > 70 { // RFC 2046, section 5.1.1
		return nil, fail(codeBadBody, howToPublish, "the header Content-Type has no boundary of 1 to 70 characters")
	}
	b, err := bodyOf(c, maxPublish)
	if err != nil {
		return nil, err
	}
	return &form{multipart.NewReader(b, boundary)}, nil
}

// next gives the next part with its field and file name, or io.EOF. It takes
// the raw part: the decoded one would change quoted-printable bytes, and the
// file name would lose its folders unseen.
func (f *form) next() (part *multipart.Part, field, file string, err error) {
	part, err = f.parts.NextRawPart()
	if err == io.EOF {
		return nil, "", "", io.EOF
	}
	if err != nil {
		return nil, "", "", formError(err)
	}
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || params["name"] == "" {
		return nil, "", "", fail(codeBadBody, howToPublish, "a part has no Content-Disposition: form-data; name=...")
	}
	if encoding := part.Header.Get("Content-Transfer-Encoding"); encoding != "" && !strings.EqualFold(encoding, "binary") && !strings.EqualFold(encoding, "8bit") {
		return nil, "", "", fail(codeBadBody, "send the bytes as they are", "a part is encoded as %.40q", encoding)
	}
	return part, params["name"], params["filename"], nil
}

// formError keeps the errors of the body, and explains those of the form.
func formError(err error) error {
	var broken *bodyError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &broken), errors.As(err, &tooLong):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF): // no end of the form
		return &bodyError{err}
	default:
		return fail(codeBadBody, howToPublish, "the multipart body can't be read: %v", err)
	}
}

// descriptor reads the first part.
func (f *form) descriptor() ([]byte, error) {
	part, field, _, err := f.next()
	if err == io.EOF {
		return nil, fail(codeBadBody, howToPublish, "the body has no parts")
	}
	if err != nil {
		return nil, err
	}
	if field != "descriptor" {
		return nil, fail(codeBadBody, howToPublish, `the first part is %.60q; it must be "descriptor"`, field)
	}
	// One byte more: the registry then says that it is too large.
	text, err := io.ReadAll(io.LimitReader(part, maxDescriptor+1))
	if err != nil {
		return nil, formError(err)
	}
	return text, nil
}

// file gives the next file, or io.EOF; it is the Next of an Upload.
func (f *form) file() (string, io.Reader, error) {
	part, field, name, err := f.next()
	if err != nil {
		return "", nil, err
	}
	switch {
	case field == "descriptor":
		return "", nil, fail(codeBadBody, howToPublish, `there is a second part "descriptor"`)
	case name == "":
		return "", nil, fail(codeBadBody, howToPublish, "the part %.60q has no file name", field)
	}
	if err := checkFileName(name); err != nil {
		return "", nil, err
	}
	return name, partReader{part}, nil
}

// partReader tells a form that breaks off from a file that ends.
type partReader struct{ part *multipart.Part }

func (p partReader) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	if err != nil && err != io.EOF {
		err = formError(err)
	}
	return n, err
}

// checkFileName refuses what could be more than a file's own name.
func checkFileName(name string) error {
	if len(name) > maxParam || name == "." || name == ".." || !utf8.ValidString(name) ||
		strings.ContainsAny(name, `/\`) || strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return fail(codeBadBody, "send the file's own name, without folders, as the build tool gave it",
			"the file name %.80q must have 1 to %d bytes of UTF-8 without slashes and control characters", name, maxParam)
	}
	return nil
}
