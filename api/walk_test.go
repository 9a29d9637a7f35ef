package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"appstore/api/client"
)

// testPrefix is the prefix of the tests that have one.
const testPrefix = "/shop"

// The whole walk: publish, find, look at, fetch, yank, channels.
func TestWalk(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		first := p.publish(bundle("KubePlugin", "1.0.0"), bundleFiles(t, "KubePlugin", "1.0.0")...)
		if !first.Created || first.ID != "kubeplugin" || first.Name != "KubePlugin" || len(first.Files) != 2 {
			t.Fatalf("published: %+v", first)
		}
		again := p.publish(bundle("KubePlugin", "1.0.0"), bundleFiles(t, "KubePlugin", "1.0.0")...)
		if again.Created || again.Digest != first.Digest {
			t.Errorf("published again: created %v, digest %s, was %s", again.Created, again.Digest, first.Digest)
		}
		_, err := p.client.Publish(ctx, "KubePlugin", []byte(bundle("KubePlugin", "1.0.0")+"license: MIT\n"), bundleFiles(t, "KubePlugin", "1.0.0"), nil)
		wantError(t, err, "version-exists")
		p.publish(bundle("KubePlugin", "1.1.0"), bundleFiles(t, "KubePlugin", "1.1.0")...)
		p.publish(plain("Other", "2.0.0-rc.1", "Another one"))

		eventually(t, "search finds both", func() bool {
			all, err := p.client.Search(ctx, client.Query{})
			return err == nil && all.Total == 2
		})
		found, err := p.client.Search(ctx, client.Query{Text: "kube plugin", Tag: []string{"one"}, Explain: true})
		if err != nil || found.Total != 1 || found.Items[0].Name != "KubePlugin" || found.Items[0].Version != "1.1.0" {
			t.Fatalf("search: %+v, %v", found, err)
		}
		if len(found.Items[0].Explain) == 0 || len(found.Facets["tag"]) != 2 || found.Items[0].Score <= 0 {
			t.Errorf("hit without reasons, facets or score: %+v", found)
		}
		suggested, err := p.client.Suggest(ctx, "kub", 5)
		if err != nil || len(suggested.Items) != 1 || suggested.Items[0].Name != "KubePlugin" {
			t.Errorf("suggest: %+v, %v", suggested, err)
		}

		plugin, err := p.client.Plugin(ctx, "kube_PLUGIN")
		if err == nil {
			t.Errorf("kube_PLUGIN normalises to kube-plugin, which is another name: %+v", plugin)
		}
		plugin, err = p.client.Plugin(ctx, "KUBEPLUGIN")
		if err != nil || plugin.Default != "1.1.0" || plugin.Total != 2 || plugin.Release == nil || plugin.Release.Version != "1.1.0" || plugin.Releases[0].Version != "1.1.0" {
			t.Fatalf("plugin: %+v, %v", plugin, err)
		}
		for ref, want := range map[string]string{"": "1.1.0", "1.0.0": "1.0.0", "latest": "1.1.0", "^1.0": "1.1.0", "<1.1": "1.0.0", ">=1.0.0 <1.1.0": "1.0.0"} {
			r, err := p.client.Release(ctx, "KubePlugin", ref)
			if err != nil || r.Version != want {
				t.Errorf("release %q: %+v, %v; want %s", ref, r, err, want)
			}
		}

		release := plugin.Release
		text, err := p.client.Descriptor(ctx, "KubePlugin", "1.1.0")
		if err != nil || string(text) != bundle("KubePlugin", "1.1.0") {
			t.Errorf("descriptor: %q, %v", text, err)
		}
		for _, f := range append(release.Files, release.Source) {
			var b bytes.Buffer
			last := int64(0)
			if err := p.client.Download(ctx, release, f, &b, func(done, total int64) { last = done }); err != nil || last != f.Size {
				t.Errorf("download %s: %v, told %d of %d", f.Name, err, last, f.Size)
			}
			if sum := sha256.Sum256(b.Bytes()); hex.EncodeToString(sum[:]) != f.SHA256 {
				t.Errorf("%s: other bytes", f.Name)
			}
			if res := p.get(f.URL); res.StatusCode != http.StatusOK || res.text != b.String() {
				t.Errorf("%s: %d", f.URL, res.StatusCode)
			}
		}

		resolved, err := p.client.Resolve(ctx, []client.Ref{{Name: "KubePlugin", Ref: "1.0"}, {Name: "nothing"}, {Name: "Other"}})
		if err != nil || resolved[2].Release.Version != "2.0.0-rc.1" || resolved[1].Problem == nil || resolved[1].Problem.Code != "not-found" {
			t.Errorf("resolve: %+v, %v", resolved, err)
		}

		if plugin, err = p.client.SetChannel(ctx, "KubePlugin", "stable", "1.0.0"); err != nil || plugin.Default != "1.0.0" || plugin.Channels["stable"] != "1.0.0" {
			t.Errorf("channel: %+v, %v", plugin, err)
		}
		yanked, err := p.client.Yank(ctx, "KubePlugin", "1.1.0", "breaks")
		if err != nil || !yanked.Yanked() || yanked.Reason != "breaks" {
			t.Errorf("yank: %+v, %v", yanked, err)
		}
		if r, err := p.client.Release(ctx, "KubePlugin", "^1.0"); err != nil || r.Version != "1.0.0" {
			t.Errorf("a range leads to a yanked release: %+v, %v", r, err)
		}
		if r, err := p.client.Release(ctx, "KubePlugin", "1.1.0"); err != nil || !r.Yanked() {
			t.Errorf("a yanked release is not found by its exact version: %+v, %v", r, err)
		}
		if r, err := p.client.Unyank(ctx, "KubePlugin", "1.1.0"); err != nil || r.Yanked() {
			t.Errorf("unyank: %+v, %v", r, err)
		}
		if plugin, err = p.client.RemoveChannel(ctx, "KubePlugin", "stable"); err != nil || plugin.Default != "1.1.0" || len(plugin.Channels) != 0 {
			t.Errorf("remove channel: %+v, %v", plugin, err)
		}
		if plugin, err = p.client.SetListing(ctx, "KubePlugin", client.Listing{Title: "Kube!", Status: "DEV"}); err != nil || plugin.Title != "Kube!" || plugin.Status != "DEV" {
			t.Errorf("listing: %+v, %v", plugin, err)
		}
		page, err := p.client.Releases(ctx, "KubePlugin", "", "", 1)
		if err != nil || page.Total != 2 || len(page.Items) != 1 || page.Next == "" {
			t.Fatalf("releases: %+v, %v", page, err)
		}
		if page, err = p.client.Releases(ctx, "KubePlugin", "^1", page.Next, 1); err != nil || page.Items[0].Version != "1.0.0" || page.Next != "" {
			t.Errorf("second page: %+v, %v", page, err)
		}

		seen := map[string]bool{}
		events, err := p.client.Events(ctx, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Items {
			seen[e.Plugin] = true
		}
		if !seen["kubeplugin"] || !seen["other"] || events.Next == 0 {
			t.Errorf("events: %+v", events)
		}
		if more, err := p.client.Events(ctx, events.Next, 10); err != nil || len(more.Items) != 0 || more.Next != events.Next {
			t.Errorf("events after the end: %+v, %v", more, err)
		}
		if st, err := p.client.Reindex(ctx); err != nil || st.Plugins != 2 || st.Releases != 3 || st.Version != "1.2.3" {
			t.Errorf("reindex: %+v, %v", st, err)
		}
		if found, err := p.client.Search(ctx, client.Query{Text: "another"}); err != nil || found.Total != 1 {
			t.Errorf("search after reindex: %+v, %v", found, err)
		}
	})
}

