package api_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"appstore/api"
	"appstore/api/client"
)

// Answers are revalidated by their ETag, and immutable where an exact version
// addresses bytes.
func TestCaching(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		r := p.publish(bundle("Cached", "1.0.0"), bundleFiles(t, "Cached", "1.0.0")...)
		wheelName := r.Files[0].Name
		eventually(t, "search finds it, so that its answers stay", func() bool {
			return strings.Contains(p.get("/api/v1/plugins?q=cached").text, `"id":"cached"`)
		})
		const base = "/api/v1/plugins/Cached"
		for path, fixed := range map[string]bool{
			base:                                 false,
			base + "/releases":                   false,
			base + "/releases/1.0.0":             false, // it can be yanked
			base + "/releases/latest/descriptor": false,
			base + "/releases/%5E1/files/" + wheelName:     false,
			base + "/releases/1.0.0/descriptor":            true,
			base + "/releases/1.0.0/files/" + wheelName:    true,
			base + "/releases/1.0.0/files/backend":         false, // a name for it, not its own
			"/api/v1/plugins?q=cached":                     false,
			"/openapi.yaml":                                false,
			"/schema/plugin.v1.json":                       false,
			"/plugins/cached":                              false,
			"/":                                            false,
			"/api/v1/plugins/cached/releases/1/descriptor": false,
		} {
			res := p.get(path)
			tag, cache := res.Header.Get("Etag"), res.Header.Get("Cache-Control")
			if res.StatusCode != http.StatusOK || !strings.HasPrefix(tag, `"`) {
				t.Errorf("%s: %d, ETag %s", path, res.StatusCode, tag)
				continue
			}
			if want := map[bool]string{true: "public, max-age=31536000, immutable", false: "no-cache"}[fixed]; cache != want {
				t.Errorf("%s: Cache-Control %q, want %q", path, cache, want)
			}
			for _, same := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
				if again := p.get(path, "If-None-Match", same); again.StatusCode != http.StatusNotModified || again.text != "" || again.Header.Get("Etag") != tag {
					t.Errorf("%s with If-None-Match %s: %d, ETag %s", path, same, again.StatusCode, again.Header.Get("Etag"))
				}
			}
			if again := p.get(path, "If-None-Match", `"other"`); again.StatusCode != http.StatusOK {
				t.Errorf("%s with another tag: %d", path, again.StatusCode)
			}
			head := p.do(request{method: http.MethodHead, path: path})
			if head.StatusCode != http.StatusOK || head.text != "" || head.Header.Get("Etag") != tag || head.ContentLength != int64(len(res.text)) {
				t.Errorf("HEAD %s: %d, %d bytes, ETag %s; GET has %d bytes, %s", path, head.StatusCode, head.ContentLength, head.Header.Get("Etag"), len(res.text), tag)
			}
		}
		before := p.get(base + "/releases/1.0.0").Header.Get("Etag")
		if _, err := p.client.Yank(t.Context(), "Cached", "1.0.0", ""); err != nil {
			t.Fatal(err)
		}
		if after := p.get(base+"/releases/1.0.0", "If-None-Match", before); after.StatusCode != http.StatusOK {
			t.Errorf("a yank is not seen by who revalidates: %d", after.StatusCode)
		}
	})
}

// Parts of files, as RFC 9110 has them.
func TestRanges(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		r := p.publish(bundle("Ranged", "1.0.0"), bundleFiles(t, "Ranged", "1.0.0")...)
		path := r.Files[0].URL
		whole := p.get(path)
		tag, size := whole.Header.Get("Etag"), len(whole.text)
		for _, c := range []struct {
			header, ifRange string
			status          int
			want            string // the body
		}{
			{"bytes=0-9", "", 206, whole.text[:10]},
			{"bytes=10-", "", 206, whole.text[10:]},
			{"bytes=-7", "", 206, whole.text[size-7:]},
			{"bytes=5-99999999", "", 206, whole.text[5:]},
			{"bytes=-99999999", "", 206, whole.text},
			{"bytes=0-9", tag, 206, whole.text[:10]},
			{"bytes=0-9", `"other"`, 200, whole.text},
			{"bytes=0-9", "Mon, 02 Jan 2026 03:04:05 GMT", 200, whole.text},
			{"bytes=0-1,3-4", "", 200, whole.text},
			{"pages=1-2", "", 200, whole.text},
			{"bytes=99999999-", "", 416, ""},
			{"bytes=9-3", "", 416, ""},
			{"bytes=x-y", "", 416, ""},
			{"bytes=-0", "", 416, ""},
			{"bytes=5", "", 416, ""},
		} {
			header := []string{"Range", c.header}
			if c.ifRange != "" {
				header = append(header, "If-Range", c.ifRange)
			}
			res := p.get(path, header...)
			if res.StatusCode != c.status || c.status != 416 && res.text != c.want {
				t.Errorf("%s: %d with %d bytes, want %d with %d", c.header, res.StatusCode, len(res.text), c.status, len(c.want))
			}
			if c.status == 416 && !strings.HasPrefix(res.Header.Get("Content-Range"), "bytes */") {
				t.Errorf("%s: Content-Range %q", c.header, res.Header.Get("Content-Range"))
			}
		}
		if res := p.do(request{method: "HEAD", path: path, header: map[string]string{"Range": "bytes=0-9"}}); res.StatusCode != 200 || res.Header.Get("Content-Length") != fmt.Sprint(size) {
			t.Errorf("HEAD with a range: %d, %s bytes", res.StatusCode, res.Header.Get("Content-Length"))
		}
		// Whole files count as downloads, and parts with the last byte; not the first ten.
		before := p.reg.Downloads("ranged").Total
		for header, n := range map[string]uint64{"bytes=0-9": 0, "bytes=0-0": 0, "bytes=10-": 1, "": 1} {
			p.get(path, "Range", header)
			// Counted when all is sent, so perhaps a moment after the client has it.
			eventually(t, fmt.Sprintf("%q counts as %d downloads", header, n), func() bool { return p.reg.Downloads("ranged").Total == before+n })
			before += n
		}
		for name, want := range map[string]string{
			"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox",
			"Content-Disposition": "attachment; filename=" + r.Files[0].Name, "Accept-Ranges": "bytes", "Content-Encoding": "",
		} {
			if got := whole.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if res := p.get(path, "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" {
			t.Error("a wheel was compressed")
		}
		if res := p.get("/api/v1/plugins/ranged/releases/1.0.0/descriptor"); res.Header.Get("Content-Security-Policy") != "sandbox" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
			t.Error("a descriptor may be shown by a browser")
		}
	})
}

