package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/registry/journal"
	"appstore/schema"
)

var update = flag.Bool("update", false, "write golden files anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// goldenEvents are one of each kind, as this program writes them, in an order
// in which they can be applied.
func goldenEvents() []event {
	pypi := schema.Package{Ecosystem: schema.PyPI, Name: "kube-back", Version: "1.0.0"}
	digest := strings.Repeat("ab", 32)
	return []event{
		released{Release{
			Plugin: "kubeplugin", Digest: digest, Published: noon, By: "jane", State: Live,
			Descriptor: schema.Descriptor{
				Name: "KubePlugin", Version: "1.0.0", Label: "Kube 1", Title: "Kubernetes", Summary: "A cluster", Description: "*Text*",
				Maintainer: "Jane Roe <jane@example.org>", License: "MIT", Categories: []string{"containers"}, Tags: []string{"kubernetes"},
				Links: schema.Links{Homepage: "https://example.org"}, Requires: map[string]string{"cloudlaunch": ">=2"},
				Permissions: json.RawMessage(`{"network":true}`),
				Interfaces:  map[string]schema.Interface{"launch": {Backend: &schema.Component{Package: pypi, Component: "kube.Plugin"}, Form: json.RawMessage(`{"fields":[]}`)}},
				Libraries:   []schema.Package{{Ecosystem: schema.PyPI, Name: "lib", Version: "2.0", External: true, SHA256: digest}},
			},
			Source: File{Name: "plugin.yaml", Key: "files/00/kubeplugin/id/d", Size: 10, SHA256: digest, SHA512: digest + digest, SHA1: digest[:40]},
			Files: []File{{
				Name: "kube_back-1.0.0-py3-none-any.whl", Kind: Wheel, Package: pypi, Key: "files/00/kubeplugin/id/w", Size: 20, SHA256: digest, SHA512: digest + digest, SHA1: digest[:40],
				RequiresPython: ">=3.8", Metadata: &File{Name: "m", Key: "files/00/kubeplugin/id/m", Size: 5, SHA256: digest, SHA512: digest + digest, SHA1: digest[:40]},
			}},
		}},
		listed{Plugin: "kubeplugin", Listing: Listing{Title: "Kube", Status: "DEV", Order: 10, Labels: []string{"Kube 1"}, Source: json.RawMessage(`{"slug":"kube"}`)}, Time: noon, By: "jane"},
		channelMoved{Plugin: "kubeplugin", Channel: "stable", Version: "1.0.0", Time: noon, By: "jane"},
		yanked{Plugin: "kubeplugin", Version: "1.0.0", Yanked: true, Reason: "broken", Time: noon, By: "jane"},
	}
}

// TestGoldenEvents holds the bytes of every format that was ever written:
// each file is decoded and applied, and today's events are encoded as today's
// files. A new format adds files, it changes none.
func TestGoldenEvents(t *testing.T) {
	for i, e := range goldenEvents() {
		encoded, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.MarshalIndent(encoded, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "events", fmt.Sprintf("%d-%s.format%d.json", i+1, e.kind(), eventFormat))
		if *update {
			if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.TrimSpace(want), data) {
			t.Errorf("%s: is now encoded as\n%s", path, data)
		}
	}
	paths, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(paths) < len(goldenEvents()) {
		t.Fatalf("%d golden events, %v", len(paths), err)
	}
	inCatalogue(t, func(tx tx) {
		for i, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var e journal.Event
			if err := json.Unmarshal(data, &e); err != nil {
				t.Fatal(err)
			}
			fact, err := decode(e)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if err := apply(tx, fact, uint64(i+1)); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		p, ok := tx.plugin("kubeplugin")
		if !ok || p.Releases != 1 || p.Live != 0 || p.Default != "" || p.Channels["stable"] != "1.0.0" || p.Listing.Status != "DEV" || p.Position != uint64(len(paths)) {
			t.Errorf("the events add up to %+v", p)
		}
	})
}

// inCatalogue runs f in a transaction of an empty catalogue.
func inCatalogue(t *testing.T, f func(tx)) {
	t.Helper()
	c, err := openCatalogue(filepath.Join(t.TempDir(), "c.db"), "store")
	if err != nil {
		t.Fatal(err)
	}
	defer c.db.Close()
	if err := c.update(func(t tx) error { f(t); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestDecide: commands against the state that the golden events before them make.
func TestDecide(t *testing.T) {
	release := func(name, version, digest string) Release {
		return Release{Plugin: schema.Normalise(name), Digest: digest, State: Live, Published: noon, Source: File{Key: "k/" + digest, SHA256: digest}, Descriptor: schema.Descriptor{Name: name, Version: version}}
	}
	begin := []event{
		released{release("Kube", "1.0.0", "a")},
		released{release("Kube", "1.1.0", "b")},
		channelMoved{Plugin: "kube", Channel: "stable", Version: "1.0.0", Time: noon},
		yanked{Plugin: "kube", Version: "1.1.0", Yanked: true, Reason: "bad", Time: noon},
	}
	for _, c := range []struct {
		name    string
		command command
		want    string // kinds of the events, or "!" and the code of the error
	}{
		{"new version", publish{release("kube", "2.0.0", "c")}, "[released]"},
		{"same release", publish{release("Kube", "1.0.0", "a")}, "[]"},
		{"same version, other bytes", publish{release("Kube", "1.0.0", "z")}, "!version-exists"},
		{"a yanked version, other bytes", publish{release("Kube", "1.1.0", "z")}, "!version-exists"},
		{"look-alike", publish{release("kub-e", "1.0.0", "c")}, "!name-taken"},
		{"yank", yank{plugin: "kube", version: "1.0.0", yanked: true, reason: "r"}, "[yanked]"},
		{"yank again", yank{plugin: "kube", version: "1.1.0", yanked: true, reason: "bad"}, "[]"},
		{"yank for another reason", yank{plugin: "kube", version: "1.1.0", yanked: true, reason: "worse"}, "[yanked]"},
		{"take back", yank{plugin: "kube", version: "1.1.0"}, "[yanked]"},
		{"take back nothing", yank{plugin: "kube", version: "1.0.0"}, "[]"},
		{"yank nothing", yank{plugin: "kube", version: "9.0.0", yanked: true}, "!not-found"},
		{"yank a range", yank{plugin: "kube", version: "^1", yanked: true}, "!invalid-request"},
		{"endless reason", yank{plugin: "kube", version: "1.0.0", yanked: true, reason: strings.Repeat("x", MaxReason+1)}, "!invalid-request"},
		{"channel", setChannel{plugin: "kube", channel: "beta", version: "1.0.0"}, "[channel]"},
		{"channel as it is", setChannel{plugin: "kube", channel: "stable", version: "1.0.0"}, "[]"},
		{"channel to a yanked release", setChannel{plugin: "kube", channel: "beta", version: "1.1.0"}, "!invalid-request"},
		{"channel to nothing", setChannel{plugin: "kube", channel: "beta", version: "3.0.0"}, "!not-found"},
		{"channel removed", setChannel{plugin: "kube", channel: "stable"}, "[channel]"},
		{"channel that is not, removed", setChannel{plugin: "kube", channel: "beta"}, "[]"},
		{"channel of nothing", setChannel{plugin: "nix", channel: "beta", version: "1.0.0"}, "!not-found"},
		{"listing", setListing{plugin: "kube", listing: Listing{Title: "T"}}, "[listed]"},
		{"listing as it is", setListing{plugin: "kube"}, "[]"},
		{"listing with a bad status", setListing{plugin: "kube", listing: Listing{Status: "ALIVE"}}, "!invalid-request"},
		{"listing of nothing", setListing{plugin: "nix"}, "!not-found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCatalogue(t, func(tx tx) {
				for i, e := range begin {
					if err := apply(tx, e, uint64(i+1)); err != nil {
						t.Fatal(err)
					}
				}
				facts, err := c.command.decide(tx)
				kinds := []string{}
				for _, f := range facts {
					kinds = append(kinds, f.kind())
				}
				got := fmt.Sprint(kinds)
				var e *Error
				if errors.As(err, &e) {
					got = "!" + string(e.Code)
				} else if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("got %s (%v), want %s", got, err, c.want)
				}
			})
		})
	}
}

