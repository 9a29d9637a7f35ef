package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/api/client"
	"appstore/search"
	"appstore/storage/files"
)

// Every mistake of a client has its code, status and, where there is
// something to do, its fix.
func TestMistakes(t *testing.T) {
	p := embedded(t)
	p.publish(plain("Known", "1.0.0", "Text"))
	json := map[string]string{"Content-Type": "application/json"}
	const one = "/api/v1/plugins/known"
	for _, c := range []struct {
		request
		status int
		code   string
		says   string // somewhere in detail or fix
	}{
		{request{path: "/api/v1/plugins?categorie=x"}, 400, "bad-parameter", `"category"`},
		{request{path: one + "?x=1"}, 400, "bad-parameter", "no parameters"},
		{request{path: "/api/v1/plugins?sort=nam"}, 400, "bad-parameter", `"name"`},
		{request{path: "/api/v1/plugins?limit=0"}, 400, "bad-parameter", "1 to 100"},
		{request{path: "/api/v1/plugins?limit=101"}, 400, "bad-parameter", "1 to 100"},
		{request{path: "/api/v1/plugins?limit=1&limit=2"}, 400, "bad-parameter", "2 times"},
		{request{path: "/api/v1/plugins?q=%zz"}, 400, "bad-parameter", "%zz"},
		{request{path: "/api/v1/plugins?q=a;b=c"}, 400, "bad-parameter", "percent-encode"},
		{request{path: "/api/v1/plugins?" + strings.Repeat("tag=x&", 51)}, 400, "bad-parameter", "50"},
		{request{path: "/api/v1/plugins?q=kube+tga:x"}, 400, "query-syntax", "column 6"},
		{request{path: "/api/v1/plugins?q=%22open"}, 400, "query-syntax", "column 1"},
		{request{path: "/api/v1/plugins?q=%ff"}, 400, "query-syntax", "UTF-8"},
		{request{path: "/api/v1/plugins?q=" + strings.Repeat("x", 2000)}, 400, "query-syntax", "1000"},
		{request{path: "/api/v1/plugins?after=nonsense"}, 400, "bad-cursor", "next"},
		{request{path: "/api/v1/suggest?q=" + strings.Repeat("x", 2000)}, 400, "bad-parameter", "1000"},
		{request{path: one + "/releases?range=what"}, 400, "invalid-request", "^1.2"},
		{request{path: one + "/releases?after=what"}, 400, "invalid-request", "next"},
		{request{path: "/api/v1/events?after=-1"}, 400, "bad-parameter", "position"},
		{request{path: "/api/v1/events?after=999999"}, 400, "invalid-request", "999999"},
		{request{path: "/api/v1/plugins/unknown"}, 404, "not-found", "unknown"},
		{request{path: one + "/releases/3.0.0"}, 404, "not-found", "3.0.0"},
		{request{path: one + "/releases/beta"}, 404, "not-found", "beta"},
		{request{path: one + "/releases/^2"}, 404, "not-found", "^2"},
		{request{path: "/api/v2/plugins"}, 404, "unknown-route", "openapi.yaml"},
		{request{path: "/nothing"}, 404, "unknown-route", "openapi.yaml"},
		{request{method: "DELETE", path: one}, 405, "method-not-allowed", "Allow"},
		{request{method: "POST", path: "/healthz"}, 405, "method-not-allowed", "Allow"},

		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"1.0.0"}`, header: json, noToken: true}, 401, "unauthorised", "Bearer"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"1.0.0"}`, header: map[string]string{"Authorization": "Bearer wrong"}}, 401, "unauthorised", "not the one"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"1.0.0"}`, header: map[string]string{"Authorization": "Basic " + testToken}}, 401, "unauthorised", "Bearer"},
		{request{method: "POST", path: "/api/v1/reindex", noToken: true}, 401, "unauthorised", "token"},
		{request{method: "POST", path: one + "/releases", noToken: true}, 401, "unauthorised", "token"},

		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"1.0.0"}`}, 415, "unsupported-media-type", "application/json"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":`, header: json}, 400, "bad-body", "JSON"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"versio":"1.0.0"}`, header: json}, 400, "bad-body", "versio"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"1.0.0"} {}`, header: json}, 400, "bad-body", "more"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{}`, header: json}, 400, "bad-body", "version"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"9.0.0"}`, header: json}, 404, "not-found", "9.0.0"},
		{request{method: "PUT", path: one + "/channels/latest", body: `{"version":"1.0.0"}`, header: json}, 400, "invalid-request", "latest"},
		{request{method: "PUT", path: one + "/channels/stable", body: `{"version":"` + strings.Repeat("x", 2<<20) + `"}`, header: json}, 413, "too-large", "1048576"},
		{request{method: "PUT", path: one + "/releases/1.0.0/yank", body: `{"reason":"x"}`, header: json}, 400, "bad-body", "yanked"},
		{request{method: "PUT", path: one + "/releases/1.0.0/yank", body: `{"yanked":true,"reason":"` + strings.Repeat("x", 501) + `"}`, header: json}, 400, "invalid-request", "500"},
		{request{method: "PUT", path: one + "/listing", body: `{"status":"GREAT"}`, header: json}, 400, "invalid-request", "LIVE"},
		{request{method: "POST", path: "/api/v1/resolve", body: `{"refs":[]}`, header: json}, 400, "bad-body", "1 to 100"},
		{request{method: "POST", path: "/api/v1/validate", body: "name: x", header: map[string]string{"Content-Type": "image/png"}}, 415, "unsupported-media-type", "application/yaml"},
		{request{method: "POST", path: "/api/v1/validate", body: strings.Repeat("x", 2<<20), header: map[string]string{"Content-Type": "text/plain"}}, 413, "too-large", "1048577"},
	} {
		t.Run(c.method+" "+fmt.Sprintf("%.60s", c.path), func(t *testing.T) {
			res := p.do(c.request)
			e := problemIn(t, res)
			if e.Status != c.status || e.Code != c.code || !strings.Contains(e.Detail+" "+e.Fix, c.says) {
				t.Errorf("got %d %s: %s (%s); want %d %s that says %q", e.Status, e.Code, e.Detail, e.Fix, c.status, c.code, c.says)
			}
			if e.Status == 401 && !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("no WWW-Authenticate")
			}
			if e.Status == 405 && !strings.Contains(res.Header.Get("Allow"), "GET") {
				t.Errorf("Allow: %q", res.Header.Get("Allow"))
			}
			if strings.HasPrefix(e.Code, "query") && (len(e.Problems) != 1 || e.Problems[0].Column == 0) {
				t.Errorf("a query's mistake without its place: %+v", e.Problems)
			}
		})
	}
}

