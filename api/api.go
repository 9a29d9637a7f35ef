// Package api serves the AppStore over HTTP: the REST API, version 1, whose
// contract is openapi.yaml (served at /openapi.yaml), the pages for people, and
// what operators ask (/healthz, /readyz, /metrics).
//
// A handler is a straight page: parse, check, call one thing, map, write. It
// returns its error; errors.go alone knows which status that is, and edge.go
// alone writes and logs it.
//
// # Caching
//
// The bytes of a file or descriptor that is addressed by its exact version
// never change: they are answered with Cache-Control "immutable". Everything
// else may change (also an exact release: it can be yanked), so it carries
// "no-cache" and a strong ETag made of its bytes, by which it is revalidated
// (RFC 9110, section 13).
//
// # Imports
//
// Beside registry, search, schema, client and web it imports storage, for the
// type that names a part of an object (storage.Read).
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"appstore/api/npm"
	"appstore/api/pip"
	"appstore/api/web"
	"appstore/registry"
	"appstore/search"
)

// Options are what a server is made of.
type Options struct {
	Registry *registry.Registry
	Index    search.Index
	// Token gives the token that writing needs. It is asked at every write, so
	// that a new token counts at once. Nil, "" or an error: nobody may write.
	Token func() (string, error)
	// PublicURL is the address under which clients see the server, with a path
	// prefix if it has one: "https://example.org/appstore/". All links begin
	// with it. "": links are paths on the same server.
	PublicURL string
	// NPMUpstream answers npm's clients for names that were never published
	// here; nil: nobody does.
	NPMUpstream *npm.Upstream
	// Version is the program's.
	Version string
	// PipUpstream answers pip for names that were never published here; nil:
	// nobody does. Who made it closes it, after the server.
	PipUpstream *pip.Upstream
	// Log gets one line a request; nil: none.
	Log *slog.Logger
}

// server is the state that the handlers share.
type server struct {
	Options
	base    string // what links begin with, without a slash at the end
	prefix  string // the path of base: "" or "/appstore"
	echo    *echo.Echo
	metrics *metrics
	hot     hot
	// checking bounds the texts that are read for anybody at the same time: a
	// hostile one takes some 40 MB while it is (schema's TestHostileTexts).
	checking chan struct{}
	web      *web.Pages
}

// New makes the handler of a server. It answers below the prefix of PublicURL
// and without it, so that it does not matter whether a proxy in front strips
// the prefix.
func New(o Options) (http.Handler, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newServer(o Options) (*server, error) {
	if o.Registry == nil || o.Index == nil {
		return nil, errors.New("api: a server needs a registry and an index")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Token == nil {
		o.Token = func() (string, error) { return "", nil }
	}
	s := &server{Options: o, hot: newHot(), checking: make(chan struct{}, 4)}
	if err := s.setBase(o.PublicURL); err != nil {
		return nil, err
	}
	var err error
	if s.web, err = web.New(s.prefix, o.Version); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(o.Registry)
	s.echo = echo.New()
	s.echo.HideBanner = true
	s.echo.HTTPErrorHandler = s.fallback
	s.echo.Use(s.edge)
	s.routes()
	return s, nil
}

// roots are the first segments of the server's own paths. A prefix that begins
// with one would be taken for a route.
var roots = []string{"api", "plugins", "assets", "compat", "healthz", "legacy", "npm", "readyz", "metrics", "openapi.yaml", "schema", "simple"}

func (s *server) setBase(public string) error {
	if public == "" {
		return nil
	}
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("public URL %q: write it like https://example.org or https://example.org/appstore/", public)
	}
	s.prefix = strings.TrimRight(u.EscapedPath(), "/")
	s.base = u.Scheme + "://" + u.Host + s.prefix
	first, _, _ := strings.Cut(strings.TrimPrefix(s.prefix, "/"), "/")
	for _, root := range roots {
		if first == root {
			return fmt.Errorf("public URL %q: its path begins with /%s, which is a route of the server: choose another", public, root)
		}
	}
	return nil
}

// ServeHTTP strips the prefix and lets echo find the route.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.prefix != "" {
		if rest, ok := strings.CutPrefix(r.URL.EscapedPath(), s.prefix); ok && (rest == "" || rest[0] == '/') {
			if rest == "" {
				rest = "/"
			}
			if path, err := url.PathUnescape(rest); err == nil {
				r2 := *r
				u := *r.URL
				u.Path, u.RawPath = path, ""
				if u.EscapedPath() != rest {
					u.RawPath = rest
				}
				r2.URL = &u
				r = &r2
			}
		}
	}
	s.echo.ServeHTTP(w, r)
}

// routes is every route; openapi.yaml describes the same ones, which a test
// checks.
func (s *server) routes() {
	v1 := s.echo.Group("/api/v1")
	read := func(g interface {
		Add(string, string, echo.HandlerFunc, ...echo.MiddlewareFunc) *echo.Route
	}, path string, h echo.HandlerFunc,
	) {
		g.Add(http.MethodGet, path, h)
		g.Add(http.MethodHead, path, h)
	}
	read(v1, "/plugins", s.search)
	read(v1, "/suggest", s.suggest)
	read(v1, "/plugins/:name", s.hotly(s.plugin))
	read(v1, "/plugins/:name/releases", s.hotly(s.releases))
	read(v1, "/plugins/:name/releases/:ref", s.hotly(s.release))
	read(v1, "/plugins/:name/releases/:ref/descriptor", s.descriptor)
	read(v1, "/plugins/:name/releases/:ref/files/:file", s.file)
	read(v1, "/events", s.events)
	read(v1, "/status", s.status)
	v1.POST("/resolve", s.resolve)
	v1.POST("/validate", s.validate)

	v1.POST("/plugins/:name/releases", s.publish, s.authorised)
	v1.PUT("/plugins/:name/releases/:version/yank", s.yank, s.authorised)
	v1.PUT("/plugins/:name/channels/:channel", s.setChannel, s.authorised)
	v1.DELETE("/plugins/:name/channels/:channel", s.removeChannel, s.authorised)
	v1.PUT("/plugins/:name/listing", s.setListing, s.authorised)
	v1.POST("/reindex", s.reindex, s.authorised)
	v1.GET("/drafts", s.drafts, s.authorised)
	v1.POST("/drafts", s.putDraft, s.authorised)
	v1.GET("/drafts/:name/:version", s.draft, s.authorised)
	v1.DELETE("/drafts/:name/:version", s.dropDraft, s.authorised)
	v1.POST("/drafts/:name/:version/finish", s.finishDraft, s.authorised)

	s.mountCompat()
	s.mountNPM()
	s.mountPip()

	read(s.echo, "/healthz", s.healthz)
	read(s.echo, "/readyz", s.readyz)
	read(s.echo, "/metrics", s.metrics.serve)
	read(s.echo, "/openapi.yaml", s.openapi)
	read(s.echo, "/schema/plugin.v1.json", s.schema)

	read(s.echo, "/", s.home)
	read(s.echo, "/plugins/:name", s.hotly(s.pluginPage))
	read(s.echo, "/assets/:asset", s.asset)
}

// Limits of a connection.
const (
	headerTimeout = 10 * time.Second // to receive the headers
	idleTimeout   = 2 * time.Minute  // between two requests
	maxHeader     = 32 << 10         // bytes of all headers
)

// NewServer is an http.Server for the handler of New, with the timeouts that
// fit it. There are none for a whole request or answer, as those may be large
// and the line slow: a body must keep coming (bodyPause), an answer must be
// taken at a pace (sendDeadline).
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	if log != nil {
		srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	}
	return srv
}