// JSON is compressed for who wants it, with an ETag of its own.
func TestGzip(t *testing.T) {
	p := embedded(t)
	p.publish(plain("Zipped", "1.0.0", "Text") + "description: " + strings.Repeat("long ", 500) + "\n")
	const path = "/api/v1/plugins/zipped"
	raw := p.get(path)
	res := p.get(path, "Accept-Encoding", "br;q=1, gzip;q=0.5")
	if res.Header.Get("Content-Encoding") != "gzip" || len(res.text) >= len(raw.text) || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("not compressed: %v", res.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(res.text))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != raw.text {
		t.Errorf("another text after unpacking: %v", err)
	}
	if res.Header.Get("Etag") == raw.Header.Get("Etag") {
		t.Error("two representations have one strong ETag")
	}
	for _, tag := range []string{res.Header.Get("Etag"), raw.Header.Get("Etag")} {
		if again := p.get(path, "Accept-Encoding", "gzip", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s is not taken back: %d", tag, again.StatusCode)
		}
	}
	for _, refused := range []string{"gzip;q=0", "br", ""} {
		if res := p.get(path, "Accept-Encoding", refused); res.Header.Get("Content-Encoding") != "" {
			t.Errorf("compressed for Accept-Encoding %q", refused)
		}
	}
	if res := p.get("/healthz", "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" {
		t.Error("a tiny answer was compressed")
	}
}

// Path parameters come percent-encoded or not, and mean the same (echo's trap).
func TestEncodedPaths(t *testing.T) {
	p := embedded(t)
	p.publish(plain("Enc", "1.2.0", "Text"))
	for path, status := range map[string]int{
		"/api/v1/plugins/enc/releases/^1.2":                 200,
		"/api/v1/plugins/enc/releases/%5E1.2":               200,
		"/api/v1/plugins/enc/releases/%5e1.2":               200, // sets RawPath
		"/api/v1/plugins/%65nc/releases/1.2.0":              200,
		"/api/v1/plugins/enc/releases/%3E%3D1%20%3C2":       200,
		"/api/v1/plugins/enc/releases/%255E1.2":             400, // "%5E1.2" is no ref
		"/api/v1/plugins/enc%2Freleases":                    404,
		"/api/v1/plugins/e%00nc":                            400,
		"/api/v1/plugins/" + strings.Repeat("x", 300):       400,
		"/api/v1/plugins/%ff":                               400,
		"/api/v1/plugins/enc/releases/1.2.0/files/..%2f..x": 404,
		"/api/v1/plugins/../plugins/enc":                    404,
		"/api/v1/plugins/":                                  404,
	} {
		if res := p.get(path); res.StatusCode != status {
			t.Errorf("%s: %d %s, want %d", path, res.StatusCode, res.text, status)
		}
	}
}

// A scoped file name survives the way through the path.
func TestFileNames(t *testing.T) {
	p := embedded(t)
	r := p.publish(bundle("Files", "1.0.0"), bundleFiles(t, "Files", "1.0.0")...)
	for alias, index := range map[string]int{"backend": 0, "frontend": 1} {
		res := p.get("/api/v1/plugins/files/releases/1.0.0/files/" + alias)
		want := ""
		for _, f := range r.Files {
			if (f.Ecosystem == "pypi") == (alias == "backend") {
				want = f.SHA256
			}
		}
		if res.StatusCode != http.StatusOK || res.Header.Get("Etag") != `"`+want+`"` {
			t.Errorf("%s (%d): %d %s", alias, index, res.StatusCode, res.Header.Get("Etag"))
		}
	}
	p.publish(plain("Bare", "1.0.0", "No files"))
	two := plain("Two", "1.0.0", "Two wheels") + "backend: two-back\nbackend_component: two_back.Plugin\n"
	w := wheel(t, "two-back", "1.0.0", "")
	other := wheelFor(t, "two-back", "1.0.0", "py3-none-linux_x86_64", "")
	p.publish(two, w, other)
	p.publish(strings.ReplaceAll(strings.Replace(two, "Two", "Three", 1), "two", "three"), wheel(t, "three-back", "1.0.0", ""), sdist(t, "three-back", "1.0.0"))
	if res := p.get("/api/v1/plugins/three/releases/1.0.0/files/backend"); res.StatusCode != 200 || !strings.HasSuffix(res.Header.Get("Content-Location"), ".whl") {
		t.Errorf("a wheel and its sdist: %d %s", res.StatusCode, res.text)
	}
	for path, code := range map[string]string{
		"bare/releases/1.0.0/files/backend":   "not-found",
		"two/releases/1.0.0/files/backend":    "ambiguous-file",
		"two/releases/1.0.0/files/frontend":   "not-found",
		"files/releases/1.0.0/files/none.whl": "not-found",
		"files/releases/9.0.0/files/backend":  "not-found",
	} {
		res := p.get("/api/v1/plugins/" + path)
		if e := problemIn(t, res); e.Code != code || e.Fix == "" {
			t.Errorf("%s: %+v, want %s", path, e, code)
		}
	}
}

// problemIn reads a problem document.
func problemIn(t testing.TB, res response) client.Error {
	t.Helper()
	var e client.Error
	if err := json.Unmarshal([]byte(res.text), &e); err != nil || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d is no problem document: %s", res.StatusCode, res.text)
	}
	if e.Status != res.StatusCode || e.RequestID != res.Header.Get("X-Request-Id") || e.Type != "urn:appstore:problem:"+e.Code {
		t.Errorf("a problem document that disagrees with its answer %d: %+v", res.StatusCode, e)
	}
	return e
}

