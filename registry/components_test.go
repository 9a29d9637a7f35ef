package registry

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"appstore/schema"
)

// What the descriptor says is in a package must be there, where that can be seen.
func TestComponents(t *testing.T) {
	r := newPlace(t).replica("a")
	of := func(component string) string {
		return plain("Kube", "1.0.0", "s") + "backend: kube-back\nbackend_component: " + component + "\n"
	}
	files := func(all map[string]string) upFile { return wheelOf(t, "kube-back", "1.0.0", "any", all) }
	code := "class Base:\n    def deploy(self, name, task, app_config, provider_config): ...\nclass Plugin(Base):\n    def health_check(self, provider, deployment): ...\n"
	for _, c := range []struct{ name, component, want string }{
		{"another class", "kube_back.Other", "defines no class Other"},
		{"another module", "kube_front.Plugin", "kube_front is not in the file"},
	} {
		_, err := r.Publish(t.Context(), upload(of(c.component), files(map[string]string{"kube_back.py": code})))
		wantCode(t, err, ArtifactMismatch, c.want, "kube_back-1.0.0-py3-none-any.whl")
	}
	got := mustPublish(t, r, upload(of("kube_back.Plugin"), files(map[string]string{"kube_back.py": code})))
	if methods := strings.Join(got.Release.Files[0].Methods, " "); methods != "deploy health_check" {
		t.Errorf("it defines %q", methods)
	}
	// Compiled code can't be looked into; that is no reason to refuse it.
	compiled := strings.Replace(of("kube_back.Plugin"), "1.0.0", "1.1.0", 1)
	mustPublish(t, r, upload(compiled, wheelOf(t, "kube-back", "1.1.0", "any", map[string]string{"kube_back.cpython-311-x86_64-linux-gnu.so": "\x7fELF"})))
}

// A file is not looked into for a client that has gone.
func TestComponentsStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	c := schema.Component{Package: schema.Package{Ecosystem: schema.PyPI, Name: "kube-back", Version: "1.0.0"}, Component: "kube_back.Plugin"}
	d := schema.Descriptor{Interfaces: map[string]schema.Interface{"main": {Backend: &c}}}
	f := File{Name: "kube_back-1.0.0-py3-none-any.whl", Package: c.Package, Size: 1000}
	err := components(&d, &f, while{ctx, bytes.NewReader(make([]byte, 1000))})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the outcome is %v", err)
	}
}
