package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"appstore/api"
	"appstore/api/client"
)

const (
	simpleJSON = "application/vnd.pypi.simple.v1+json"
	simpleHTML = "application/vnd.pypi.simple.v1+html"
)

// simplePage is what pip reads of a page.
type simplePage struct {
	Meta     map[string]string
	Name     string
	Status   map[string]string `json:"project-status"`
	Versions []string
	Projects []struct{ Name string }
	Files    []struct {
		Filename, URL  string
		Hashes         map[string]string
		RequiresPython string `json:"requires-python"`
		Size           int64
		UploadTime     string `json:"upload-time"`
		Yanked         any
		CoreMetadata   map[string]string `json:"core-metadata"`
		DistInfo       map[string]string `json:"dist-info-metadata"`
	}
}

func (p *place) simple(path string) (page simplePage) {
	p.t.Helper()
	res := p.get(path, "Accept", simpleJSON)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != simpleJSON {
		p.t.Fatalf("%s: %d %s %s", path, res.StatusCode, res.Header.Get("Content-Type"), res.text)
	}
	if err := json.Unmarshal([]byte(res.text), &page); err != nil {
		p.t.Fatal(err)
	}
	return page
}

// The pages say what was published, in the request after it.
func TestPipPages(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		if res := p.get("/simple/kube-back/"); res.StatusCode != http.StatusNotFound || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") ||
			!strings.Contains(res.text, `no Python package "kube-back"`) || !strings.Contains(res.text, "/simple/ lists them") {
			t.Errorf("before: %d %s %s", res.StatusCode, res.Header, res.text)
		}
		if page := p.simple("/simple/"); len(page.Projects) != 0 || page.Meta["api-version"] != "1.4" {
			t.Errorf("an empty index: %+v", page)
		}
		one := kubeWheel(t, "1.0.0", "one")
		p.publish(kubeDescriptor("1.0.0"), source(one.name, one.content))
		if page := p.simple("/simple/"); len(page.Projects) != 1 || page.Projects[0].Name != "kube-back" {
			t.Errorf("the index: %+v", page)
		}
		page := p.simple("/simple/kube-back/")
		if page.Name != "kube-back" || page.Status["status"] != "active" || len(page.Files) != 1 || len(page.Versions) != 1 || page.Versions[0] != "1.0.0" {
			t.Fatalf("the page: %+v", page)
		}
		f := page.Files[0]
		if f.Filename != one.name || f.Hashes["sha256"] != one.sha256() || f.Size != int64(len(one.content)) || f.RequiresPython != ">=3.8" || f.Yanked != false ||
			!strings.HasSuffix(f.UploadTime, "Z") || f.CoreMetadata["sha256"] == "" || f.CoreMetadata["sha256"] != f.DistInfo["sha256"] {
			t.Errorf("the file: %+v", f)
		}
		if res := p.get(f.URL); res.text != string(one.content) || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %d bytes", f.URL, res.StatusCode, len(res.text))
		}
		res := p.get(f.URL + ".metadata")
		if sum := sha256.Sum256([]byte(res.text)); hex.EncodeToString(sum[:]) != f.CoreMetadata["sha256"] || !strings.HasPrefix(res.text, "Metadata-Version: 2.1\nName: kube-back\n") {
			t.Errorf("metadata: %d %s", res.StatusCode, res.text)
		}

		html := p.get("/simple/kube-back/", "Accept", simpleHTML)
		want := fmt.Sprintf(`<a href="%s#sha256=%s" data-requires-python="&gt;=3.8" data-core-metadata="sha256=%s" data-dist-info-metadata="sha256=%[3]s">%[4]s</a>`,
			f.URL, one.sha256(), f.CoreMetadata["sha256"], one.name)
		if !strings.Contains(html.text, want) || !strings.Contains(html.text, `<meta name="pypi:repository-version" content="1.4">`) ||
			!strings.Contains(html.text, `<meta name="pypi:project-status" content="active">`) {
			t.Errorf("want\n%s\nin\n%s", want, html.text)
		}

		// A second release with the first's file: it stays where it was.
		two := kubeWheel(t, "1.1.0", "two")
		p.publish(kubeDescriptor("1.1.0"), source(two.name, two.content))
		page = p.simple("/simple/kube-back/")
		if len(page.Files) != 2 || strings.Join(page.Versions, " ") != "1.1.0 1.0.0" {
			t.Errorf("after a publish: %+v", page)
		}
		if _, err := p.client.Yank(t.Context(), "KubePlugin", "1.0.0", `loses "data" & <more>`); err != nil {
			t.Fatal(err)
		}
		page = p.simple("/simple/kube-back/")
		if page.Files[0].Yanked != false || page.Files[1].Yanked != `loses "data" & <more>` {
			t.Errorf("after a yank: %+v", page.Files)
		}
		if html = p.get("/simple/kube-back/"); !strings.Contains(html.text, `data-yanked="loses &#34;data&#34; &amp; &lt;more&gt;"`) || strings.Count(html.text, "data-yanked") != 1 {
			t.Errorf("after a yank: %s", html.text)
		}
		if _, err := p.client.Yank(t.Context(), "KubePlugin", "1.0.0", ""); err != nil {
			t.Fatal(err)
		}
		if got := p.simple("/simple/kube-back/").Files[1].Yanked; got != true {
			t.Errorf("a yank without a reason is %v", got)
		}
		if _, err := p.client.Unyank(t.Context(), "KubePlugin", "1.0.0"); err != nil {
			t.Fatal(err)
		}
		if got := p.simple("/simple/kube-back/").Files[1].Yanked; got != false {
			t.Errorf("after an unyank it is %v", got)
		}
	})
}

