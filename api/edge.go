package api

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// requestIDHeader carries the id of a request, both ways.
const requestIDHeader = "X-Request-Id"

// edge is around every route: it gives the request its id, writes and logs the
// error that the handler returns, counts, and writes the one line of the
// access log.
func (s *server) edge(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		id := requestID(c.Request().Header.Get(requestIDHeader))
		h := c.Response().Header()
		h.Set(requestIDHeader, id)
		h.Set("X-Content-Type-Options", "nosniff")
		err := s.call(next, c)
		if err != nil {
			s.refuse(c, err, id)
		}
		s.finish(c, id, start)
		return nil
	}
}

// call runs the handler; a panic becomes an error.
func (s *server) call(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return next(c)
}

// requestID takes a sane id that a proxy in front has made, else makes one.
func requestID(given string) string {
	if len(given) >= 8 && len(given) <= 64 && strings.IndexFunc(given, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) < 0 {
		return given
	}
	return rand.Text()
}

// refuse answers an error, and logs it if it is the server's.
func (s *server) refuse(c echo.Context, err error, id string) {
	e := translate(err)
	p := document(e, id)
	r := c.Response()
	if p.Status >= 500 {
		level := slog.LevelError
		if p.RetryAfter > 0 {
			level = slog.LevelWarn
		}
		s.Log.LogAttrs(c.Request().Context(), level, "request failed",
			slog.String("id", id), slog.String("code", p.Code), slog.String("route", c.Path()), slog.String("detail", e.Detail), slog.Any("error", err))
	}
	if r.Committed {
		// Too late for an answer. The declared length is not reached, so the
		// client sees the connection break and not a short file.
		r.Header().Set("Connection", "close")
		return
	}
	h := r.Header()
	for _, name := range []string{"Etag", "Content-Disposition", "Content-Length", "Content-Encoding", "Content-Location", "Repr-Digest", "Accept-Ranges", "Content-Security-Policy"} {
		h.Del(name)
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.RetryAfter/time.Second)))
	}
	if e.Code == codeUnauthorised {
		h.Set("WWW-Authenticate", challenge(c))
	}
	if forPip(c) {
		s.pipError(c, p)
		return
	}
	if prefersHTML(c) {
		if err := s.errorPage(c, p); err == nil {
			return
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // can't be: all fields are texts and numbers
		body = []byte(`{"code":"internal","status":500}`)
	}
	s.send(c, &answer{status: p.Status, contentType: "application/problem+json", body: append(body, '\n'), cache: "no-store"})
}

// prefersHTML tells whether an error is for people: outside the API, in a
// browser, or on a page's address for whoever does not ask for JSON.
func prefersHTML(c echo.Context) bool {
	if strings.HasPrefix(c.Request().URL.Path, "/api/") {
		return false
	}
	accept := c.Request().Header.Get("Accept")
	html, json := strings.Index(accept, "text/html"), strings.Index(accept, "json")
	if html >= 0 {
		return json < 0 || html < json
	}
	return json < 0 && (c.Path() == "/" || c.Path() == "/plugins/:name")
}

// fallback answers errors outside of edge, which are echo's own.
func (s *server) fallback(err error, c echo.Context) {
	s.refuse(c, err, requestIDOf(c))
}

// finish counts the request and logs it.
func (s *server) finish(c echo.Context, id string, start time.Time) {
	took := time.Since(start)
	status := c.Response().Status
	r := c.Request()
	route := c.Path()
	if status == http.StatusNotFound && route == "" || status == http.StatusMethodNotAllowed {
		route = "none"
	}
	s.metrics.observe(r.Method, route, status, took)
	level := slog.LevelInfo
	if route == "/healthz" || route == "/readyz" || route == "/metrics" {
		level = slog.LevelDebug
	}
	if !s.Log.Enabled(r.Context(), level) {
		return
	}
	s.Log.LogAttrs(r.Context(), level, "request",
		slog.String("id", id),
		slog.String("method", r.Method),
		slog.String("path", r.URL.EscapedPath()),
		slog.Int("status", status),
		slog.Int64("bytes", c.Response().Size),
		slog.Duration("took", took.Round(time.Microsecond)),
		slog.String("from", r.RemoteAddr))
}

// authorised lets a request pass that carries the token. It is asked before
// the body is read.
func (s *server) authorised(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, err := s.Token()
		if err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
		scheme, given, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		scheme, given = basicToken(scheme, strings.TrimSpace(given))
		switch {
		case token == "":
			return fail(codeUnauthorised, "the operator sets APPSTORE_TOKEN or runs `appstore token reset`", "this server has no token, so nobody may write")
		case given == "" || !strings.EqualFold(scheme, "Bearer"):
			return fail(codeUnauthorised, "send the header Authorization: Bearer TOKEN; commands take it from APPSTORE_TOKEN", "writing needs the token")
		case !sameToken(given, token):
			return fail(codeUnauthorised, "check APPSTORE_TOKEN; the operator may have reset it", "the token is not the one of this server")
		}
		return next(c)
	}
}

// by is who wrote, as long as there is one token.
const by = "operator"

// requestIDOf is the id that edge gave the request.
func requestIDOf(c echo.Context) string { return c.Response().Header().Get(requestIDHeader) }
