package cloudlaunch

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"appstore/schema"
)

var update = flag.Bool("update", false, "write the golden files")

func ours(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// realFile gives the real catalogue, which is not ours to keep here.
func realFile(t *testing.T) []byte {
	t.Helper()
	const variable = "APPSTORE_TEST_CLOUDLAUNCH_REGISTRY"
	path := os.Getenv(variable)
	if path == "" {
		t.Skip(variable + " is not set: that the real catalogue comes in and goes out with nothing lost is NOT checked")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func read(t *testing.T, data []byte) []App {
	t.Helper()
	apps, problems := Read(data)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%v", problems)
	}
	return apps
}

func withoutLines(apps []App) []App {
	apps = slices.Clone(apps)
	for i := range apps {
		apps[i].Line = 0
		apps[i].Versions = slices.Clone(apps[i].Versions)
		for j := range apps[i].Versions {
			apps[i].Versions[j].Line = 0
		}
	}
	return apps
}

func same(t *testing.T, what string, got, want []App) {
	t.Helper()
	got, want = withoutLines(got), withoutLines(want)
	if len(got) != len(want) {
		t.Fatalf("%s: %d apps, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			g, _ := json.MarshalIndent(got[i], "", " ")
			w, _ := json.MarshalIndent(want[i], "", " ")
			t.Errorf("%s: %s:\ngot %s\nwant %s", what, want[i].Slug, g, w)
		}
	}
}

// nothingLost takes a file through Write and Read, and through descriptors and
// listings, as the store keeps them, and back.
func nothingLost(t *testing.T, data []byte) (apps, versions int) {
	t.Helper()
	all := read(t, data)
	text, err := Write(all)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "written and read", read(t, text), all)
	again, err := Write(read(t, text))
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("the same apps are written differently (error %v)", err)
	}
	var back []App
	for _, app := range all {
		converted, problems := app.Descriptors()
		if len(problems) > 0 {
			t.Errorf("%s: %v", app.Slug, problems)
		}
		var releases []*schema.Descriptor
		used := map[schema.Version]bool{}
		for _, c := range converted {
			v := NextVersion(c.Base, func(v schema.Version) bool { return used[v] })
			used[v] = true
			text, err := c.Render(v)
			if err != nil {
				t.Fatal(err)
			}
			d, found := schema.Parse(text)
			if d == nil {
				t.Fatalf("%s %s: %v\n%s", app.Slug, c.Label, schema.Problems(found), text)
			}
			if d.Name != app.Slug || d.Version != v.String() || d.Label != c.Label {
				t.Errorf("got %s@%s %q, want %s@%s %q", d.Name, d.Version, d.Label, app.Slug, v, c.Label)
			}
			if Content(d) != c.Content() {
				t.Errorf("%s %s: the content of the descriptor is another than what was converted", app.Slug, c.Label)
			}
			releases = append(releases, d)
		}
		versions += len(releases)
		// The listing is kept as JSON.
		b, err := json.Marshal(app.Listing())
		if err != nil {
			t.Fatal(err)
		}
		var listing Listing
		if err := json.Unmarshal(b, &listing); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(releases) // the listing knows the order
		app, err := AppOf(app.Slug, listing, releases)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, app)
	}
	same(t, "through descriptors", back, all)
	return len(all), versions
}

func TestNothingIsLost(t *testing.T) {
	if apps, versions := nothingLost(t, ours(t)); apps != 3 || versions != 5 {
		t.Errorf("%d apps and %d versions, want 3 and 5", apps, versions)
	}
}

func TestNothingIsLostOfTheRealCatalogue(t *testing.T) {
	if apps, versions := nothingLost(t, realFile(t)); apps != 22 || versions != 45 {
		t.Errorf("%d apps and %d versions, want 22 and 45", apps, versions)
	}
}

func TestGolden(t *testing.T) {
	apps := read(t, ours(t))
	text, err := Write(apps)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "written.golden.yaml", text)
	var b bytes.Buffer
	converted, _ := apps[0].Descriptors()
	for _, c := range converted {
		text, err := c.Render(c.Base)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	golden(t, "descriptors.golden.yaml", b.Bytes())
}