// Headers, redirects and what is refused.
func TestPipHTTP(t *testing.T) {
	p := prefixed(t)
	one := kubeWheel(t, "1.0.0", "one")
	p.publish(kubeDescriptor("1.0.0"), source(one.name, one.content))
	for _, test := range []struct {
		path, accept string
		status       int
		want         string // Content-Type, or Location
	}{
		{"/simple", "", 301, "/shop/simple/"},
		{"/simple/kube-back", "", 301, "/shop/simple/kube-back/"},
		{"/simple/Kube.BACK", "", 301, "/shop/simple/kube-back/"},
		{"/simple/Kube__back/?format=text/html", "", 301, "/shop/simple/kube-back/?format=text/html"},
		{"/simple/kube-back/", "", 200, "text/html; charset=utf-8"},
		{"/simple/kube-back/", "*/*", 200, "text/html; charset=utf-8"},
		{"/simple/kube-back/", simpleJSON + ", " + simpleHTML + "; q=0.1, text/html; q=0.01", 200, simpleJSON},
		{"/simple/kube-back/", simpleJSON + ";q=0.1, text/html", 200, "text/html; charset=utf-8"},
		{"/simple/kube-back/", "application/vnd.pypi.simple.latest+json", 200, simpleJSON},
		{"/simple/kube-back/?format=" + strings.ReplaceAll(simpleJSON, "+", "%2B"), "text/html", 200, simpleJSON},
		{"/simple/kube-back/", "application/vnd.pypi.simple.v2+json", 406, "text/plain; charset=utf-8"},
		{"/simple/kube-back/?format=xml", "", 406, "text/plain; charset=utf-8"},
		{"/simple/kube-back/?from=xml", "", 400, "text/plain; charset=utf-8"},
		{"/simple/nothing/", simpleJSON, 404, "text/plain; charset=utf-8"},
		{"/simple/nothing/", "text/html", 404, "text/plain; charset=utf-8"},
		{"/simple/kube-back/" + strings.Repeat("0", 64) + "/x.whl", "", 404, "text/plain; charset=utf-8"},
	} {
		res := p.get(test.path, "Accept", test.accept)
		got := res.Header.Get("Content-Type")
		if test.status == 301 {
			got = strings.TrimPrefix(res.Header.Get("Location"), p.url)
		}
		if res.StatusCode != test.status || got != test.want {
			t.Errorf("%s (%s): %d %q, want %d %q: %s", test.path, test.accept, res.StatusCode, got, test.status, test.want, res.text)
		}
	}

	tags := map[string]string{}
	for _, accept := range []string{simpleJSON, simpleHTML, "text/html"} {
		res := p.get("/simple/kube-back/", "Accept", accept)
		tag := res.Header.Get("Etag")
		if other, twice := tags[tag]; twice || tag == "" {
			t.Errorf("%s has the ETag %s, as %s", accept, tag, other)
		}
		tags[tag] = accept
		if vary := strings.Join(res.Header.Values("Vary"), ","); !strings.Contains(vary, "Accept") || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: Vary %q, Cache-Control %q", accept, vary, res.Header.Get("Cache-Control"))
		}
		again := p.get("/simple/kube-back/", "Accept", accept, "If-None-Match", tag)
		if again.StatusCode != http.StatusNotModified || again.text != "" || again.Header.Get("Etag") != tag {
			t.Errorf("%s: revalidated with %d", accept, again.StatusCode)
		}
		head := p.do(request{method: http.MethodHead, path: "/simple/kube-back/", header: map[string]string{"Accept": accept}})
		if head.StatusCode != 200 || head.text != "" || head.Header.Get("Etag") != tag {
			t.Errorf("%s: HEAD answers %d", accept, head.StatusCode)
		}
	}
	page := p.simple("/simple/kube-back/")
	if !strings.HasPrefix(page.Files[0].URL, p.url+testPrefix+"/api/v1/") {
		t.Errorf("behind a prefix the file is at %s", page.Files[0].URL)
	}

	// Large enough to be compressed.
	for i := range 4 {
		w := kubeWheel(t, fmt.Sprintf("1.0.%d", i+1), "more")
		p.publish(kubeDescriptor(fmt.Sprintf("1.0.%d", i+1)), source(w.name, w.content))
	}
	plainly := p.get("/simple/kube-back/", "Accept", simpleJSON)
	zipped := p.get("/simple/kube-back/", "Accept", simpleJSON, "Accept-Encoding", "gzip")
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Etag") == plainly.Header.Get("Etag") {
		t.Fatalf("compressed: %v", zipped.Header)
	}
	g, err := gzip.NewReader(strings.NewReader(zipped.text))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(g); err != nil || string(text) != plainly.text {
		t.Errorf("the compressed page is another: %v", err)
	}
}