// TestFreshReplicaStartsFromASnapshot: with the journal's beginning gone only
// a snapshot can tell what was there.
func TestFreshReplicaStartsFromASnapshot(t *testing.T) {
	p := newPlace(t)
	a := p.replica("a")
	for i := range 5 {
		mustPublish(t, a, upload(plain("Old", fmt.Sprintf("1.0.%d", i), "s")))
	}
	a.saveSnapshot(t.Context())
	mustPublish(t, a, upload(plain("New", "1.0.0", "s")))
	if err := p.store.Delete(t.Context(), "journal/catalog/000000000/001"); err != nil {
		t.Fatal(err)
	}
	b := p.replica("b")
	if got, err := b.Plugin(t.Context(), "old"); err != nil || got.Releases != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.Plugin(t.Context(), "new"); err != nil {
		t.Error(err)
	}
}

// TestDamagedCatalogueIsMadeAnew: the local file may hold anything.
func TestDamagedCatalogueIsMadeAnew(t *testing.T) {
	p := newPlace(t)
	a := p.replica("a")
	mustPublish(t, a, upload(plain("Old", "1.0.0", "s")))
	a.closeOnce()
	for name, damage := range map[string]func(path string) error{
		"garbage":   func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"cut short": func(path string) error { return os.Truncate(path, 5000) },
		"missing":   os.Remove,
		// Where reading it ends the process, this is there at the next start.
		"ends the program": func(path string) error {
			return errors.Join(os.WriteFile(path+".opening", nil, 0o600), os.Truncate(path, 16384))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(filepath.Join(p.dir, "a", "catalogue.db")); err != nil {
				t.Fatal(err)
			}
			r := p.replica("a")
			if _, err := r.Resolve(t.Context(), "old", "1.0.0"); err != nil {
				t.Error(err)
			}
			r.closeOnce()
		})
	}
}

// TestNewerCatalogueFormat: what an older program left is not trusted.
func TestForeignCatalogue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	c, err := openCatalogue(path, "one")
	if err != nil {
		t.Fatal(err)
	}
	c.db.Close()
	if _, err := openCatalogue(path, "another"); !errors.Is(err, errForeignCatalogue) {
		t.Errorf("a catalogue of another store: %v", err)
	}
	if c, err = openCatalogue(path, "one"); err != nil {
		t.Fatal(err)
	}
	if err := c.update(func(t tx) error { return t.Bucket(bucketMeta).Put([]byte("format"), []byte("0")) }); err != nil {
		t.Fatal(err)
	}
	c.db.Close()
	if _, err := openCatalogue(path, "one"); !errors.Is(err, errForeignCatalogue) {
		t.Errorf("a catalogue of another format: %v", err)
	}
}