// Paging by cursor gives every hit once; a cursor of another query is refused.
func TestSearchPages(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		const n = 7
		for i := range n {
			p.publish(plain("plugin-"+string(rune('a'+i)), "1.0.0", "Some words"))
		}
		eventually(t, "all are found", func() bool {
			all, err := p.client.Search(t.Context(), client.Query{Text: "words"})
			return err == nil && all.Total == n
		})
		seen := map[string]bool{}
		q := client.Query{Text: "words", Limit: 3, Sort: "name"}
		for {
			page, err := p.client.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range page.Items {
				if seen[h.ID] {
					t.Errorf("%s twice", h.ID)
				}
				seen[h.ID] = true
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
		if len(seen) != n {
			t.Errorf("%d of %d seen", len(seen), n)
		}
		q.Text = "other"
		_, err := p.client.Search(t.Context(), q)
		wantError(t, err, "bad-cursor")
	})
}

// Many descriptors are validated without anything being stored.
func TestValidate(t *testing.T) {
	p := embedded(t)
	good, err := p.client.Validate(t.Context(), []byte(plain("Fine", "1.0.0", "All right")))
	if err != nil || !good.Valid || good.Descriptor == nil || good.Descriptor.Name != "Fine" {
		t.Errorf("a good one: %+v, %v", good, err)
	}
	bad, err := p.client.Validate(t.Context(), []byte("name: Bad\nversion: 1.10\nsumary: x\n"))
	if err != nil || bad.Valid || len(bad.Problems) < 2 {
		t.Errorf("a bad one: %+v, %v", bad, err)
	}
	for _, problem := range bad.Problems {
		if problem.Line == 0 || problem.Message == "" || problem.Fix == "" {
			t.Errorf("a problem that does not help: %+v", problem)
		}
	}
	big, err := p.client.Validate(t.Context(), []byte("name: x\n#"+strings.Repeat("x", 1<<20)))
	if err == nil && big.Valid {
		t.Error("a descriptor of over 1 MiB is valid")
	}
	if st, err := p.client.Status(t.Context()); err != nil || st.Plugins != 0 {
		t.Errorf("something was stored: %+v, %v", st, err)
	}
}