// pipForm is an upload by hand.
type pipForm struct {
	fields [][2]string
	file   string
	body   []byte
	after  [][2]string
	cut    int // bytes left out at the end
}

func goodForm(f pyFile, name, version string) pipForm {
	return pipForm{fields: [][2]string{
		{":action", "file_upload"},
		{"protocol_version", "1"},
		{"name", name},
		{"version", version},
		{"filetype", "bdist_wheel"},
		{"sha256_digest", f.sha256()},
		{"description", "Text."},
	}, file: f.name, body: f.content}
}

func (f pipForm) with(name, value string) pipForm {
	var fields [][2]string
	for _, one := range f.fields {
		if one[0] != name {
			fields = append(fields, one)
		}
	}
	f.fields = fields
	if value != "" {
		f.fields = append(f.fields, [2]string{name, value})
	}
	return f
}

func (p *place) legacy(f pipForm, header ...string) response {
	p.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, one := range f.fields {
		w.WriteField(one[0], one[1])
	}
	if f.file != "" {
		part, _ := w.CreateFormFile("content", f.file)
		part.Write(f.body)
	}
	for _, one := range f.after {
		w.WriteField(one[0], one[1])
	}
	w.Close()
	h := map[string]string{"Content-Type": w.FormDataContentType()}
	for i := 0; i < len(header); i += 2 {
		h[header[i]] = header[i+1]
	}
	return p.do(request{method: http.MethodPost, path: "/legacy/", body: b.String()[:b.Len()-f.cut], header: h})
}

