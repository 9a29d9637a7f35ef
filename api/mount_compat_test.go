package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"appstore/api/client"
	"appstore/api/compat"
	"appstore/schema/cloudlaunch"
	"appstore/search"
	"appstore/storage/files"
)

const compatFile = "/compat/app-registry.yaml"

// apps reads the registry file that a server answers, by slug; each must be one
// that CloudLaunch can hold.
func (p *place) apps(query string) map[string]cloudlaunch.App {
	p.t.Helper()
	res := p.get(compatFile + query)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/yaml" {
		p.t.Fatalf("%s: %s: %s", query, res.Status, res.text)
	}
	list, problems := cloudlaunch.Read([]byte(res.text))
	if len(problems) > 0 {
		p.t.Fatal(problems)
	}
	apps := map[string]cloudlaunch.App{}
	for _, a := range list {
		apps[a.Slug] = a
	}
	return apps
}

func labels(a cloudlaunch.App) (all []string) {
	for _, v := range a.Versions {
		all = append(all, v.Label)
	}
	return all
}

// launched is a descriptor that has something to launch.
func launched(name, version, summary string) string {
	return plain(name, version, summary) + "frontend_component: Form\n"
}

// Each state of a plugin shows in CloudLaunch's file, in the request after.
func TestCompatFile(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		if res := p.get(compatFile); res.text != "apps: []\n" {
			t.Errorf("an empty catalogue is %q", res.text)
		}
		labelled := func(version, label, class string) string {
			return plain("Kube.Plugin", version, "Summary of "+version) + fmt.Sprintf(
				"label: %q\ntitle: Title of %s\nbackend_component: %s\ndefault_config: {nodes: {count: 3, text: 'yes'}}\nlinks: {homepage: 'https://example.org/kube'}\n", label, version, class)
		}
		p.publish(labelled("1.0.0", "First (old)", "kube.Old"))
		p.publish(labelled("1.0.1", "First (old)", "kube.New"))
		p.publish(labelled("2.0.0", "Second", "kube.Second"))
		p.publish(launched("other", "1.0.0", "Another"))

		kube := p.apps("")["Kube-Plugin"]
		if !slices.Equal(labels(kube), []string{"Second", "First (old)"}) || kube.Versions[1].Backend != "kube.New" {
			t.Fatalf("not the newest release of each label: %+v", kube)
		}
		if kube.Name != "Title of 2.0.0" || kube.DefaultVersion != "Second" || kube.Status != "LIVE" || kube.DisplayOrder != 10000 ||
			kube.InfoURL != "https://example.org/kube" || string(kube.Versions[0].LaunchConfig) != `{"nodes":{"count":3,"text":"yes"}}` {
			t.Errorf("not what the release says: %+v", kube)
		}

		for _, step := range []struct {
			name string
			do   func() error
			ok   func(a cloudlaunch.App) bool
		}{
			{"the newest release of a label is yanked", func() error {
				_, err := p.client.Yank(t.Context(), "kube.plugin", "1.0.1", "broken")
				return err
			}, func(a cloudlaunch.App) bool { return a.Versions[1].Backend == "kube.Old" }},
			{"a label has no live release", func() error {
				_, err := p.client.Yank(t.Context(), "kube.plugin", "1.0.0", "broken")
				return err
			}, func(a cloudlaunch.App) bool { return slices.Equal(labels(a), []string{"Second"}) }},
			{"unyanked, and stable set", func() error {
				if _, err := p.client.Unyank(t.Context(), "kube.plugin", "1.0.0"); err != nil {
					return err
				}
				_, err := p.client.SetChannel(t.Context(), "kube.plugin", "stable", "1.0.0")
				return err
			}, func(a cloudlaunch.App) bool { return a.DefaultVersion == "First (old)" && a.Name == "Title of 1.0.0" }},
			{"a listing", func() error {
				_, err := p.client.SetListing(t.Context(), "kube.plugin", client.Listing{Title: "Listed", Status: "DEV", Order: 7, Labels: []string{"First (old)", "Second"}})
				return err
			}, func(a cloudlaunch.App) bool {
				return a.Name == "Listed" && a.Status == "DEV" && a.DisplayOrder == 7 && slices.Equal(labels(a), []string{"First (old)", "Second"})
			}},
			{"a listing whose source is of another kind", func() error {
				_, err := p.client.SetListing(t.Context(), "kube.plugin", client.Listing{Source: []byte(`{"title": 7}`)})
				return err
			}, func(a cloudlaunch.App) bool { return a.Name == "Title of 1.0.0" && a.Status == "LIVE" }},
			{"nothing is live", func() error {
				for _, v := range []string{"1.0.0", "2.0.0"} {
					if _, err := p.client.Yank(t.Context(), "kube.plugin", v, "broken"); err != nil {
						return err
					}
				}
				return nil
			}, func(a cloudlaunch.App) bool { return a.Slug == "" }},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			all := p.apps("")
			if a := all["Kube-Plugin"]; !step.ok(a) {
				t.Errorf("%s: %+v", step.name, a)
			}
			if all["other"].Name != "other" {
				t.Errorf("%s: the other plugin is %+v", step.name, all["other"])
			}
		}
	})
}

