package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"appstore/api/client"
	"appstore/schema/cloudlaunch"
)

// TestRegistryComesBack imports the real catalogue and exports it: the same data
// comes back, all of it.
func TestRegistryComesBack(t *testing.T) {
	path := needs(t, "that CloudLaunch's own catalogue comes back as it was", "APPSTORE_TEST_CLOUDLAUNCH_REGISTRY")[0]
	sameAfterImport(t, path, 22, 45)
}

// TestSampleRegistryComesBack is the same over a small catalogue of ours that has
// every odd thing in it: empty and missing texts, configs of both levels, labels
// that are no versions.
func TestSampleRegistryComesBack(t *testing.T) {
	sameAfterImport(t, sampleRegistry(t), 0, 0)
}

// sampleRegistry is the file of a small catalogue of ours.
func sampleRegistry(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../schema/cloudlaunch/testdata/registry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	apps, problems := cloudlaunch.Read(text)
	// One without versions is no plugin: there is nothing to publish.
	apps = slices.DeleteFunc(apps, func(a cloudlaunch.App) bool { return len(a.Versions) == 0 })
	if text, err = cloudlaunch.Write(apps); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	path := filepath.Join(t.TempDir(), "app-registry.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sameAfterImport compares the file at path with the export of a server that
// imported it.
func sameAfterImport(t *testing.T, path string, plugins, versions int) {
	t.Helper()
	c := startServer(t, nil)
	importInto(t, c, path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := appsOf(t, text)
	exported := compatFile(t, c, "")
	have := appsOf(t, exported)
	if len(have) != len(want) {
		t.Errorf("%d apps came back of %d", len(have), len(want))
	}
	n := 0
	for slug, app := range want {
		n += len(app.Versions)
		// Written anew, both in the same way.
		one, err := cloudlaunch.Write([]cloudlaunch.App{app})
		if err != nil {
			t.Fatal(err)
		}
		other, err := cloudlaunch.Write([]cloudlaunch.App{have[slug]})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("%s came back as something else:\n%s\nwant\n%s", slug, other, one)
		}
	}
	if plugins > 0 && (len(want) != plugins || n != versions) {
		t.Errorf("the file has %d apps with %d versions, want %d and %d", len(want), n, plugins, versions)
	}

	list, _ := cloudlaunch.Read(exported)
	if written, err := cloudlaunch.Write(list); err != nil || !bytes.Equal(written, exported) {
		t.Errorf("the export is not as the file is written (%v)", err)
	}

	// What was exported can be imported, and changes nothing but the order.
	again := startServer(t, nil)
	copied := filepath.Join(t.TempDir(), "app-registry.yaml")
	if err := os.WriteFile(copied, exported, 0o600); err != nil {
		t.Fatal(err)
	}
	importInto(t, again, copied)
	if second := compatFile(t, again, ""); !bytes.Equal(second, exported) {
		t.Error("the export of an export is another")
	}
}

func importInto(t *testing.T, c *client.Client, path string) {
	t.Helper()
	code, _, errs := command(t, map[string]string{"APPSTORE_URL": c.URL(), "APPSTORE_TOKEN": "of-the-test"}, "import", path)
	if code != 0 {
		t.Fatalf("import %s: exit %d\n%s", path, code, errs)
	}
}

func compatFile(t *testing.T, c *client.Client, query string) []byte {
	t.Helper()
	res, err := http.Get(c.URL() + "/compat/app-registry.yaml" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", res.Status, err, text)
	}
	return text
}

// appsOf reads a registry file, and fails on the smallest problem.
func appsOf(t *testing.T, text []byte) map[string]cloudlaunch.App {
	t.Helper()
	list, problems := cloudlaunch.Read(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	apps := map[string]cloudlaunch.App{}
	for _, a := range list {
		slices.Sort(a.Blank)
		apps[a.Slug] = a
	}
	return apps
}
