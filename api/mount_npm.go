package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"appstore/api/npm"
	"appstore/api/shelf"
	"appstore/registry"
	"appstore/schema"
)

// npmKeep is how many bytes the packages of npm that are kept may take, with
// their documents.
const npmKeep = 64 << 20

// npmRoutes are the routes of an npm registry, under /npm.
type npmRoutes struct {
	*server
	shelf *shelf.Shelf[registry.Mark, *npmPackage]
}

// npmPackage is a package with its packuments as finished answers.
type npmPackage struct {
	*npm.Package
	full, abbreviated func() (*answer, error)
}

func (s *server) mountNPM() {
	n := &npmRoutes{server: s, shelf: shelf.New[registry.Mark](npmKeep, func(p *npmPackage) int { return p.Size() })}
	for _, path := range []string{
		"/-/ping", "/-/whoami", "/-/v1/search", "/-/package/:package/dist-tags",
		"/:package", "/:package/:version", "/:package/-/:file",
	} {
		s.echo.GET("/npm"+path, n.serve)
		s.echo.HEAD("/npm"+path, n.serve)
	}
	s.echo.PUT("/npm/:package", n.serve)
	// The rest: scoped names with a plain slash, and what clients ask for that
	// is not here, which is told in npm's form too.
	s.echo.RouteNotFound("/npm/*", n.serve)
}

// serve answers all of /npm/. The path is taken apart by npm.SplitPath and not
// by the router, since a scoped name may be one segment or two.
func (n *npmRoutes) serve(c echo.Context) error {
	path := strings.TrimPrefix(c.Request().URL.EscapedPath(), "/npm")
	segments, err := npm.SplitPath(path)
	if err != nil {
		err = fail(codeBadPath, `write "%" as "%25"`, "the path %.100q is not percent-encoded correctly", path)
	} else {
		err = n.route(c, segments)
	}
	if err == nil {
		return nil
	}
	return n.tell(c, err)
}

func (n *npmRoutes) route(c echo.Context, path []string) error {
	method := c.Request().Method
	switch {
	case len(path) > 1 && path[0] == "-":
		return n.special(c, path[1:])
	case !isRead(c) && (method != http.MethodPut || len(path) != 1):
		if len(path) > 1 && path[1] == "-rev" {
			return npmPublished(path[0])
		}
		return fail(codeMethodNotAllowed, "", "%s is not possible at this address", method)
	case len(path) == 1 && !isRead(c):
		return n.authorised(func(c echo.Context) error { return n.publish(c, path[0]) })(c)
	case len(path) == 1 && path[0] != "":
		return n.packument(c, path[0])
	case len(path) == 2:
		return n.version(c, path[0], path[1])
	case len(path) == 3 && path[1] == "-":
		return n.tarball(c, path[0], path[2])
	}
	return fail(codeUnknownRoute, "packages are at /npm/NAME, their versions at /npm/NAME/VERSION", "there is nothing at this address")
}

// special answers what is under /npm/-/.
func (n *npmRoutes) special(c echo.Context, path []string) error {
	what := strings.Join(path, "/")
	switch {
	case strings.HasPrefix(what, "user/") && c.Request().Method == http.MethodPut, what == "v1/login":
		return n.login(c)
	case len(path) >= 3 && path[0] == "package" && path[2] == "dist-tags":
		if !isRead(c) || len(path) > 3 {
			return fail(codeMethodNotAllowed, "point a channel of the plugin to a release: appstore channel PLUGIN CHANNEL VERSION",
				"dist-tags are the channels of the plugin that owns the package, and can't be set alone")
		}
		return n.tags(c, path[1])
	case !isRead(c):
		return fail(codeMethodNotAllowed, "", "this registry has no %.100q", what)
	case what == "ping":
		return n.json(c, http.StatusOK, struct{}{})
	case what == "whoami":
		return n.authorised(func(c echo.Context) error {
			return n.json(c, http.StatusOK, map[string]string{"username": by})
		})(c)
	case what == "v1/search":
		return n.search(c)
	}
	return fail(codeUnknownRoute, "", "this registry has no %.100q", what)
}