// What CloudLaunch can't hold is made so that it can.
func TestCompatFileFits(t *testing.T) {
	p := embedded(t)
	long := strings.Repeat("long-name-", 9)
	p.publish(launched(long+"x", "1.0.0", "Text"))
	p.publish(launched("Bare", "1.0.0", "Text")+"backend: Bare.back-End\nbackend_component: Plugin\n", wheel(t, "Bare.back-End", "1.0.0", ""))
	p.publish(plain("nothing-to-launch", "1.0.0", "Text"))
	p.publish(launched("was-launched", "1.0.0", "Text"))
	p.publish(plain("was-launched", "2.0.0", "Now a library"))
	apps := p.apps("")
	if len(apps) != 3 {
		t.Errorf("%d apps, want the three that CloudLaunch can launch", len(apps))
	}
	if a := apps["was-launched"]; !slices.Equal(labels(a), []string{"1.0.0"}) || a.DefaultVersion != "1.0.0" || a.Summary != "Now a library" {
		t.Errorf("a plugin whose newest release can't be launched: %+v", a)
	}
	if page := p.applications("/compat/applications/"); page.Count != 3 || len(page.Results) != 3 {
		t.Errorf("the page has %d of %d", len(page.Results), page.Count)
	}
	if name := apps[long+"x"].Name; name != long[:60] {
		t.Errorf("a name of %d characters", len(name))
	}
	if back := apps["Bare"].Versions[0].Backend; back != "bare_back_end.Plugin" {
		t.Errorf("CloudLaunch would import %q", back)
	}
}

// The bytes are the same until something changes; they are revalidated and
// compressed; a change of what is not in them keeps the ETag.
func TestCompatFileIsStable(t *testing.T) {
	p := embedded(t)
	for i := range 40 {
		p.publish(launched(fmt.Sprintf("plugin-%d", i), "1.0.0", "Some words"))
	}
	first := p.get(compatFile)
	tag := first.Header.Get("Etag")
	if second := p.get(compatFile); second.text != first.text || second.Header.Get("Etag") != tag || tag == "" {
		t.Error("asked twice, answered differently")
	}
	if res := p.get(compatFile, "If-None-Match", tag); res.StatusCode != http.StatusNotModified {
		t.Errorf("revalidated: %s", res.Status)
	}
	if res := p.get(compatFile, "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "gzip" || len(res.text) >= len(first.text)/2 || res.Header.Get("Etag") == tag {
		t.Errorf("compressed: %d bytes of %d, ETag %s", len(res.text), len(first.text), res.Header.Get("Etag"))
	}
	if res := p.do(request{method: http.MethodHead, path: compatFile}); res.StatusCode != http.StatusOK || res.Header.Get("Etag") != tag {
		t.Errorf("HEAD: %s, %s", res.Status, res.Header.Get("Etag"))
	}
	if _, err := p.client.SetChannel(t.Context(), "plugin-1", "beta", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	if res := p.get(compatFile, "If-None-Match", tag); res.StatusCode != http.StatusNotModified {
		t.Errorf("after a change that is not in the file: %s", res.Status)
	}
	p.publish(launched("plugin-1", "1.1.0", "Other words"))
	if res := p.get(compatFile, "If-None-Match", tag); res.StatusCode != http.StatusOK || !strings.Contains(res.text, "Other words") {
		t.Errorf("after a publish: %s", res.Status)
	}
}

// behind is an index that does not have anything yet while it is behind.
type behind struct {
	search.Index
	is atomic.Bool
}

func (b *behind) Search(ctx context.Context, q search.Query) (*search.Result, error) {
	if b.is.Load() {
		return &search.Result{}, nil
	}
	return b.Index.Search(ctx, q)
}

// What search found is not kept: the index comes after the catalogue, whose mark
// says nothing of it.
func TestCompatSearchesAreNotKept(t *testing.T) {
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	index := &behind{Index: openBleve(t)}
	p := serve(t, store, index, "")
	p.publish(launched("one", "1.0.0", "Galaxy of stars"))
	eventually(t, "it is found", func() bool { return strings.Contains(p.get("/api/v1/plugins?q=galaxy").text, "Galaxy") })
	for _, path := range []string{compatFile + "?q=galaxy", "/compat/applications/?search=galaxy"} {
		index.is.Store(true)
		if res := p.get(path); res.StatusCode != http.StatusOK || strings.Contains(res.text, "Galaxy") {
			t.Errorf("%s, with an index that is behind: %s %s", path, res.Status, res.text)
		}
		index.is.Store(false)
		if res := p.get(path); res.StatusCode != http.StatusOK || !strings.Contains(res.text, "Galaxy") {
			t.Errorf("%s, when the index has come as far: %s %s", path, res.Status, res.text)
		}
	}
}

// q and category select what the search finds.
func TestCompatFileSelects(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		p.publish(strings.Replace(launched("one", "1.0.0", "Galaxy of stars"), "containers", "astronomy", 1))
		p.publish(launched("two", "1.0.0", "Galaxy for biologists"))
		p.publish(launched("three", "1.0.0", "Nothing of the kind"))
		eventually(t, "all are found", func() bool { return len(p.apps("?category=astronomy&category=containers")) == 3 })
		for query, want := range map[string][]string{
			"?q=galaxy":                    {"one", "two"},
			"?category=containers":         {"three", "two"},
			"?category=astronomy&q=galaxy": {"one"},
			"?q=nowhere":                   nil,
			"?q=":                          {"one", "three", "two"},
		} {
			var have []string
			for slug := range p.apps(query) {
				have = append(have, slug)
			}
			if slices.Sort(have); !slices.Equal(have, want) {
				t.Errorf("%s: %v, want %v", query, have, want)
			}
		}
		if res := p.get(compatFile + "?categroy=x"); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.text, `did you mean \"category\"`) {
			t.Errorf("a misspelt parameter: %s %s", res.Status, res.text)
		}
	})
}

