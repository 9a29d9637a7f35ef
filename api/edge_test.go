package api_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"appstore/api"
	"appstore/storage/files"
)

// Every answer has a request id: the client's own if it is sane, else a new
// one; the log has one line with it.
func TestRequestIDs(t *testing.T) {
	p := embedded(t)
	if res := p.get("/healthz", "X-Request-Id", "from-the-proxy.1"); res.Header.Get("X-Request-Id") != "from-the-proxy.1" {
		t.Errorf("a sane id was replaced by %q", res.Header.Get("X-Request-Id"))
	}
	seen := map[string]bool{}
	for _, bad := range []string{"", "short", strings.Repeat("x", 65), "with space", "new\tline-in-it", `quo"te-in-it`, "<script>alert"} {
		res := p.get("/api/v1/plugins/none", "X-Request-Id", bad)
		id := res.Header.Get("X-Request-Id")
		if id == bad || len(id) < 16 || seen[id] {
			t.Errorf("%q was answered with the id %q", bad, id)
		}
		seen[id] = true
		if n := strings.Count(p.log.String(), "id="+id); n != 1 {
			t.Errorf("%d lines of the log have the id %s", n, id)
		}
	}
}

// What is the server's own business is in the log, not in the answer.
func TestInternalErrorsAreHidden(t *testing.T) {
	dir := t.TempDir()
	store, err := files.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := serve(t, store, openBleve(t), "")
	r := p.publish(bundle("Lost", "1.0.0"), bundleFiles(t, "Lost", "1.0.0")...)
	err = filepath.WalkDir(filepath.Join(dir, "store"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, r.Files[0].SHA256) {
			return os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	res := p.get(r.Files[0].URL)
	e := problemIn(t, res)
	if e.Status != 500 || e.Code != "damaged" || strings.Contains(res.text, dir) || strings.Contains(res.text, "no such") {
		t.Errorf("a file that is gone: %s", res.text)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Etag") != "" || res.Header.Get("Content-Disposition") != "" {
		t.Errorf("an error that may be kept, or looks like the file: %v", res.Header)
	}
	if !strings.Contains(p.log.String(), e.RequestID) {
		t.Error("the log does not have it")
	}
}

// Figures are counted by route, and a client can't invent labels.
func TestMetrics(t *testing.T) {
	p := embedded(t)
	p.publish(plain("Counted", "1.0.0", "Text"))
	p.get("/api/v1/plugins/counted")
	p.get("/api/v1/plugins/counted")
	p.get("/made-up-path")
	p.do(request{method: "BREW", path: "/made-up-path"})
	text := p.get("/metrics").text
	for _, want := range []string{
		`appstore_http_requests_total{method="GET",route="/api/v1/plugins/:name",status="200"} 2`,
		`appstore_http_requests_total{method="GET",route="none",status="404"} 1`,
		`appstore_http_request_seconds_count{route="/api/v1/plugins/:name"} 2`,
		"appstore_plugins 1", "appstore_releases 1", "appstore_journal_position ", "appstore_read_only 0", "go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, bad := range []string{"made-up", "BREW"} {
		if strings.Contains(text, bad) {
			t.Errorf("a label has %s", bad)
		}
	}
}

var script = regexp.MustCompile(`(?i)<script|<[^>]*(javascript:|\son[a-z]+=|\sstyle=)`)

// The pages have what they should, for everybody, and nothing of a publisher's
// runs in them.
func TestPages(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>`
		p.publish("name: Paged\nversion: 1.0.0\ntitle: '" + evil[:40] + "'\nsummary: '" + evil + "'\nmaintainer: '" + evil + "'\nlinks: {homepage: 'https://example.org/?x=\"><script>'}\ntags: ['<b>']\ndescription: |\n  # Head\n\n  " + evil + "\n\n  [click](javascript:alert(1)) ![x](http://example.org/x.png)\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n")
		p.publish(bundle("Second", "2.0.0"), bundleFiles(t, "Second", "2.0.0")...)
		p.publish(plain("Second", "2.1.0", "Newer"))
		if _, err := p.client.Yank(t.Context(), "Second", "2.1.0", "was <wrong>"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "both are on the page", func() bool { return strings.Contains(p.get("/").text, "2 plugins") })
		for path, want := range map[string][]string{
			"/":                              {"2 plugins", `href="/plugins/paged"`, "&lt;script&gt;", "category=containers", `type="search"`},
			"/?q=second":                     {"1 plugin<", `value="second"`, "<mark>", "?q=second&amp;sort=name"},
			"/?q=second&category=containers": {"Remove filter", `type="hidden" name="category" value="containers"`},
			"/?q=nothinglikethis":            {"Nothing found"},
			"/?utm_source=x":                 {"2 plugins"},
			"/?sort=name&limit=1":            {"Next page"},
			"/?sort=downloads&limit=1":       {"Next page", `name="sort" value="downloads"`, "Most downloaded"},
			"/plugins/paged":                 {"<h1>", "Head", "<table>", "&lt;script&gt;"},
			"/plugins/Second":                {"appstore fetch Second@2.0.0", "second_back-2.0.0-py3-none-any.whl", "yanked", "was &lt;wrong&gt;", "<strong>description</strong>", "sha256"},
			"/plugins/second?ref=2.1.0":      {"Release 2.1.0 was yanked", "See 2.0.0"},
			"/plugins/second?ref=%5E2":       {"appstore fetch Second@2.0.0"},
		} {
			res := p.get(path, "Accept", "text/html,*/*;q=0.8")
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
				continue
			}
			for _, w := range want {
				if !strings.Contains(res.text, w) {
					t.Errorf("%s does not have %q", path, w)
				}
			}
			if strings.Contains(res.text, `"></a></h2>`) {
				t.Errorf("%s has a link without a text: a plugin without a title is shown by its name", path)
			}
			if found := script.FindString(res.text); found != "" {
				t.Errorf("%s has %q", path, found)
			}
			csp := res.Header.Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: Content-Security-Policy %q", path, csp)
			}
			for _, needed := range []string{`<html lang="en">`, `class="skip" href="#main"`, `id="main"`, `name="viewport"`, "<h1>", `<label class="unseen" for="q">`} {
				if !strings.Contains(res.text, needed) {
					t.Errorf("%s does not have %s", path, needed)
				}
			}
		}
		style := regexp.MustCompile(`/assets/style\.[0-9a-f]+\.css`).FindString(p.get("/").text)
		if res := p.get(style); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d, %s", style, res.StatusCode, res.Header.Get("Cache-Control"))
		}
		for _, c := range []struct {
			path, accept string
			status       int
			html         bool
		}{
			{"/plugins/none", "text/html", 404, true},
			{"/plugins/none", "*/*", 404, true},
			{"/plugins/none", "application/json", 404, false},
			{"/nowhere", "text/html", 404, true},
			{"/nowhere", "*/*", 404, false},
			{"/api/v1/plugins/none", "text/html", 404, false},
			{"/?q=tga:x", "text/html", 400, true},
			{"/?q=tga:x", "application/json, text/html", 400, false},
		} {
			res := p.get(c.path, "Accept", c.accept)
			if html := strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"); res.StatusCode != c.status || html != c.html {
				t.Errorf("%s for %s: %d %s", c.path, c.accept, res.StatusCode, res.Header.Get("Content-Type"))
			}
		}
	})
}

// A server whose token can't be read lets nobody write, and does not say why.
func TestUnreadableToken(t *testing.T) {
	p := embedded(t)
	h, err := api.New(api.Options{Registry: p.reg, Index: openBleve(t), Token: func() (string, error) { return "", errors.New("secret path") }})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodPost, "/api/v1/reindex", nil)
	req.Header.Set("Authorization", "Bearer ")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
