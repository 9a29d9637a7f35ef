package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"appstore/api"
	"appstore/api/pip"
)

// withUpstream is a server over p's registry that passes on what another index
// has.
func withUpstream(t *testing.T, p *place, index string) *place {
	t.Helper()
	up, err := pip.NewUpstream(pip.UpstreamOptions{URL: index, Store: p.store, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close() })
	h, err := api.New(api.Options{Registry: p.reg, Index: p.index, Token: func() (string, error) { return testToken, nil }, PipUpstream: up})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return &place{t: t, url: srv.URL, http: p.http, client: p.client, reg: p.reg, log: p.log}
}

// One index URL suffices for a plugin whose dependencies are elsewhere; and a
// higher version of the plugin's own package elsewhere is never taken.
func TestPipUpstream(t *testing.T) {
	pythonClients(t)
	everyPair(t, func(t *testing.T, here *place) {
		there := embedded(t)
		lib := pyWheel(t, "dep-lib", "2.0.0", "py3-none-any", map[string]string{"dep_lib.py": "class Plugin: pass\nword = 'from elsewhere'\n"})
		there.publish(plain("DepLib", "2.0.0", "A library")+"backend: dep-lib\nbackend_component: dep_lib.Plugin\n", source(lib.name, lib.content))
		evil := pyWheel(t, "kube-back", "99.0.0", "py3-none-any", map[string]string{"kube_back/__init__.py": "class Plugin: pass\n"})
		there.publish(kubeDescriptor("99.0.0"), source(evil.name, evil.content))

		where, err := url.Parse(there.url)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(httputil.NewSingleHostReverseProxy(where))
		defer front.Close()
		p := withUpstream(t, here, front.URL+"/simple/")
		ours := pyWheel(t, "kube-back", "1.0.0", "py3-none-any", map[string]string{
			"kube_back/__init__.py": "import dep_lib\nclass Plugin:\n    def deploy(self):\n        return dep_lib.word\n",
		}, "dep-lib>=2")
		here.publish(kubeDescriptor("1.0.0"), source(ours.name, ours.content))

		py := newPython(t)
		simple := p.url + "/simple/"
		works := func(to string) {
			t.Helper()
			if out := py.run("-c", "import sys; sys.path.insert(0, sys.argv[1]); import kube_back; print(kube_back.Plugin().deploy())", to); strings.TrimSpace(out) != "from elsewhere" {
				t.Errorf("the plugin says %q", out)
			}
		}
		py.run("-m", "pip", "install", "--index-url", simple, "--target", "by-pip", "kube-back")
		works("by-pip")
		py.run("-m", "uv", "pip", "install", "--index-url", simple, "--target", "by-uv", "kube-back")
		works("by-uv")
		py.refused([]string{"-m", "pip", "install", "--index-url", simple, "--target", "evil", "kube-back==99.0.0"}, "No matching distribution found for kube-back==99.0.0")
		for path, want := range map[string]int{
			"/simple/kube-back/" + evil.sha256() + "/" + evil.name:           http.StatusNotFound,
			"/simple/dep-lib/" + lib.sha256() + "/" + lib.name:               http.StatusOK,
			"/simple/dep-lib/" + lib.sha256() + "/" + lib.name + ".metadata": http.StatusOK,
			"/simple/dep-lib/" + evil.sha256() + "/" + evil.name:             http.StatusNotFound,
			"/simple/in-neither/": http.StatusNotFound,
		} {
			if res := p.get(path); res.StatusCode != want {
				t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
			}
		}

		// What was fetched once is there also when the upstream is gone.
		locked := filepath.Join(py.dir, "locked.txt")
		if err := os.WriteFile(locked, []byte("dep-lib==2.0.0 --hash=sha256:"+lib.sha256()+"\nkube-back==1.0.0 --hash=sha256:"+ours.sha256()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		front.Close()
		py.run("-m", "pip", "install", "--index-url", simple, "--require-hashes", "-r", locked, "--target", "locked")
		works("locked")
		if res := p.get("/simple/never-asked/"); res.StatusCode != http.StatusBadGateway || !strings.Contains(res.text, "upstream index did not answer") || res.Header.Get("Retry-After") == "" {
			t.Errorf("with the upstream gone: %d %s", res.StatusCode, res.text)
		}
	})
}