// All links begin with the public URL, and the server answers below its prefix
// and without it.
func TestPrefix(t *testing.T) {
	p := prefixed(t)
	r := p.publish(bundle("Linked", "1.0.0"), bundleFiles(t, "Linked", "1.0.0")...)
	base := p.url + testPrefix
	eventually(t, "it is found", func() bool {
		found, err := p.client.Search(t.Context(), client.Query{Text: "linked"})
		return err == nil && found.Total == 1 && found.Items[0].Page == base+"/plugins/linked"
	})
	if want := base + "/api/v1/plugins/linked/releases/1.0.0"; r.URL != want {
		t.Errorf("URL %s, want %s", r.URL, want)
	}
	for _, link := range []string{r.URL, r.Page, r.Files[0].URL, r.Source.URL} {
		res, err := p.http.Get(link)
		if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(link, base) {
			t.Errorf("%s: %v, %v", link, res, err)
		}
	}
	for _, path := range []string{testPrefix, testPrefix + "/", "/", testPrefix + "/plugins/linked"} {
		res := p.get(path, "Accept", "text/html")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, res.StatusCode)
		}
		for _, attribute := range []string{`href="/`, `src="/`, `action="/`} {
			for i, rest := range strings.Split(res.text, attribute) {
				if i > 0 && !strings.HasPrefix("/"+rest, testPrefix+"/") {
					t.Errorf("%s has a link outside of the prefix: %s%.40s", path, attribute, rest)
				}
			}
		}
	}
	if res := p.get(testPrefix + "/api/v1/plugins/linked/releases/%5E1"); res.StatusCode != http.StatusOK {
		t.Errorf("an encoded ref below the prefix: %d", res.StatusCode)
	}
	if res := p.get("/shopping"); res.StatusCode != http.StatusNotFound {
		t.Errorf("/shopping: %d", res.StatusCode)
	}
	for _, bad := range []string{"example.org", "ftp://example.org", "https://example.org/api/", "https://example.org/?x=1"} {
		if _, err := api.New(api.Options{Registry: p.reg, Index: openBleve(t), PublicURL: bad}); err == nil {
			t.Errorf("the public URL %q is taken", bad)
		}
	}
}

// The client says which server it can't reach, and what is wrong with an
// address that is none.
func TestClientWithoutServer(t *testing.T) {
	var gone *client.Unreachable
	if _, err := client.New("http://127.0.0.1:1", "").Status(t.Context()); !errors.As(err, &gone) || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Errorf("no server: %v", err)
	}
	if _, err := client.New("appstore.example.org", "").Status(t.Context()); err == nil || !strings.Contains(err.Error(), "http://") {
		t.Errorf("no address: %v", err)
	}
}
