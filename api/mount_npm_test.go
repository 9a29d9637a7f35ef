package api_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"appstore/api/client"
	"appstore/api/npm"
	"appstore/storage/files"
)

const npmBundle = "name: %s\nversion: %s\nsummary: A form\nmaintainer: Jane Roe <jane@example.org>\ntags: [kube]\nfront_end: %q\nfrontend_component: Form\n"

// npmPublishBody is what npm sends.
func npmPublishBody(name, version string, tarball []byte) string {
	sum := sha512.Sum512(tarball)
	text, err := json.Marshal(map[string]any{
		"_id": name, "name": name, "dist-tags": map[string]string{"latest": version},
		"versions": map[string]any{version: map[string]any{
			"name": name, "version": version,
			"dist": map[string]string{"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:])},
		}},
		"_attachments": map[string]any{name + "-" + version + ".tgz": map[string]any{
			"content_type": "application/octet-stream", "data": base64.StdEncoding.EncodeToString(tarball), "length": len(tarball),
		}},
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// npmTarball is a package with its plugin's descriptor.
func npmTarball(t testing.TB, plugin, name, version string) []byte {
	t.Helper()
	return npmFiles(t, [][2]string{
		{"package.json", fmt.Sprintf(`{"name":%q,"version":%q,"main":"i.js","bin":"cli.js","dependencies":{"units":"^1.0.0"},"scripts":{"postinstall":"node i.js"}}`, name, version)},
		{"i.js", "exports.Form = 1\n"},
		{"cli.js", ""},
		{"appstore-plugin.yaml", fmt.Sprintf(npmBundle, plugin, version, name)},
	})
}

func (p *place) npmPublish(path, body string) response {
	p.t.Helper()
	return p.do(request{method: http.MethodPut, path: path, body: body, header: map[string]string{"Content-Type": "application/json"}})
}

// unchecked lets answers pass that the contract can't describe: one path for
// a name of two segments.
func (p *place) unchecked() { p.http.Transport = nil }

func npmError(t *testing.T, res response) string {
	t.Helper()
	var e struct{ Error string }
	if err := json.Unmarshal([]byte(res.text), &e); err != nil || e.Error == "" {
		t.Fatalf("no error in npm's form: %s", res.text)
	}
	return e.Error
}

// The documents of a package, at every spelling of its address.
func TestNPMDocuments(t *testing.T) {
	p := prefixed(t)
	for _, version := range []string{"1.0.0", "1.1.0", "2.0.0-rc.1"} {
		if res := p.npmPublish(testPrefix+"/npm/@s%2Fkube", npmPublishBody("@s/kube", version, npmTarball(t, "Kube", "@s/kube", version))); res.StatusCode != http.StatusCreated {
			t.Fatalf("publish %s: %d %s", version, res.StatusCode, res.text)
		}
	}
	if _, err := p.reg.SetChannel(t.Context(), "kube", "next", "2.0.0-rc.1", "tester"); err != nil {
		t.Fatal(err)
	}
	var first string
	p.unchecked()
	for _, path := range []string{"/npm/@s%2Fkube", "/npm/@s%2fkube", "/npm/%40s%2fkube", "/npm/@s/kube", testPrefix + "/npm/@s%2Fkube", testPrefix + "/npm/@s/kube"} {
		res := p.get(path, "Accept", npm.Abbreviated+"; q=1.0, application/json; q=0.8, */*")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != npm.Abbreviated || res.Header.Get("Etag") == "" || !strings.Contains(strings.Join(res.Header["Vary"], ","), "Accept") {
			t.Fatalf("%s: %d %v %s", path, res.StatusCode, res.Header, res.text)
		}
		if first == "" {
			first = res.text
		} else if res.text != first {
			t.Errorf("%s: another document", path)
		}
		if again := p.get(path, "Accept", npm.Abbreviated, "If-None-Match", res.Header.Get("Etag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d with its ETag", path, again.StatusCode)
		}
	}
	type version struct {
		Name, Version, Deprecated, Description string
		Bin                                    map[string]string
		Dependencies                           map[string]string
		HasInstallScript                       bool
		Dist                                   struct{ Tarball, Integrity, Shasum string }
	}
	type packument struct {
		Name     string
		Tags     map[string]string `json:"dist-tags"`
		Versions map[string]version
		Time     map[string]string
		Readme   string
	}
	read := func(accept string) (d packument) {
		t.Helper()
		res := p.get("/npm/@s%2Fkube", "Accept", accept)
		if err := json.Unmarshal([]byte(res.text), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := read(npm.Abbreviated)
	v := d.Versions["1.1.0"]
	if len(d.Versions) != 3 || d.Tags["latest"] != "1.1.0" || d.Tags["next"] != "2.0.0-rc.1" || len(d.Tags) != 2 || len(d.Time) > 0 ||
		v.Bin["kube"] != "cli.js" || v.Dependencies["units"] != "^1.0.0" || !v.HasInstallScript || v.Description != "" || v.Deprecated != "" {
		t.Errorf("abbreviated: %s", first)
	}
	tarball := p.get(strings.TrimPrefix(v.Dist.Tarball, p.url))
	sum := sha512.Sum512([]byte(tarball.text))
	if !strings.HasPrefix(v.Dist.Tarball, p.url+testPrefix+"/api/v1/plugins/kube/releases/1.1.0/files/") || v.Dist.Integrity != "sha512-"+base64.StdEncoding.EncodeToString(sum[:]) || len(v.Dist.Shasum) != 40 {
		t.Errorf("dist: %+v", v.Dist)
	}
	for _, path := range []string{"/npm/@s/kube/-/kube-1.1.0.tgz", "/npm/@s%2Fkube/-/kube-1.1.0.tgz"} {
		if res := p.get(path); res.StatusCode != http.StatusFound || res.Header.Get("Location") != v.Dist.Tarball {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}

	if _, err := p.reg.Yank(t.Context(), "kube", "1.1.0", true, "deletes volumes", "tester"); err != nil {
		t.Fatal(err)
	}
	d = read("application/json")
	if d.Versions["1.1.0"].Deprecated != "deletes volumes" || d.Versions["1.0.0"].Deprecated != "" || d.Tags["latest"] != "1.0.0" || d.Time["1.1.0"] == "" || d.Versions["1.0.0"].Description != "A form" {
		t.Errorf("full, after a yank: %+v", d)
	}
	for path, want := range map[string]string{
		"/npm/@s%2Fkube/latest": "1.0.0", "/npm/@s/kube/next": "2.0.0-rc.1", "/npm/@s/kube/1.1.0": "1.1.0", "/npm/@s/kube/3.0.0": "",
	} {
		res := p.get(path)
		var v version
		if err := json.Unmarshal([]byte(res.text), &v); err != nil || v.Version != want || (want == "") != (res.StatusCode == http.StatusNotFound) {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
	if res := p.get("/npm/-/package/@s%2Fkube/dist-tags"); res.text != `{"latest":"1.0.0","next":"2.0.0-rc.1"}`+"\n" {
		t.Errorf("dist-tags: %s", res.text)
	}
	for _, version := range []string{"1.0.0", "2.0.0-rc.1"} {
		if _, err := p.reg.Yank(t.Context(), "kube", version, true, "", "tester"); err != nil {
			t.Fatal(err)
		}
	}
	if d = read(npm.Abbreviated); d.Tags["latest"] != "2.0.0-rc.1" || len(d.Tags) != 1 || d.Versions["1.0.0"].Deprecated == "" {
		t.Errorf("with every release yanked: %+v", d.Tags)
	}
}

// A stored version goes with the release that uses it: "latest" is what the
// plugin's default release brings, in numbers of its own.
func TestNPMLatestIsTheReleases(t *testing.T) {
	p := embedded(t)
	for _, r := range [][2]string{{"1.0.0", "7.2.0"}, {"2.0.0", "7.1.0"}} {
		p.publish(fmt.Sprintf(npmBundle, "Odd", r[0], "odd"), tarball(t, "odd", r[1]))
	}
	if res := p.get("/npm/-/package/odd/dist-tags"); !strings.Contains(res.text, `"latest":"7.1.0"`) {
		t.Errorf("latest: %s", res.text)
	}
	if _, err := p.reg.SetChannel(t.Context(), "odd", "stable", "1.0.0", "tester"); err != nil {
		t.Fatal(err)
	}
	if res := p.get("/npm/-/package/odd/dist-tags"); res.text != `{"latest":"7.2.0","stable":"7.2.0"}`+"\n" {
		t.Errorf("with a stable release: %s", res.text)
	}
}

// What is wrong with a publish is told in npm's form, and nothing of it stays.
func TestNPMPublishRefused(t *testing.T) {
	p := embedded(t)
	good := npmTarball(t, "Kube", "@s/kube", "1.0.0")
	body := npmPublishBody("@s/kube", "1.0.0", good)
	for name, c := range map[string]struct {
		path, body string
		status     int
		says       string
	}{
		"other name":       {"/npm/other", body, 422, "is no tarball of other"},
		"package in it":    {"/npm/other", npmPublishBody("other", "1.0.0", good), 422, "says that it is @s/kube"},
		"version in it":    {"/npm/@s%2Fkube", npmPublishBody("@s/kube", "1.0.1", good), 422, "says that it is @s/kube 1.0.0"},
		"integrity":        {"/npm/@s%2Fkube", strings.Replace(body, `"integrity":"sha512-`, `"integrity":"sha512-A`, 1), 422, "damaged on its way"},
		"shasum":           {"/npm/@s%2Fkube", strings.Replace(body, `"dist":{`, `"dist":{"shasum":"00",`, 1), 422, "damaged on its way"},
		"length":           {"/npm/@s%2Fkube", strings.Replace(body, `"length":`, `"length":1`, 1), 422, "damaged on its way"},
		"two versions":     {"/npm/@s%2Fkube", strings.Replace(body, `"versions":{`, `"versions":{"0.9.0":{},`, 1), 422, "not exactly one"},
		"name in the body": {"/npm/@s%2Fkube", strings.Replace(body, `"_id":"@s/kube"`, `"_id":"@s/cube"`, 1), 422, "but the body says"},
		"cut off":          {"/npm/@s%2Fkube", body[:len(body)-40], 400, "ends early"},
		"cut in the data":  {"/npm/@s%2Fkube", body[:400], 400, "ends early"},
		"no base64":        {"/npm/@s%2Fkube", strings.Replace(body, `"data":"H4sI`, `"data":"H4*I`, 1), 400, "can't be read"},
		"no JSON":          {"/npm/@s%2Fkube", "{x", 400, "no JSON"},
		"nothing":          {"/npm/@s%2Fkube", "{}", 405, "yank"},
		"deprecate":        {"/npm/@s%2Fkube", `{"name":"@s/kube","versions":{"1.0.0":{"deprecated":"old"}}}`, 405, "yank"},
		"unpublish":        {"/npm/@s%2Fkube/-rev/1", body, 405, "yank"},
		"upper case":       {"/npm/Kube", body, 400, "no name"},
		"no descriptor":    {"/npm/plain", npmPublishBody("plain", "1.0.0", content(t, tarball(t, "plain", "1.0.0"))), 0, "appstore-plugin.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.npmPublish(c.path, c.body)
			if text := npmError(t, res); c.status != 0 && res.StatusCode != c.status || res.StatusCode < 400 || !strings.Contains(text, c.says) {
				t.Errorf("%d %s; want %d and %q", res.StatusCode, text, c.status, c.says)
			}
		})
	}
	res := p.do(request{method: http.MethodPut, path: "/npm/@s%2Fkube", body: body, noToken: true, header: map[string]string{"Content-Type": "application/json"}})
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != "" || !strings.Contains(npmError(t, res), "token") {
		t.Errorf("without the token: %d %s", res.StatusCode, res.text)
	}
	if all, err := p.reg.Drafts(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("drafts: %v, %v", all, err)
	}
	if res := p.get("/npm/@s%2Fkube"); res.StatusCode != http.StatusNotFound {
		t.Errorf("after all: %d", res.StatusCode)
	}
	// The same in another order, as no JSON has one; then the very same again.
	at := strings.Index(body, `"_id"`)
	reordered := "{" + body[at:len(body)-1] + "," + strings.TrimSuffix(body[1:at], ",") + "}"
	if res := p.npmPublish("/npm/@s%2Fkube", body); res.StatusCode != http.StatusCreated {
		t.Errorf("good: %d %s", res.StatusCode, res.text)
	}
	if res := p.npmPublish("/npm/@s%2Fkube", reordered); res.StatusCode != http.StatusOK {
		t.Errorf("again: %d %s", res.StatusCode, res.text)
	}
}

// A package whose bundle is not complete waits, and the publisher is told.
func TestNPMDraft(t *testing.T) {
	p := embedded(t)
	tarball := npmFiles(t, [][2]string{
		{"package.json", `{"name":"@s/kube","version":"1.0.0"}`},
		{"appstore-plugin.yaml", fmt.Sprintf(npmBundle, "Kube", "1.0.0", "@s/kube") + "backend: kube-back\nbackend_component: kube_back.Plugin\n"},
	})
	res := p.npmPublish("/npm/@s%2Fkube", npmPublishBody("@s/kube", "1.0.0", tarball))
	if res.StatusCode != http.StatusAccepted || !strings.Contains(res.Header.Get("Npm-Notice"), "waits for the pypi package kube-back") {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, res.text)
	}
	if res := p.get("/npm/@s%2Fkube"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a draft is visible: %s", res.text)
	}
}

// What is asked below /npm/ is answered in npm's form, whatever it is.
func TestNPMErrors(t *testing.T) {
	p := embedded(t)
	for _, q := range []request{
		{path: "/npm/nothing"},
		{path: "/npm/@s%2Fnothing"},
		{path: "/npm/@s%2Fnothing/1.0.0"},
		{path: "/npm/@s/nothing/-/nothing-1.0.0.tgz"},
		{path: "/npm/..%2F..%2Fetc"},
		{path: "/npm/a/b/c/d/e"},
		{path: "/npm/-/nothing"},
		{path: "/npm/-/v1/search?size=x"},
		{path: "/npm/-/v1/search?from=5001"},
		{path: "/npm/-/v1/search?text=keywords:%22"},
		{path: "/npm/-/npm/v1/security/advisories/bulk", method: http.MethodPost, body: "{}"},
		{path: "/npm/-/whoami", noToken: true},
		{path: "/npm/kube/-rev/1", method: http.MethodDelete},
		{path: "/npm/-/package/kube/dist-tags/x", method: http.MethodPut, body: `"1.0.0"`},
	} {
		res := p.do(q)
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: %d", q.path, res.StatusCode)
			continue
		}
		npmError(t, res)
	}
	p.unchecked()
	for path, method := range map[string]string{"/npm/-/v1/login": http.MethodPost, "/npm/-/user/org.couchdb.user:me": http.MethodPut} {
		if res := p.do(request{path: path, method: method, body: "{}"}); res.StatusCode != http.StatusNotImplemented || !strings.Contains(npmError(t, res), "/npm/:_authToken=TOKEN") {
			t.Errorf("login: %d %s", res.StatusCode, res.text)
		}
	}
	if res := p.get("/npm/-/ping"); res.StatusCode != http.StatusOK || res.text != "{}\n" {
		t.Errorf("ping: %d %s", res.StatusCode, res.text)
	}
}

func TestNPMSearch(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		for i := range 5 {
			name := fmt.Sprintf("form-%d", i)
			p.publish(fmt.Sprintf(npmBundle, name, "1.0.0", "@s/"+name), tarball(t, "@s/"+name, "1.0.0"))
		}
		p.publish(plain("NoPackage", "1.0.0", "A form without a package"))
		search := func(query string) (found npm.Found) {
			t.Helper()
			res := p.get("/npm/-/v1/search?" + query)
			if err := json.Unmarshal([]byte(res.text), &found); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", query, res.StatusCode, res.text)
			}
			return found
		}
		// A release that only corrects the descriptor uses the stored package.
		p.publish(fmt.Sprintf(npmBundle, "form-0", "1.0.1", "@s/form-0") + "front_end_version: 1.0.0\n")
		eventually(t, "all are found", func() bool { f := search("text=form"); return len(f.Objects) == 5 && f.Total == 5 })
		seen := map[string]bool{}
		for from := 0; from < 6; from += 2 {
			for _, o := range search(fmt.Sprintf("text=form&size=2&from=%d&quality=0.6", from)).Objects {
				seen[o.Package.Name] = true
				if o.Score.Final <= 0 || o.Package.Version != "1.0.0" || o.Package.Scope != "s" || o.Package.Links.NPM == "" || o.Package.Maintainers[0].Username != "Jane Roe" {
					t.Errorf("%+v", o)
				}
			}
		}
		if len(seen) != 5 {
			t.Errorf("the pages have %v", seen)
		}
		for query, want := range map[string]int{
			"text=%40s%2Fform-3": 1, "text=keywords:kube": 5, "text=keywords:nothing": 0, "text=scope:s+form": 5, "text=": 5, "size=0&text=form": 0, "size=1000&text=form": 5, "text=@": 5,
		} {
			if found := search(query); len(found.Objects) != want {
				t.Errorf("%s: %d packages, want %d", query, len(found.Objects), want)
			}
		}
	})
}

// content is the bytes of a file.
func content(t testing.TB, f client.FileSource) []byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// npmFiles is a tarball of several files: paths and texts.
func npmFiles(t testing.TB, files [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f[1])
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Another replica has a new package at once, and a new version or a yank
// within two seconds.
func TestNPMReplica(t *testing.T) {
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	index := openBleve(t)
	a, b := serve(t, store, index, ""), serve(t, store, index, "")
	for _, version := range []string{"1.0.0", "1.1.0"} {
		if res := a.npmPublish("/npm/kube", npmPublishBody("kube", version, npmTarball(t, "Kube", "kube", version))); res.StatusCode != http.StatusCreated {
			t.Fatal(res.text)
		}
		here := func(p *place) bool { return strings.Contains(p.get("/npm/kube").text, `"latest":"`+version+`"`) }
		if !here(a) || version == "1.0.0" && !here(b) {
			t.Errorf("%s is not there at once", version)
		}
		if b.follows(a); !here(b) {
			t.Errorf("the other replica has read the journal, and does not show %s", version)
		}
	}
	if _, err := a.reg.Yank(t.Context(), "kube", "1.1.0", true, "broken", "tester"); err != nil {
		t.Fatal(err)
	}
	yanked := func(p *place) bool { return strings.Contains(p.get("/npm/kube").text, `"deprecated":"broken"`) }
	if !yanked(a) {
		t.Error("the yank is not there at once")
	}
	if b.follows(a); !yanked(b) {
		t.Error("the other replica has read the journal, and does not show the yank")
	}
}
