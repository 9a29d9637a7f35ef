package registry

import (
	"strings"
	"testing"
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
