package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// Values of Cache-Control.
const (
	immutable  = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
	noStore    = "no-store"
)

// answer is a whole answer, encoded before its status is written.
type answer struct {
	status      int // 0: 200
	contentType string
	body        []byte
	cache       string      // Cache-Control; "": revalidate for reads, noStore for the rest
	etag        string      // with its quotes; "": made of the body
	header      [][2]string // further headers

	zip    sync.Once
	zipped []byte // body compressed: given, or made once somebody has asked for it
	zipErr error
}

// json answers v.
func (s *server) json(c echo.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.send(c, &answer{status: status, contentType: "application/json", body: append(body, '\n')})
}

// send writes an answer, and keeps it where hot wants that.
func (s *server) send(c echo.Context, a *answer) error {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	read := isRead(c)
	if a.cache == "" {
		a.cache = noStore
		if read {
			a.cache = revalidate
		}
	}
	if read && a.status == http.StatusOK {
		if a.etag == "" {
			a.etag = etagOf(a.body)
		}
		if at, ok := c.Get(hotMoment).(moment); ok {
			s.hot.answers.Put(hotKey(c), at, a)
		}
	}
	return a.write(c)
}

func isRead(c echo.Context) bool {
	return c.Request().Method == http.MethodGet || c.Request().Method == http.MethodHead
}

// write writes a finished answer: conditional (304), and compressed where it
// pays.
func (a *answer) write(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	for _, one := range a.header {
		h.Set(one[0], one[1])
	}
	h.Set("Cache-Control", a.cache)
	squeeze := len(a.body) >= minGzip && compressible(a.contentType)
	if squeeze {
		h.Add("Vary", "Accept-Encoding")
	}
	squeeze = squeeze && acceptsGzip(r.Header.Get("Accept-Encoding"))
	if a.etag != "" {
		tag := a.etag
		if squeeze {
			tag = gzipTag(tag)
		}
		h.Set("Etag", tag)
		if noneMatch(r.Header.Get("If-None-Match"), a.etag) {
			return c.NoContent(http.StatusNotModified)
		}
	}
	h.Set("Content-Type", a.contentType)
	body := a.body
	if squeeze {
		a.zip.Do(func() {
			if a.zipped == nil {
				a.zipped, a.zipErr = compress(a.body)
			}
		})
		if a.zipErr != nil {
			return a.zipErr
		}
		body = a.zipped
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	sendDeadline(c, int64(len(body)))
	c.Response().WriteHeader(a.status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := c.Response().Write(body)
	return err
}

// etagOf makes a strong ETag of the bytes.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}

// gzipTag is the ETag of the compressed form: other bytes, so another tag.
func gzipTag(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` }

// noneMatch tells whether If-None-Match names the tag, in either form (RFC
// 9110, section 13.1.2: the comparison is the weak one).
func noneMatch(header, tag string) bool {
	if header == "" {
		return false
	}
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one == tag || one == gzipTag(tag) {
			return true
		}
	}
	return false
}

// minGzip is the size from which compressing pays, in bytes: below it the
// answer fits one packet anyway.
const minGzip = 1024

var gzips = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}}

func compress(body []byte) ([]byte, error) {
	var to bytes.Buffer
	w := gzips.Get().(*gzip.Writer)
	defer gzips.Put(w)
	w.Reset(&to)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return to.Bytes(), err
}

func compressible(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.Contains(contentType, "json") || strings.Contains(contentType, "html") || strings.Contains(contentType, "yaml")
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for one := range strings.SplitSeq(header, ",") {
		coding, q, _ := strings.Cut(one, ";")
		coding = strings.TrimSpace(coding)
		if !strings.EqualFold(coding, "gzip") && coding != "*" {
			continue
		}
		_, weight, found := strings.Cut(q, "=")
		if !found {
			return true
		}
		w, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		return err == nil && w > 0
	}
	return false
}

// sameToken compares in a time that does not depend on where they differ.
func sameToken(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