// tell answers an error in npm's form. npm shows the text of `error` to its
// user; an answer 401 has no WWW-Authenticate, since npm would show a text of
// its own for it.
func (n *npmRoutes) tell(c echo.Context, err error) error {
	e := translate(err)
	p := document(e, requestIDOf(c))
	text := e.Detail
	for _, one := range e.Problems {
		text += fmt.Sprintf("; line %d: %s", one.Line, one.Message)
		if one.Fix != "" {
			text += " (" + one.Fix + ")"
		}
	}
	if e.Fix != "" {
		text += " (" + e.Fix + ")"
	}
	body, encodeErr := json.Marshal(map[string]string{"error": text, "code": p.Code, "request_id": p.RequestID})
	if encodeErr != nil {
		return errors.Join(err, encodeErr)
	}
	if p.RetryAfter > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(p.RetryAfter.Seconds())))
	}
	if c.Response().Committed {
		return err
	}
	if sendErr := n.send(c, &answer{status: p.Status, contentType: "application/json", body: append(body, '\n'), cache: noStore}); sendErr != nil || p.Status >= 500 {
		return errors.Join(err, sendErr) // for the log
	}
	return nil
}

// address is what links begin with: npm needs whole ones, so without a public
// URL it is the one that the client asked at.
func (n *npmRoutes) address(c echo.Context) string {
	if n.base != "" {
		return n.base
	}
	scheme := "http"
	if c.Request().TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.Request().Host
}

// held gives a package of ours, as it is now.
func (n *npmRoutes) held(c echo.Context, name string) (*npmPackage, error) {
	ctx := c.Request().Context()
	if !npm.IsName(name) {
		return nil, fail(registry.NotFound, "check the spelling", "%.100q is no name of an npm package", name)
	}
	_, mark, err := n.Registry.PackageState(ctx, schema.NPM, name)
	if err != nil {
		return nil, err
	}
	base := n.address(c)
	return n.shelf.Get(base+" "+name, mark, func() (*npmPackage, error) {
		// Others may wait for it: it does not end with this client.
		p, err := npm.Read(context.WithoutCancel(ctx), n.Registry, base, name)
		if err != nil {
			return nil, err
		}
		return &npmPackage{
			Package:     p,
			full:        sync.OnceValues(func() (*answer, error) { return packument("application/json", p.Full) }),
			abbreviated: sync.OnceValues(func() (*answer, error) { return packument(npm.Abbreviated, p.Abbreviated) }),
		}, nil
	})
}

func packument(contentType string, encode func() ([]byte, error)) (*answer, error) {
	body, err := encode()
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, contentType: contentType, body: body, cache: revalidate, etag: etagOf(body), header: [][2]string{{"Vary", "Accept"}}}, nil
}

func (n *npmRoutes) packument(c echo.Context, name string) error {
	short := npm.WantsAbbreviated(c.Request().Header.Get("Accept"))
	p, err := n.held(c, name)
	if err != nil {
		if _, err := n.elsewhere(c, name, err); err != nil {
			return err
		}
		contentType := "application/json"
		if short {
			contentType = npm.Abbreviated
		}
		a, err := packument(contentType, func() ([]byte, error) {
			return n.NPMUpstream.Packument(c.Request().Context(), n.address(c), name, short)
		})
		if err != nil {
			return err
		}
		return a.write(c)
	}
	form := p.full
	if short {
		form = p.abbreviated
	}
	a, err := form()
	if err != nil {
		return err
	}
	return a.write(c)
}

// elsewhere gives the upstream if that may be asked for a name that is not
// here, else the error to answer.
func (n *npmRoutes) elsewhere(c echo.Context, name string, notHere error) (*npm.Upstream, error) {
	var e *registry.Error
	if n.NPMUpstream == nil || !errors.As(notHere, &e) || e.Code != registry.NotFound {
		return nil, notHere
	}
	if err := n.NPMUpstream.May(c.Request().Context(), name); err != nil {
		return nil, err
	}
	return n.NPMUpstream, nil
}

func (n *npmRoutes) version(c echo.Context, name, ref string) error {
	var body []byte
	p, err := n.held(c, name)
	if err == nil {
		body, err = p.Version(ref)
	} else if up, notHere := n.elsewhere(c, name, err); up != nil {
		body, err = up.Version(c.Request().Context(), n.address(c), name, ref)
	} else {
		err = notHere
	}
	if err != nil {
		return err
	}
	if body == nil {
		return fail(registry.NotFound, "npm view "+name+" versions dist-tags", "%s has no version or dist-tag %.100q", name, ref)
	}
	return n.send(c, &answer{contentType: "application/json", body: body})
}

