package api

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/api/pip"
	"appstore/registry"
)

// pipRoutes are the Python package index under /simple, and the legacy upload
// API under /legacy. Package pip tells what they follow.
type pipRoutes struct {
	*server
	index *pip.Index
}

func (s *server) mountPip() {
	m := &pipRoutes{server: s, index: pip.New(pip.Options{
		Registry: s.Registry,
		Upstream: s.PipUpstream,
		FileURL: func(plugin, release, file string) string {
			return s.apiURL(plugin, "releases", release, "files", file)
		},
		UpstreamURL: func(project, sha256, file string) string { return s.link("simple", project, sha256, file) },
	})}
	for path, h := range map[string]echo.HandlerFunc{
		"/simple":                        m.toSlash,
		"/simple/":                       m.root,
		"/simple/:project":               m.toSlash,
		"/simple/:project/":              m.project,
		"/simple/:project/:sha256/:file": m.upstreamFile,
	} {
		s.echo.GET(path, h)
		s.echo.HEAD(path, h)
	}
	// Both, as clients do not follow a redirect with an upload.
	s.echo.POST("/legacy", m.upload, s.authorised)
	s.echo.POST("/legacy/", m.upload, s.authorised)
}

// toSlash leads to the page's own address, which ends in a slash (PEP 503).
func (m *pipRoutes) toSlash(c echo.Context) error {
	segments := []string{"simple"}
	if c.Param("project") != "" {
		name, err := param(c, "project")
		if err != nil {
			return err
		}
		segments = append(segments, pip.Normalise(name))
	}
	to := m.link(segments...) + "/"
	if q := c.Request().URL.RawQuery; q != "" {
		to += "?" + q
	}
	c.Response().Header().Set("Cache-Control", revalidate)
	return c.Redirect(http.StatusMovedPermanently, to)
}

// form is the form of a page that the client wants.
func (m *pipRoutes) form(c echo.Context) (pip.Form, error) {
	c.Response().Header().Set("Vary", "Accept")
	v, err := queryOf(c, "format")
	if err != nil {
		return "", err
	}
	format, err := single(v, "format")
	if err != nil {
		return "", err
	}
	return pip.Negotiate(strings.Join(c.Request().Header.Values("Accept"), ","), format)
}

// root answers GET /simple/.
func (m *pipRoutes) root(c echo.Context) error {
	form, err := m.form(c)
	if err != nil {
		return err
	}
	p, err := m.index.Root(c.Request().Context(), form)
	if err != nil {
		return err
	}
	return sendPage(c, p)
}

// project answers GET /simple/{project}/.
func (m *pipRoutes) project(c echo.Context) error {
	name, err := param(c, "project")
	if err != nil {
		return err
	}
	if pip.Normalise(name) != name {
		return m.toSlash(c)
	}
	form, err := m.form(c)
	if err != nil {
		return err
	}
	p, err := m.index.Project(c.Request().Context(), name, form)
	if err != nil {
		return err
	}
	return sendPage(c, p)
}

func sendPage(c echo.Context, p *pip.Page) error {
	a := &answer{status: http.StatusOK, contentType: p.Form.ContentType(), body: p.Body, zipped: p.Gzip, cache: revalidate, etag: p.ETag}
	return a.write(c)
}