// bodyPart is one part of a form made by hand.
type bodyPart struct{ disposition, content string }

func formOf(parts ...bodyPart) (body, contentType string) {
	var b strings.Builder
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		if p.disposition != "" {
			h.Set("Content-Disposition", p.disposition)
		}
		part, _ := w.CreatePart(h)
		io.WriteString(part, p.content)
	}
	w.Close()
	return b.String(), w.FormDataContentType()
}

func contentOf(t testing.TB, f client.FileSource) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What can be wrong with an upload's form, before the registry looks at it.
func TestBadForms(t *testing.T) {
	p := embedded(t)
	d := bodyPart{`form-data; name="descriptor"; filename="plugin.yaml"`, plain("Formed", "1.0.0", "Text")}
	file := func(name string) bodyPart { return bodyPart{`form-data; name="file"; filename="` + name + `"`, "x"} }
	unnamed := contentOf(t, wheel(t, "formed", "1.0.0", ""))
	for name, c := range map[string]struct {
		parts []bodyPart
		cut   int    // bytes of the body to leave out at the end
		kind  string // Content-Type; "": the right one
		code  string
		says  string
	}{
		"no parts":             {code: "bad-body", says: "no parts"},
		"not a form":           {parts: []bodyPart{d}, kind: "application/yaml", code: "unsupported-media-type", says: "multipart"},
		"no boundary":          {parts: []bodyPart{d}, kind: "multipart/form-data", code: "bad-body", says: "boundary"},
		"other boundary":       {parts: []bodyPart{d}, kind: "multipart/form-data; boundary=other", code: "incomplete-body", says: "early"},
		"file first":           {parts: []bodyPart{file("a.whl"), d}, code: "bad-body", says: "must be \"descriptor\""},
		"two descriptors":      {parts: []bodyPart{d, d}, code: "bad-body", says: "second"},
		"no disposition":       {parts: []bodyPart{{"", "x"}}, code: "bad-body", says: "Content-Disposition"},
		"no file name":         {parts: []bodyPart{d, {`form-data; name="file"`, "x"}}, code: "bad-body", says: "no file name"},
		"name with folders":    {parts: []bodyPart{d, file("../../etc/a.whl")}, code: "bad-body", says: "without folders"},
		"name is ..":           {parts: []bodyPart{d, file("..")}, code: "bad-body", says: "without folders"},
		"name with backslash":  {parts: []bodyPart{d, file(`C:\\a.whl`)}, code: "bad-body", says: "without folders"},
		"name with NUL":        {parts: []bodyPart{d, {"form-data; name=\"file\"; filename*=utf-8''a%00.whl", "x"}}, code: "bad-body", says: "control"},
		"long name":            {parts: []bodyPart{d, file(strings.Repeat("x", 300) + ".whl")}, code: "bad-body", says: "255"},
		"nobody names it":      {parts: []bodyPart{d, {`form-data; name="file"; filename="formed-1.0.0-py3-none-any.whl"`, unnamed}}, code: "unexpected-file", says: "formed-1.0.0"},
		"cut in the file":      {parts: []bodyPart{d, file("a-1.0.0.tgz")}, cut: 60, code: "incomplete-body", says: "early"},
		"cut in the YAML":      {parts: []bodyPart{d}, cut: 100, code: "incomplete-body", says: "early"},
		"empty descriptor":     {parts: []bodyPart{{d.disposition, ""}}, code: "invalid-descriptor"},
		"huge descriptor":      {parts: []bodyPart{{d.disposition, strings.Repeat("x", 3<<20)}}, code: "invalid-descriptor"},
		"bad descriptor":       {parts: []bodyPart{{d.disposition, "name: x\nversion: 1.10\nsumary: y\n"}}, code: "invalid-descriptor"},
		"other name":           {parts: []bodyPart{{d.disposition, plain("Else", "1.0.0", "x")}}, code: "name-mismatch", says: `"Else"`},
		"encoded part":         {parts: []bodyPart{d}, code: "", says: ""},
		"too many header line": {parts: []bodyPart{{`form-data; name="descriptor"; x="` + strings.Repeat("y", 11<<20) + `"`, "x"}}, code: "bad-body", says: "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			body, kind := formOf(c.parts...)
			if c.kind != "" {
				kind = c.kind
			}
			if name == "encoded part" {
				body = strings.Replace(body, "Content-Disposition", "Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition", 1)
				c.code, c.says = "bad-body", "quoted-printable"
			}
			res := p.do(request{method: "POST", path: "/api/v1/plugins/formed/releases", body: body[:len(body)-c.cut], header: map[string]string{"Content-Type": kind}})
			e := problemIn(t, res)
			if e.Code != c.code || !strings.Contains(e.Detail+" "+e.Fix, c.says) {
				t.Errorf("got %d %s: %s (%s); want %s that says %q", e.Status, e.Code, e.Detail, e.Fix, c.code, c.says)
			}
			if e.Code == "invalid-descriptor" && len(e.Problems) == 0 {
				t.Error("an invalid descriptor without its problems")
			}
		})
	}
	if _, err := p.client.Plugin(t.Context(), "formed"); err == nil {
		t.Error("one of them was published")
	}
	if st, err := p.client.Status(t.Context()); err != nil || st.Releases != 0 {
		t.Errorf("something was stored: %+v, %v", st, err)
	}
}