func (n *npmRoutes) tags(c echo.Context, name string) error {
	p, err := n.held(c, name)
	if err == nil {
		return n.json(c, http.StatusOK, p.Tags)
	}
	up, err := n.elsewhere(c, name, err)
	if err != nil {
		return err
	}
	tags, err := up.Tags(c.Request().Context(), name)
	if err != nil {
		return err
	}
	return n.json(c, http.StatusOK, tags)
}

// tarball answers the address that clients make up themselves. Ours lie at
// the files of a release.
func (n *npmRoutes) tarball(c echo.Context, name, file string) error {
	p, err := n.held(c, name)
	if err == nil {
		url := p.Tarball(file)
		if url == "" {
			return fail(registry.NotFound, "npm view "+name+" versions", "%s has no tarball %.100q", name, file)
		}
		c.Response().Header().Set("Cache-Control", revalidate)
		return c.Redirect(http.StatusFound, url)
	}
	up, err := n.elsewhere(c, name, err)
	if err != nil {
		return err
	}
	f, err := up.Tarball(c.Request().Context(), name, file)
	if err != nil {
		return err
	}
	defer f.Close()
	uploaded(c, file)
	h := c.Response().Header()
	h.Set("Cache-Control", immutable)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Etag", `"`+f.Digest+`"`)
	sendDeadline(c, f.Size)
	http.ServeContent(c.Response(), c.Request(), "", f.Modified, f)
	return nil
}

func (n *npmRoutes) search(c echo.Context) error {
	v := c.QueryParams() // npm sends weights too, which mean nothing here
	from, err := number(v, "from", 0, npm.MaxFrom, 0)
	if err != nil {
		return err
	}
	size, err := number(v, "size", 0, math.MaxInt32, 20)
	if err != nil {
		return err
	}
	base := n.address(c)
	found, err := npm.Search(c.Request().Context(), n.Registry, n.Index, v.Get("text"), from, min(size, npm.MaxSize), func(plugin string) string {
		return base + strings.TrimPrefix(n.pageURL(plugin), n.base)
	})
	if err != nil {
		return err
	}
	return n.json(c, http.StatusOK, found)
}

// publish answers PUT /npm/{package}: the tarball is streamed out of the JSON
// body to the registry.
func (n *npmRoutes) publish(c echo.Context, name string) error {
	if !npm.IsName(name) {
		return fail(registry.InvalidRequest, "rename it: lower case, and no other characters than letters, digits, - _ . ~", "%.100q is no name of an npm package", name)
	}
	if err := mustBe(c, "application/json"); err != nil {
		return err
	}
	b, err := bodyOf(c, npm.MaxBody)
	if err != nil {
		return err
	}
	u, err := npm.Receive(b, name)
	if errors.Is(err, npm.ErrNoTarball) {
		return npmPublished(name)
	}
	if err != nil {
		return err
	}
	done, err := n.Registry.UploadFile(c.Request().Context(), u.File, u, by, u.Package)
	if err != nil {
		return err
	}
	notice := npm.Notice(u, &done)
	if notice != "" {
		c.Response().Header().Set("Npm-Notice", notice)
	}
	status := http.StatusCreated
	switch {
	case done.Known:
		status = http.StatusOK
	case done.Draft != nil:
		status = http.StatusAccepted
	}
	return n.json(c, status, struct {
		OK     bool   `json:"ok"`
		ID     string `json:"id"`
		Notice string `json:"notice,omitempty"`
	}{true, u.Package.Name + "@" + u.Package.Version, notice})
}

// npmPublished refuses to change what was published.
func npmPublished(name string) error {
	return fail(codeMethodNotAllowed, `to warn of a release and hide it from ranges, yank it: appstore yank PLUGIN@VERSION --reason "..."; its versions are then shown as deprecated`,
		"a published version of %s stays as it is: it can't be unpublished, nor deprecated alone", name)
}

// login says how to use the token. It is 501, because at 4xx npm would ask for
// a password first, and tell only then.
func (n *npmRoutes) login(c echo.Context) error {
	base := n.address(c) + "/npm/"
	_, host, _ := strings.Cut(base, ":")
	return n.json(c, http.StatusNotImplemented, map[string]string{
		"error": "this registry has no accounts to log in to: to publish, put its token into your .npmrc: npm config set " + host + ":_authToken=TOKEN",
	})
}
