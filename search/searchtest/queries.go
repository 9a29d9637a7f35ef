package searchtest

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"appstore/search"
)

//go:embed queries.txt
var queriesText string

// RegistryEnv names the variable with the path of CloudLaunch's catalogue, an
// app-registry.yaml.
const RegistryEnv = "APPSTORE_TEST_CLOUDLAUNCH_REGISTRY"

// RequireEnv, when 1, makes it a failure that something can't be checked.
const RequireEnv = "APPSTORE_TEST_REQUIRE"

// Skip ends a test that can't run, and says what it did not check.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("not checked, but "+RequireEnv+" is 1: "+format, args...)
	}
	t.Skipf("not checked: "+format, args...)
}

func testQueries(t *testing.T, open Opener) {
	t.Run("made", func(t *testing.T) {
		x := open(t)
		docs := Catalogue()
		fill(t, x, docs)
		runQueries(t, x, docs, "made")
	})
	t.Run("real", func(t *testing.T) {
		path := os.Getenv(RegistryEnv)
		if path == "" {
			t.Skipf("NOT checked: queries over CloudLaunch's catalogue, as %s does not say where its app-registry.yaml is", RegistryEnv)
		}
		docs, err := readRegistry(path)
		if err != nil {
			t.Fatal(err)
		}
		x := open(t)
		fill(t, x, docs)
		runQueries(t, x, docs, "real")
	})
}

// A block of the query file.
type block struct {
	line    int
	section string
	query   search.Query
	first   []string
	all     []string
	exact   bool // all was given, perhaps as nothing
	not     []string
	facets  map[string][]string // field: value=count
}

func runQueries(t *testing.T, x search.Index, docs []search.Doc, section string) {
	blocks, err := readQueries(queriesText)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.section != section {
			continue
		}
		b.query.Limit, b.query.Explain = search.MaxLimit, true
		r := agree(t, x, docs, b.query)
		for _, problem := range b.check(r) {
			t.Errorf("queries.txt:%d: %s; found %v", b.line, problem, names(r))
		}
	}
}

// check says what of a result is not as expected.
func (b *block) check(r *search.Result) (problems []string) {
	got := names(r)
	if n := len(b.first); n > len(got) || !slices.Equal(got[:n], b.first) {
		problems = append(problems, fmt.Sprintf("first are not %v", b.first))
	}
	if b.exact {
		have, want := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(b.all))
		if !slices.Equal(have, want) {
			problems = append(problems, fmt.Sprintf("all are not %v", want))
		}
	}
	for _, name := range b.not {
		if slices.Contains(got, name) {
			problems = append(problems, name+" should not be found")
		}
	}
	for field, want := range b.facets {
		var have []string
		for _, c := range r.Facets[field] {
			have = append(have, fmt.Sprintf("%s=%d", c.Value, c.Count))
		}
		for _, w := range want {
			if !slices.Contains(have, w) {
				problems = append(problems, fmt.Sprintf("facet %s has no %s: %v", field, w, have))
			}
		}
	}
	for _, h := range r.Hits {
		if e := search.Explained(h.Explain); e != h.Score {
			problems = append(problems, fmt.Sprintf("%s: explained %g, score %g", h.Doc.Name, e, h.Score))
		}
	}
	return problems
}

func readQueries(text string) ([]*block, error) {
	var blocks []*block
	var b *block
	section := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		fail := func(format string, args ...any) error {
			return fmt.Errorf("queries.txt:%d: %s", i+1, fmt.Sprintf(format, args...))
		}
		if line == "" || strings.HasPrefix(line, "#") {
			b = nil
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = strings.TrimSuffix(name, " ==")
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if b == nil {
			b = &block{line: i + 1, section: section, facets: map[string][]string{}}
			blocks = append(blocks, b)
		}
		words := strings.Fields(value)
		switch key {
		case "query":
			q, err := search.Parse(value)
			if err != nil {
				return nil, fail("%v", err)
			}
			b.query = q
		case "complete":
			b.query.Complete = value
		case "why":
		case "sort":
			b.query.Sort = value
		case "first":
			b.first = words
		case "all":
			b.all, b.exact = words, true
		case "not":
			b.not = words
		case "facet":
			b.facets[words[0]] = words[1:]
		default:
			return nil, fail("%q is not a key of a block", key)
		}
	}
	return blocks, nil
}