// A connection that breaks in the middle of an upload leaves nothing, and the
// server goes on.
func TestBrokenUpload(t *testing.T) {
	p := embedded(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	body, kind := formOf(bodyPart{`form-data; name="descriptor"; filename="plugin.yaml"`, bundle("Broken", "1.0.0")},
		bodyPart{`form-data; name="file"; filename="broken_back-1.0.0-py3-none-any.whl"`, strings.Repeat("x", 1<<16)})
	fmt.Fprintf(conn, "POST /api/v1/plugins/broken/releases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", testToken, kind, len(body), body[:len(body)/2])
	conn.(*net.TCPConn).CloseWrite()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a broken upload: %d", res.StatusCode)
	}
	conn.Close()
	if st, err := p.client.Status(t.Context()); err != nil || st.Plugins != 0 {
		t.Errorf("afterwards: %+v, %v", st, err)
	}
}

// Headers without end are refused by the server, not kept.
func TestHugeHeaders(t *testing.T) {
	p := embedded(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Filler", strings.Repeat("x", 1<<20))
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return // closed before all was read: refused as well
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("1 MiB of headers: %d", res.StatusCode)
	}
}

// The token is asked for at every write, so a new one counts at once.
func TestTokenReset(t *testing.T) {
	p := embedded(t)
	p.publish(plain("Tok", "1.0.0", "Text"))
	second := "another-token"
	p.token.Store(&second)
	_, err := p.client.Yank(t.Context(), "Tok", "1.0.0", "")
	wantError(t, err, "unauthorised")
	c := client.New(p.url, second)
	if _, err := c.Yank(t.Context(), "Tok", "1.0.0", ""); err != nil {
		t.Errorf("the new token: %v", err)
	}
	none := ""
	p.token.Store(&none)
	_, err = client.New(p.url, "").Unyank(t.Context(), "Tok", "1.0.0")
	wantError(t, err, "unauthorised")
}