type applicationPage struct {
	Count          int
	Next, Previous *string
	Results        []compat.Application
}

func (p *place) applications(path string) (page applicationPage) {
	p.t.Helper()
	res := p.get(path)
	if err := json.Unmarshal([]byte(res.text), &page); err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %v: %s", path, res.Status, err, res.text)
	}
	return page
}

// The page form of Django REST Framework, as CloudLaunch's page reads it.
func TestCompatApplications(t *testing.T) {
	everyPair(t, func(t *testing.T, p *place) {
		for i, name := range []string{"alpha", "beta", "gamma", "delta", "epsilon"} {
			p.publish(launched(name, "1.0.0", "Some galaxy") + "label: The first\n")
			l := client.Listing{Order: 50 - i}
			if name == "epsilon" {
				l.Status = "DEV"
			}
			if _, err := p.client.SetListing(t.Context(), name, l); err != nil {
				t.Fatal(err)
			}
		}
		var slugs []string
		path, pages := "/compat/applications/?page_size=3", 0
		for ; path != ""; pages++ {
			page := p.applications(path)
			if page.Count != 4 || (page.Previous != nil) != (pages > 0) {
				t.Errorf("page %d: %+v", pages+1, page)
			}
			for _, a := range page.Results {
				slugs = append(slugs, a.Slug)
			}
			if path = ""; page.Next != nil {
				path = *page.Next
			}
		}
		if want := []string{"delta", "gamma", "beta", "alpha"}; pages != 2 || !slices.Equal(slugs, want) {
			t.Errorf("%d pages with %v, want %v: the LIVE ones by their order", pages, slugs, want)
		}

		eventually(t, "the search finds the LIVE ones", func() bool {
			page := p.applications("/compat/applications/?search=galaxy&page_size=3")
			return page.Count == 4 && len(page.Results) == 3 && page.Next != nil && strings.HasSuffix(*page.Next, "/compat/applications/?page=2&page_size=3&search=galaxy")
		})
		if page := p.applications("/compat/applications/?search=galaxy&page_size=3&page=2"); len(page.Results) != 1 || page.Next != nil {
			t.Errorf("the second page of a search: %+v", page)
		}
		if page := p.applications("/compat/applications/?search=nowhere"); page.Count != 0 || page.Results == nil {
			t.Errorf("nothing found: %+v", page)
		}

		one := p.get("/compat/applications/Delta/")
		var a compat.Application
		if err := json.Unmarshal([]byte(one.text), &a); err != nil || a.URL != "/compat/applications/delta/" || *a.DefaultVersion != "The first" ||
			a.Versions[0].Version != "The first" || *a.Versions[0].FrontendName != "Form" || a.Versions[0].FrontendPath != nil || a.Description != nil {
			t.Errorf("one application: %v: %s", err, one.text)
		}
		for _, path := range []string{"/compat/applications/epsilon/", "/compat/applications/nobody/", "/compat/applications/?page=3&page_size=3", "/compat/applications/?search=galaxy&page=9"} {
			if res := p.get(path); res.StatusCode != http.StatusNotFound || !strings.Contains(res.text, `"code":"not-found"`) {
				t.Errorf("%s: %s %s", path, res.Status, res.text)
			}
		}
	})
}

// Links begin with the public URL.
func TestCompatPrefix(t *testing.T) {
	p := prefixed(t)
	p.publish(launched("one", "1.0.0", "Text"))
	p.publish(launched("two", "1.0.0", "Text"))
	page := p.applications(testPrefix + "/compat/applications/?page_size=1")
	if base := p.url + testPrefix + "/compat/applications/"; page.Results[0].URL != base+"one/" || page.Next == nil || *page.Next != base+"?page=2&page_size=1" {
		t.Errorf("links: %+v", page)
	}
}
