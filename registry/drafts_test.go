package registry

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"appstore/registry/artifact"
)

func uploadFile(t *testing.T, r *Registry, f upFile) (Uploaded, error) {
	t.Helper()
	return r.UploadFile(t.Context(), f.name, bytes.NewReader(f.content), "tester")
}

const bundle = "name: Kube\nversion: 1.0.0\nbackend: kube-back\nbackend_component: kube_back.Plugin\nfront_end: \"@kube/front\"\nfrontend_component: Form\n"

// Files come one by one, in any order; the one that completes the bundle publishes it.
func TestDraftIsPublishedByTheLastFile(t *testing.T) {
	w, n := wheelWith(t, "kube-back", "1.0.0", bundle), npm(t, "@kube/front", "1.0.0", "")
	p := newPlace(t)
	r := p.replica("a")
	_, err := uploadFile(t, r, n)
	wantCode(t, err, NoDescriptor, "@kube/front", artifact.DescriptorName, "appstore draft put")

	got, err := uploadFile(t, r, w)
	if err != nil || got.Draft == nil || len(got.Draft.Missing) != 1 || got.Draft.Missing[0].Name != "@kube/front" {
		t.Fatalf("the first file: %+v, %v", got, err)
	}
	_, err = r.Resolve(t.Context(), "kube", "1.0.0")
	wantCode(t, err, NotFound)
	if again, err := uploadFile(t, r, w); err != nil || again.Draft == nil || len(again.Draft.Files) != 1 {
		t.Fatalf("the first file again: %+v, %v", again, err)
	}
	_, err = r.FinishDraft(t.Context(), "kube", "1.0.0", "")
	wantCode(t, err, MissingFile, "@kube/front")

	got, err = uploadFile(t, r, n)
	if err != nil || got.Published == nil || !got.Published.Created || len(got.Published.Release.Files) != 2 {
		t.Fatalf("the last file: %+v, %v", got, err)
	}
	if string(content(t, r, got.Published.Release.Source)) != bundle {
		t.Error("the descriptor came back changed")
	}
	for info, err := range p.store.List(t.Context(), "drafts/", "") {
		t.Errorf("left over: %v, %v", info.Key, err)
	}
	for _, f := range []upFile{w, n} {
		if got, err := uploadFile(t, r, f); err != nil || !got.Known {
			t.Errorf("a published file again: %+v, %v", got, err)
		}
	}
	_, err = uploadFile(t, r, wheelWith(t, "kube-back", "1.0.1", bundle))
	wantCode(t, err, VersionExists, "raise the version")
}

// The descriptor was put before; several files at once, on two replicas.
func TestDraftFromManySides(t *testing.T) {
	p := newPlace(t)
	a, b := p.replica("a"), p.replica("b")
	d, err := a.PutDraft(t.Context(), []byte(bundle), "tester")
	if err != nil || len(d.Missing) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := b.PutDraft(t.Context(), []byte(bundle), "tester"); err != nil {
		t.Errorf("the same descriptor again: %v", err)
	}
	_, err = b.PutDraft(t.Context(), []byte(bundle+"title: Other\n"), "tester")
	wantCode(t, err, VersionExists, "another descriptor")

	files := []upFile{wheel(t, "kube-back", "1.0.0", "any", ""), npm(t, "@kube/front", "1.0.0", "")}
	var g sync.WaitGroup
	for i, f := range files {
		g.Go(func() {
			if _, err := uploadFile(t, []*Registry{a, b}[i], f); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	for _, r := range []*Registry{a, b} {
		if got, err := r.Resolve(t.Context(), "kube", "1.0.0"); err != nil || len(got.Files) != 2 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// A file that was built again takes the place of the one before.
func TestDraftTakesACorrection(t *testing.T) {
	r := newPlace(t).replica("a")
	text := strings.Replace(bundle, "mod.Plugin", "kube_back.Plugin", 1)
	if _, err := uploadFile(t, r, wheelWith(t, "kube-back", "1.0.0", text)); err != nil {
		t.Fatal(err)
	}
	corrected := wheelOf(t, "kube-back", "1.0.0", "any", map[string]string{"kube_back/__init__.py": "class Plugin:\n    corrected = True\n"})
	if got, err := uploadFile(t, r, corrected); err != nil || got.Draft == nil || len(got.Draft.Files) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err := uploadFile(t, r, npm(t, "@kube/front", "1.0.0", ""))
	if err != nil || got.Published == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if i := slices.IndexFunc(got.Published.Release.Files, func(f File) bool { return f.Kind == Wheel }); !bytes.Equal(content(t, r, got.Published.Release.Files[i]), corrected.content) {
		t.Error("the first wheel was published")
	}
}

func TestDraftIsDroppedAndSwept(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	if _, err := uploadFile(t, r, wheelWith(t, "kube-back", "1.0.0", bundle)); err != nil {
		t.Fatal(err)
	}
	all, err := r.Drafts(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "Kube" {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := r.DropDraft(t.Context(), "KUBE", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.DropDraft(t.Context(), "kube", "1.0.0"), NotFound)
	if _, err := r.PutDraft(t.Context(), []byte(bundle), ""); err != nil {
		t.Fatal(err)
	}
	if n, err := r.sweepDrafts(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("a young draft was swept: %d, %v", n, err)
	}
	if n, err := r.sweepDrafts(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

// wheelWith carries its plugin's descriptor.
func wheelWith(t *testing.T, name, version, descriptor string) upFile {
	t.Helper()
	return wheelOf(t, name, version, "any", map[string]string{
		"kube_back/__init__.py":                "class Plugin:\n    def deploy(self): pass\n",
		"kube_back/" + artifact.DescriptorName: descriptor,
	})
}
