package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"appstore/api/client"
)

func (p *place) upload(f client.FileSource) error {
	p.t.Helper()
	_, err := p.reg.UploadFile(p.t.Context(), f.Name, strings.NewReader(contentOf(p.t, f)), "tester")
	return err
}

// A bundle that comes file by file, as its owner sees it.
func TestDrafts(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		text, ctx := bundle("Kube", "1.0.0"), t.Context()
		d, err := p.client.PutDraft(ctx, []byte(text))
		if err != nil || len(d.Missing) != 2 || d.Missing[0].Ecosystem != "pypi" {
			t.Fatalf("%+v, %v", d, err)
		}
		files := bundleFiles(t, "Kube", "1.0.0")
		if err := p.upload(files[0]); err != nil {
			t.Fatal(err)
		}
		all, err := p.client.Drafts(ctx)
		if err != nil || all.Total != 1 || len(all.Items[0].Files) != 1 || len(all.Items[0].Missing) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		_, err = p.client.FinishDraft(ctx, "Kube", "1.0.0")
		wantError(t, err, "missing-file")
		if err := p.upload(files[1]); err != nil {
			t.Fatal(err)
		}
		if r, err := p.client.Release(ctx, "Kube", "1.0.0"); err != nil || len(r.Files) != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		if _, err := p.client.PutDraft(ctx, []byte(bundle("Kube", "1.1.0"))); err != nil {
			t.Fatal(err)
		}
		if _, err := p.client.DropDraft(ctx, "kube", "1.1.0"); err != nil {
			t.Fatal(err)
		}
		_, err = p.client.Draft(ctx, "kube", "1.1.0")
		wantError(t, err, "not-found")
		if res := p.do(request{path: "/api/v1/drafts", noToken: true}); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("drafts without the token: %d", res.StatusCode)
		}
	})
}

// A release that uses a stored package has its files too, and what is fetched
// is counted.
func TestUsesAndDownloads(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		files := bundleFiles(t, "Kube", "1.0.0")
		p.publish(bundle("Kube", "1.0.0"), files...)
		p.publish(plain("User", "2.0.0", "Uses it") + "backend: kube-back\nbackend_version: 1.0.0\nbackend_component: kube_back.Plugin\n")
		r, err := p.client.Release(t.Context(), "user", "2.0.0")
		if err != nil || len(r.Files) != 0 || len(r.Uses) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		var got bytes.Buffer
		if err := p.client.Download(t.Context(), r, r.Uses[0], &got, nil); err != nil || got.String() != contentOf(t, files[0]) {
			t.Errorf("the used file: %v", err)
		}
		path := "/api/v1/plugins/user/releases/2.0.0/files/"
		if res := p.get(path + "backend"); res.StatusCode != http.StatusOK {
			t.Errorf("the back end: %d", res.StatusCode)
		}
		if res := p.get(path + files[0].Name + ".metadata"); res.StatusCode != http.StatusOK || !strings.HasPrefix(res.text, "Metadata-Version") {
			t.Errorf("the wheel's metadata: %d, %.100s", res.StatusCode, res.text)
		}
		for _, agent := range []string{"pip/26.0 {}", "npm/11 node", "Mozilla/5.0", "curl/8"} {
			p.get(path+files[0].Name, "User-Agent", agent)
		}
		p.get(path+files[0].Name, "Range", "bytes=0-4")                    // a download in two parts counts once,
		p.get(path+files[0].Name, "Range", "bytes=5-")                     // with its last byte
		p.do(request{method: http.MethodHead, path: path + files[0].Name}) // a look is none
		eventually(t, "the downloads are told", func() bool {
			w, err := p.client.Plugin(t.Context(), "user")
			return err == nil && fmt.Sprint(w.Downloads.Total, w.Downloads.Clients) == "7 map[browser:1 npm:1 other:4 pip:1]" && w.Downloads.Releases["2.0.0"] == 7
		})
	})
}