// What an upload claims must be so; else nothing of it is kept, and the status
// line says why.
func TestPipUpload(t *testing.T) {
	p := embedded(t)
	one := kubeWheel(t, "1.0.0", "one")
	good := goodForm(one, "kube-back", "1.0.0")
	bare := pyWheel(t, "bare", "1.0.0", "py3-none-any", map[string]string{"bare.py": ""})
	wrong := good
	wrong.body = append([]byte{}, one.content...)
	wrong.body[40] ^= 1
	cut := good
	cut.cut = 10
	after := good
	after.after = [][2]string{{"sha256_digest", "x"}}
	noFile := good
	noFile.file = ""
	egg := good
	egg.file = "kube_back-1.0.0.egg"
	npm := goodForm(pyFile{"kube-1.0.0.tgz", one.content}, "kube", "1.0.0")
	for name, test := range map[string]struct {
		form   pipForm
		status int
		says   string
	}{
		"no action":            {good.with(":action", ""), 400, `no field ":action"`},
		"another action":       {good.with(":action", "doc_upload"), 400, "doc_upload"},
		"another protocol":     {good.with("protocol_version", "2"), 400, "protocol version"},
		"no name":              {good.with("name", ""), 400, `no field "name"`},
		"no version":           {good.with("version", ""), 400, `no field "version"`},
		"another name":         {good.with("name", "cube-back"), 422, "it was uploaded as cube-back 1.0.0"},
		"another version":      {good.with("version", "1.0.1"), 422, "it was uploaded as kube-back 1.0.1"},
		"an egg":               {good.with("filetype", "bdist_egg"), 400, "bdist_egg"},
		"a wheel as an sdist":  {good.with("filetype", "sdist"), 400, "whose name ends in .tar.gz"},
		"an egg as a wheel":    {egg, 400, "whose name ends in .whl"},
		"an npm package":       {npm, 400, "whose name ends in .whl"},
		"no digest":            {good.with("sha256_digest", ""), 400, "sha256_digest is missing"},
		"another sha256":       {good.with("sha256_digest", strings.Repeat("0", 64)), 400, "its sha256_digest is"},
		"another blake2":       {good.with("sha256_digest", "").with("blake2_256_digest", strings.Repeat("0", 64)), 400, "its blake2_256_digest is"},
		"another md5":          {good.with("sha256_digest", "").with("md5_digest", strings.Repeat("0", 32)), 400, "its md5_digest is"},
		"a byte changed":       {wrong, 400, "not the one that was sent"},
		"cut off":              {cut, 400, "ended early"},
		"a field after it":     {after, 400, `"sha256_digest" comes after the file`},
		"no file":              {noFile, 400, `"content" is missing`},
		"a digest twice":       {pipForm{fields: append([][2]string{{"sha256_digest", "1"}}, good.fields...), file: one.name, body: one.content}, 400, "there twice"},
		"no descriptor":        {goodForm(bare, "bare", "1.0.0"), 422, "appstore draft put"},
		"fields without bound": {good.with("description", strings.Repeat("x", 5<<20)), 413, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.legacy(test.form)
			if res.StatusCode != test.status || !strings.Contains(res.text, test.says) || !strings.Contains(res.Status, firstWords(test.says)) {
				t.Errorf("%s\n%s\nwant %d and %q", res.Status, res.text, test.status, test.says)
			}
		})
	}
	drafts, err := p.reg.Drafts(t.Context())
	if names, err2 := p.reg.PackageNames(t.Context(), "pypi"); err != nil || err2 != nil || len(drafts)+len(names) != 0 {
		t.Fatalf("something was kept: %v %v %v %v", drafts, names, err, err2)
	}
	for _, header := range [][]string{
		{"Authorization", "Basic " + "eDp5"}, // x:y
		{"Authorization", ""},
	} {
		if res := p.legacy(good, header...); res.StatusCode != 401 || !strings.Contains(res.Status, "TWINE_PASSWORD") || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic") {
			t.Errorf("%v: %s %v", header, res.Status, res.Header)
		}
	}
	if res := p.legacy(good.with("attestations", "[]")); res.StatusCode != 200 || !strings.Contains(res.text, "KubePlugin 1.0.0 is published") || !strings.Contains(res.text, "attestations is not kept") {
		t.Errorf("good: %s %s", res.Status, res.text)
	}
	if res := p.legacy(good); res.StatusCode != 200 || !strings.Contains(res.text, "nothing has changed") {
		t.Errorf("again: %s %s", res.Status, res.text)
	}
	// The other spellings of a version are the same version.
	pre := pyWheel(t, "kube-back", "1.1.0a1", "py3-none-any", map[string]string{
		"kube_back/__init__.py":            "class Plugin: pass\n",
		"kube_back/" + descriptorInPackage: kubeDescriptor("1.1.0-alpha.1"),
	})
	if res := p.legacy(goodForm(pre, "Kube_Back", "1.1.0-alpha.1")); res.StatusCode != 200 {
		t.Errorf("a version in another spelling: %s %s", res.Status, res.text)
	}
}