// dead is an index whose engine is down.
type dead struct{ search.Index }

func (dead) Search(context.Context, search.Query) (*search.Result, error) {
	return nil, fmt.Errorf("%w: connection refused to a host that is nobody's business", search.ErrUnavailable)
}

func (dead) Put(context.Context, search.Mark, ...search.Doc) error { return search.ErrUnavailable }
func (dead) State(context.Context) (search.State, error) {
	return search.State{}, search.ErrUnavailable
}

// Without the search engine search alone says 503; publishing and fetching go
// on, and the server stays ready.
func TestSearchDown(t *testing.T) {
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := serve(t, store, dead{openBleve(t)}, "")
	r := p.publish(bundle("Alone", "1.0.0"), bundleFiles(t, "Alone", "1.0.0")...)
	if r.Searchable {
		t.Error("the answer says that it can be searched")
	}
	if err := p.client.Download(t.Context(), &r.Release, r.Files[0], io.Discard, nil); err != nil {
		t.Errorf("fetch: %v", err)
	}
	if res := p.get("/readyz"); res.StatusCode != http.StatusOK {
		t.Errorf("readyz: %d", res.StatusCode)
	}
	for _, path := range []string{"/api/v1/plugins", "/api/v1/suggest?q=x"} {
		res := p.get(path)
		if e := problemIn(t, res); res.StatusCode != 503 || e.Code != "search-unavailable" || res.Header.Get("Retry-After") == "" || strings.Contains(res.text, "nobody's business") {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
	page := p.get("/?q=x", "Accept", "text/html")
	if page.StatusCode != 503 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || page.Header.Get("Retry-After") == "" || strings.Contains(page.text, "nobody's business") {
		t.Errorf("the page: %d %s", page.StatusCode, page.text)
	}
	if page := p.get("/plugins/alone"); page.StatusCode != 200 {
		t.Errorf("a plugin's page: %d", page.StatusCode)
	}
	if !strings.Contains(p.log.String(), "nobody's business") {
		t.Error("the cause is not in the log")
	}
	st, err := p.client.Status(t.Context())
	if err != nil || st.IndexError == "" {
		t.Errorf("status: %+v, %v", st, err)
	}
}

// The client asks again after 503, and gives up with the context.
func TestClientRetries(t *testing.T) {
	p := embedded(t)
	c := client.New(p.url, testToken)
	tries := 0
	c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
		}
		if tries++; tries < 3 {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"0"}}, Body: http.NoBody}, nil
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})}
	if _, err := c.Publish(t.Context(), "x", []byte("name: x"), []client.FileSource{source("a", []byte("abc"))}, nil); err != nil || tries != 3 {
		t.Errorf("publish: %v after %d tries", err, tries)
	}
	tries = -100
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var e *client.Error
	if _, err := c.Status(ctx); !errors.As(err, &e) || e.Status != 503 {
		t.Errorf("given up: %v", err)
	}
	short := source("a", []byte("abc"))
	short.Size = 5
	tries = 3
	if _, err := c.Publish(t.Context(), "x", nil, []client.FileSource{short}, nil); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("a file that is shorter than it said: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Bytes that are not the promised ones are no download.
func TestClientVerifies(t *testing.T) {
	for name, c := range map[string]struct {
		have string
		ok   bool
	}{"same": {"abc", true}, "other": {"abx", false}, "short": {"ab", false}, "long": {"abcd", false}} {
		cl := client.New("http://example.org", "")
		cl.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.have))}, nil
		})}
		f := client.File{Name: "f", Kind: "wheel", Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
		err := cl.Download(t.Context(), &client.Release{ID: "x", Version: "1.0.0"}, f, io.Discard, nil)
		var wrong *client.DigestError
		if (err == nil) != c.ok || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