func TestBadAppsDoNotStopTheOthers(t *testing.T) {
	data, err := os.ReadFile("testdata/bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	apps, problems := Read(data)
	var slugs []string
	for _, a := range apps {
		slugs = append(slugs, a.Slug)
	}
	if want := []string{"good-one", "good-two"}; !slices.Equal(slugs, want) {
		t.Errorf("apps %v, want %v", slugs, want)
	}
	if !slices.IsSortedFunc(problems, func(a, b schema.Problem) int { return a.Line - b.Line }) {
		t.Error("problems are not in the order of the file")
	}
	for _, p := range problems {
		if schema.Codes[p.Code] == "" {
			t.Errorf("%v has the unknown code %q", p, p.Code)
		}
	}
	golden(t, "bad.golden", []byte(problems.Error()+"\n"))
}

func TestConversionProblemsHaveTheLineOfTheVersion(t *testing.T) {
	apps := read(t, []byte(strings.Replace(string(ours(t)), "demo.backend.vm_app.VMAppPlugin", "not a class", 1)))
	converted, problems := apps[1].Descriptors()
	if len(converted) != 1 || len(problems) != 1 || problems[0].Line != apps[1].Versions[0].Line {
		t.Errorf("%d converted, problems %v; want 1, and one at line %d", len(converted), problems, apps[1].Versions[0].Line)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it):\n%s", path, got)
	}
}

func TestMergeConfigs(t *testing.T) {
	for _, c := range []struct{ app, version, want string }{
		{"", "", ""},
		{`{"a":1}`, "", `{"a":1}`},
		{"", `{"a":1}`, `{"a":1}`},
		{`{"a":1,"b":{"c":1,"d":2}}`, `{"b":{"d":3,"e":4}}`, `{"a":1,"b":{"c":1,"d":3,"e":4}}`},
		{`{"l":[1,2],"s":"x"}`, `{"l":[3],"s":null}`, `{"l":[3],"s":null}`},
		{`{"a":{"b":1}}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{`{"n":12345678901234567890}`, `{"t":"<&>"}`, `{"n":12345678901234567890,"t":"<&>"}`},
	} {
		raw := func(s string) json.RawMessage {
			if s == "" {
				return nil
			}
			return json.RawMessage(s)
		}
		if got := MergeConfigs(raw(c.app), raw(c.version)); string(got) != c.want {
			t.Errorf("MergeConfigs(%s, %s) = %s, want %s", c.app, c.version, got, c.want)
		}
	}
}

func TestBaseVersion(t *testing.T) {
	for label, want := range map[string]string{
		"17.05": "17.5.0", "GVL 4.3.0 (Galaxy 17.09)": "4.3.0", "GVL 5.0 beta5 (Galaxy 20.09)": "5.0.0", "dev": "0.1.0",
		"Latest": "0.1.0", "0.0 (dev)": "0.0.0", "v2": "2.0.0", "k8s": "0.1.0", "16.04 (with Docker)": "16.4.0", "": "0.1.0",
		"1.2.3.4": "1.2.3", "99999999999999999999999999": "0.1.0", "RNA-Seq - paired": "0.1.0", "007": "7.0.0", "000": "0.0.0",
	} {
		if got := BaseVersion(label).String(); got != want {
			t.Errorf("BaseVersion(%q) = %s, want %s", label, got, want)
		}
	}
}

func TestNextVersion(t *testing.T) {
	taken := map[string]bool{"1.2.0": true, "1.2.1": true}
	v := NextVersion(schema.Version{Major: 1, Minor: 2}, func(v schema.Version) bool { return taken[v.String()] })
	if v.String() != "1.2.2" {
		t.Errorf("got %s, want 1.2.2", v)
	}
}

func TestContentIsOfTheLabelOnly(t *testing.T) {
	apps := read(t, ours(t))
	content := func(change func(*App)) [32]byte {
		a := apps[0]
		a.Versions = slices.Clone(a.Versions)
		change(&a)
		converted, problems := a.Descriptors()
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return converted[0].Content()
	}
	before := content(func(*App) {})
	if content(func(a *App) { a.Summary, a.DisplayOrder, a.IconURL = "Another", 7, "" }) != before {
		t.Error("what the listing says changes the content of a label")
	}
	for what, change := range map[string]func(*App){
		"the app's config":     func(a *App) { a.LaunchConfig = nil },
		"the version's config": func(a *App) { a.Versions[0].LaunchConfig = json.RawMessage(`{"a":1}`) },
		"the back end":         func(a *App) { a.Versions[0].Backend = "a.B" },
		"the front end's path": func(a *App) { a.Versions[0].FrontendPath = "x" },
	} {
		if content(change) == before {
			t.Errorf("%s does not change the content of a label", what)
		}
	}
}