func firstWords(s string) string { return strings.Join(strings.Fields(s)[:1], " ") }

// A body that is not read is still taken, so that the client reads why.
func TestPipUploadRefusedEarly(t *testing.T) {
	p := embedded(t)
	big := goodForm(kubeWheel(t, "1.0.0", "one"), "kube-back", "1.0.0")
	big.body = make([]byte, 32<<20)
	if res := p.legacy(big, "Authorization", "Bearer wrong"); res.StatusCode != 401 {
		t.Errorf("%s %s", res.Status, res.text)
	}
	if res := p.legacy(big.with("filetype", "bdist_egg")); res.StatusCode != 400 || !strings.Contains(res.Status, "bdist_egg") {
		t.Errorf("%s %s", res.Status, res.text)
	}
}

// The other replica has a publish and a yank within the bound.
func TestPipReplica(t *testing.T) {
	store := openFiles(t)
	a, b := serve(t, store, openBleve(t), ""), serve(t, store, openBleve(t), "")
	one := kubeWheel(t, "1.0.0", "one")
	a.publish(kubeDescriptor("1.0.0"), source(one.name, one.content))
	if page := b.simple("/simple/kube-back/"); len(page.Files) != 1 {
		t.Errorf("a new package on the other replica: %+v", page)
	}
	if _, err := a.client.Yank(t.Context(), "KubePlugin", "1.0.0", "bad"); err != nil {
		t.Fatal(err)
	}
	if b.follows(a); b.simple("/simple/kube-back/").Files[0].Yanked != "bad" {
		t.Error("the other replica has read the journal, and does not show the yank")
	}
}

// thousand is a server that has a package of 1,000 files.
func thousand(t testing.TB) http.Handler {
	t.Helper()
	p := embedded(t)
	for i := range 10 {
		version := fmt.Sprintf("1.%d.0", i)
		var files []client.FileSource
		for j := range 100 {
			tag := fmt.Sprintf("cp3%d-abi3-manylinux_2_%d_x86_64", 8+j%10, 10+j/10)
			w := pyWheel(t, "kube-back", version, tag, map[string]string{"kube_back.py": "class Plugin: pass\n"})
			files = append(files, source(w.name, w.content))
		}
		p.publish(kubeDescriptor(version), files...)
	}
	h, err := api.New(api.Options{Registry: p.reg, Index: openBleve(t)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// discard takes an answer and keeps its status and size.
type discard struct {
	header http.Header
	status int
	bytes  int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { d.bytes += len(p); return len(p), nil }

func getHot(t testing.TB, h http.Handler, accept, encoding string) *discard {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/simple/kube-back/", nil)
	r.Header.Set("Accept", accept)
	r.Header.Set("Accept-Encoding", encoding)
	w := &discard{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		t.Fatalf("it answered %d", w.status)
	}
	return w
}

// After the first time a page of 1,000 files takes less than a millisecond.
func TestPipPageIsHot(t *testing.T) {
	h := thousand(t)
	for _, accept := range []string{simpleJSON, "text/html"} {
		start := time.Now()
		first := getHot(t, h, accept, "identity")
		t.Logf("%s: the first time %v", accept, time.Since(start))
		if first.bytes < 300_000 {
			t.Errorf("a page of 1,000 files has %d bytes", first.bytes)
		}
		var took []time.Duration
		for range 101 {
			start := time.Now()
			getHot(t, h, accept, "gzip")
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		if took[50] > time.Millisecond {
			t.Errorf("%s: half of the answers took longer than %v", accept, took[50])
		}
	}
}

func BenchmarkPipPage(b *testing.B) {
	h := thousand(b)
	for _, accept := range []string{simpleJSON, "text/html"} {
		for _, encoding := range []string{"identity", "gzip"} {
			b.Run(accept[len(accept)-4:]+"/"+encoding, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					getHot(b, h, accept, encoding)
				}
			})
		}
	}
}
