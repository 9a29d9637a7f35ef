// Package appstore holds the tests of the house as a whole: its layers, and
// the commands of its README.
package appstore

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms is which package may import which of ours, edge by edge (test files
// aside). A package that is not here fails the test, so does an edge that
// nobody uses any more.
var rooms = map[string][]string{
	"schema":             {},
	"schema/cloudlaunch": {"schema"},

	"search":            {},
	"search/bleve":      {"search"},
	"search/elastic":    {"search"},
	"search/searchtest": {"search"},

	"storage":             {},
	"storage/files":       {"storage"},
	"storage/s3":          {"storage"},
	"storage/storagetest": {"storage"},

	"registry/journal":  {"storage"},
	"registry/artifact": {"schema"},
	// storage, because files are put and opened by the registry itself: a
	// package between would only pass them through.
	"registry": {"registry/journal", "registry/artifact", "schema", "search", "storage"},

	"api/client": {"schema"},
	"api/shelf":  {},
	"api/npm":    {"api/shelf", "registry", "schema", "search"},
	// storage, for the files that an upstream index has.
	"api/pip":    {"api/shelf", "registry", "schema", "storage"},
	"api/web":    {"api/client", "schema"},
	"api/compat": {"api/shelf", "registry", "schema", "schema/cloudlaunch", "storage"},
	// storage, for the type that names a part of an object (Range requests).
	"api": {"api/client", "api/compat", "api/npm", "api/pip", "api/shelf", "api/web", "registry", "schema", "search", "storage"},

	"cmd/appstore": {"api", "api/client", "api/npm", "api/pip", "registry", "registry/journal", "schema", "schema/cloudlaunch", "search", "search/bleve", "search/elastic", "storage", "storage/files", "storage/s3"},
	"cmd/engines":  {},
	"bench":        {"api/client"},
}

// libraries is which third-party module belongs to which tree, so that it can
// be exchanged in one place.
var libraries = map[string][]string{
	"github.com/labstack/echo/v4":            {"api"},
	"github.com/prometheus/client_golang":    {"api"},
	"github.com/maypok86/otter/v2":           {"api/shelf"},
	"github.com/yuin/goldmark":               {"api/web"},
	"github.com/microcosm-cc/bluemonday":     {"api/web"},
	"github.com/minio/minio-go/v7":           {"storage/s3"},
	"github.com/elastic/":                    {"search/elastic"},
	"github.com/blevesearch/":                {"search"},
	"github.com/santhosh-tekuri/jsonschema/": {"schema"},
	"gopkg.in/yaml.v3":                       {"schema", "search/searchtest"}, // searchtest reads the real catalogue and may not import schema
	"github.com/Masterminds/semver/v3":       {"schema"},
	"go.etcd.io/bbolt":                       {"registry"},
	"github.com/klauspost/compress":          {"registry"},
	"github.com/spf13/":                      {"cmd/appstore"},
	"golang.org/x/":                          {""}, // the standard library's annex
}

const module = "appstore/"

func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "appstore" {
			continue // this one
		}
		allowed, ok := rooms[name]
		if !ok {
			t.Errorf("the package %s is not in the table: give it a place, with a reason in docs/architecture.md", name)
			continue
		}
		seen[name] = true
		for _, to := range allowed {
			if !slices.Contains(p.Imports, module+to) {
				t.Errorf("%s may import %s, but does not: take the arrow out of the table", name, to)
			}
		}
		for _, to := range p.Imports {
			if ours, ok := strings.CutPrefix(to, module); ok {
				if !slices.Contains(allowed, ours) {
					t.Errorf("%s imports %s, an arrow that is not in the table", name, ours)
				}
				continue
			}
			if !strings.Contains(strings.Split(to, "/")[0], ".") {
				continue // standard library
			}
			if tree, ok := owner(to); !ok {
				t.Errorf("%s imports %s, a library without a place in the table", name, to)
			} else if !slices.ContainsFunc(tree, func(root string) bool {
				return root == "" || name == root || strings.HasPrefix(name, root+"/")
			}) {
				t.Errorf("%s imports %s, which belongs to %v only", name, to, tree)
			}
		}
	}
	for name := range rooms {
		if !seen[name] {
			t.Errorf("the table has %s, but there is no such package", name)
		}
	}
}

func owner(path string) ([]string, bool) {
	for prefix, tree := range libraries {
		if strings.HasPrefix(path, prefix) {
			return tree, true
		}
	}
	return nil, false
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) (all []pkg) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