// upstreamFile answers GET /simple/{project}/{sha256}/{file}. Files that were
// published here are not there, but below their release.
func (m *pipRoutes) upstreamFile(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	var project, sum, name string
	for key, to := range map[string]*string{"project": &project, "sha256": &sum, "file": &name} {
		var err error
		if *to, err = param(c, key); err != nil {
			return err
		}
	}
	f, err := m.index.File(c.Request().Context(), project, sum, name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.Response().Header()
	uploaded(c, name)
	h.Set("Etag", `"`+f.SHA256+`"`)
	h.Set("Cache-Control", immutable)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	sendDeadline(c, f.Size)
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	n, err := io.Copy(c.Response().Writer, f.ReadCloser)
	c.Response().Size += n
	if err != nil && c.Request().Context().Err() != nil {
		return c.Request().Context().Err()
	}
	return err
}

// upload answers POST /legacy/.
func (m *pipRoutes) upload(c echo.Context) error {
	if _, err := queryOf(c); err != nil {
		return err
	}
	parts, err := openForm(c)
	if err != nil {
		return err
	}
	u, err := m.index.Upload(c.Request().Context(), func() (string, string, io.Reader, error) {
		part, field, file, err := parts.next()
		if err == nil && file != "" {
			err = checkFileName(file)
		}
		if err != nil {
			return "", "", nil, err
		}
		return field, file, partReader{part}, nil
	}, by)
	if err != nil {
		return err
	}
	return m.send(c, &answer{contentType: textPlain, body: []byte(u.Notice + "\n")})
}

const textPlain = "text/plain; charset=utf-8"

// forPip tells whether a client of the package index asks: it gets errors as
// plain text, and is challenged for a password.
func forPip(c echo.Context) bool {
	return strings.HasPrefix(c.Path(), "/simple") || strings.HasPrefix(c.Path(), "/legacy")
}

// pipError writes an error for pip and twine.
func (s *server) pipError(c echo.Context, p *client.Error) {
	if strings.HasPrefix(c.Path(), "/legacy") {
		switch {
		case p.Code == string(codeUnauthorised):
			p.Fix = "give the user __token__ and the token as its password: TWINE_USERNAME=__token__ TWINE_PASSWORD=... or UV_PUBLISH_TOKEN=..."
		case p.Fix == howToPublish:
			p.Fix = "upload with twine or uv publish"
		}
	}
	text := p.Detail
	if p.Fix != "" {
		text += ": " + p.Fix
	}
	for _, one := range p.Problems {
		text += fmt.Sprintf("\n%s (line %d): %s", one.Pointer, one.Line, one.Message)
		if one.Fix != "" {
			text += ": " + one.Fix
		}
	}
	if c.Request().Method == http.MethodPost && sayInStatus(c, p.Status, text) {
		return
	}
	s.send(c, &answer{status: p.Status, contentType: textPlain, body: []byte(text + "\n"), cache: noStore})
}

// Limits of an answer that says the error in its status line.
const (
	maxReason   = 400              // bytes
	lingerFor   = 30 * time.Second // while nothing comes
	lingerMost  = 10 * time.Minute
	lingerBytes = registry.MaxFile
)

// sayInStatus answers with the error as the reason of the status line, which is
// all that twine shows (as PyPI does; net/http can't). It takes the connection
// over, and what the client still sends, since one that is cut off while it
// sends does not read the answer. False: it can't be done (HTTP/2).
func sayInStatus(c echo.Context, status int, text string) bool {
	r := c.Request()
	if r.ProtoMajor != 1 {
		return false
	}
	h := c.Response().Header()
	conn, _, err := http.NewResponseController(c.Response().Writer).Hijack()
	if err != nil {
		return false
	}
	body := text + "\n"
	h.Set("Content-Type", textPlain)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", noStore)
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", status, reason(text))
	_ = h.Write(&head) // to memory
	_ = conn.SetDeadline(time.Now().Add(lingerFor))
	_, err = io.WriteString(conn, head.String()+"\r\n"+body)
	c.Response().Status, c.Response().Committed, c.Response().Size = status, true, int64(len(body))
	go func() {
		defer conn.Close()
		if half, ok := conn.(interface{ CloseWrite() error }); err != nil || !ok || half.CloseWrite() != nil {
			return
		}
		drain(conn, lingerBytes)
	}()
	return true
}

// drain takes what still comes, until it ends or stands still.
func drain(conn net.Conn, most int64) {
	buf := make([]byte, 32<<10)
	for end := time.Now().Add(lingerMost); most > 0 && time.Now().Before(end); {
		_ = conn.SetReadDeadline(time.Now().Add(lingerFor))
		n, err := conn.Read(buf)
		if most -= int64(n); err != nil {
			return
		}
	}
}

// reason makes a reason phrase of a text: one line of ASCII.
func reason(text string) string {
	line := strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > 0x7f:
			return '?'
		}
		return r
	}, text)
	if len(line) > maxReason {
		line = line[:maxReason] + "..."
	}
	return line
}

// challenge is what an answer 401 asks for.
func challenge(c echo.Context) string {
	if forPip(c) {
		return `Basic realm="appstore"`
	}
	return `Bearer realm="appstore"`
}

// basicToken reads the token where a client can only send a user and a
// password: the user is __token__, as on PyPI.
func basicToken(scheme, given string) (string, string) {
	if !strings.EqualFold(scheme, "Basic") {
		return scheme, given
	}
	text, err := base64.StdEncoding.DecodeString(given)
	user, password, ok := strings.Cut(string(text), ":")
	if err != nil || !ok || user != "__token__" {
		return scheme, given
	}
	return "Bearer", password
}
