package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
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
		t.Errorf("%s differs (-update writes it); got:\n%s", path, got)
	}
}

// files gives the fixtures below a folder; a suite without fixtures is an error.
func files(t testing.TB, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return names
}

// Each file in testdata/rules/CODE breaks that rule, and its golden file has all
// that is said about it.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range files(t, "testdata/rules/*/*.yaml") {
		code := filepath.Base(filepath.Dir(name))
		t.Run(code+"/"+filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d, problems := Parse(data)
			if d != nil {
				t.Error("a descriptor came out")
			}
			checkProblems(t, data, problems)
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == code }) {
				t.Errorf("no problem with the code %s", code)
			}
			var b strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&b, "%s\n\t%s\n", p.Code, strings.ReplaceAll(p.String(), "\n", "\n\t"))
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", []byte(b.String()))
		})
		seen[code] = true
	}
	seen["too-large"] = true // below; a fixture would be large
	for code := range Codes {
		if !seen[code] && code != "bad-channel" && code != "bad-ref" { // those are of no descriptor
			t.Errorf("the code %s has no fixture", code)
		}
	}
}

func TestTooLarge(t *testing.T) {
	base := []byte("name: K\nversion: 1.0.0\n#")
	whole := append(bytes.Clone(base), bytes.Repeat([]byte("x"), MaxSize-len(base))...)
	if d, problems := Parse(whole); d == nil {
		t.Errorf("1 MiB is refused: %v", problems)
	}
	_, problems := Parse(append(whole, 'x'))
	if len(problems) != 1 || problems[0].Code != "too-large" {
		t.Errorf("got %v, want too-large", problems)
	}
}

// checkProblems asserts what holds for every answer of Parse.
func checkProblems(t *testing.T, data []byte, problems Problems) {
	t.Helper()
	lines := bytes.Split(data, []byte("\n"))
	for i, p := range problems {
		if Codes[p.Code] == "" {
			t.Errorf("%v has the unknown code %q", p, p.Code)
		}
		if p.Message == "" || p.Fix == "" {
			t.Errorf("%q has no message or no fix: %+v", p.Code, p)
		}
		if p.Line < 1 || p.Column < 1 || (p.Line > len(lines) && len(data) > 0) {
			t.Errorf("%v is not in the file of %d lines", p, len(lines))
		} else if len(data) > 0 && p.Column > 2+utf8.RuneCount(lines[p.Line-1]) {
			t.Errorf("%v is right of the end of its line %q", p, lines[p.Line-1])
		}
		if p.Pointer != "" && p.Pointer[0] != '/' {
			t.Errorf("%q is no JSON Pointer", p.Pointer)
		}
		if i > 0 {
			q := problems[i-1]
			if q.Line > p.Line || (q.Line == p.Line && q.Column > p.Column) ||
				(q.Line == p.Line && q.Column == p.Column && q.Code > p.Code) {
				t.Errorf("%v stands before %v", q, p)
			}
		}
	}
}

func TestGood(t *testing.T) {
	for _, name := range files(t, "testdata/good/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d, problems := Parse(data)
			if d == nil {
				t.Fatal(Problems(problems).Error())
			}
			sameAgain(t, d)
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(d); err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden.json", b.Bytes())
		})
	}
}

// sameAgain asserts that a descriptor survives YAML and JSON.
func sameAgain(t *testing.T, d *Descriptor) {
	t.Helper()
	text, err := d.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Parse(text)
	if again == nil {
		t.Fatalf("%v\nin what YAML wrote:\n%s", Problems(problems), text)
	}
	if !reflect.DeepEqual(d, again) {
		t.Errorf("YAML and back:\n%+v\nis not\n%+v\ntext:\n%s", again, d, text)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Descriptor
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	b2, err := json.Marshal(back)
	if err != nil || !bytes.Equal(b, b2) {
		t.Errorf("JSON and back (error %v):\n%s\nis not\n%s", err, b2, b)
	}
}

// Its two examples in the schema are what Parse takes.
func TestSchemaIsWhatParseTakes(t *testing.T) {
	var s struct {
		Schema   string            `json:"$schema"`
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(JSON(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" || len(s.Examples) != 2 {
		t.Errorf("$schema is %q, with %d examples", s.Schema, len(s.Examples))
	}
	for _, e := range s.Examples {
		if d, problems := Parse(e); d == nil {
			t.Errorf("%s: %v", e, Problems(problems))
		}
	}
}

// What the schema says by itself of the good files and of the bad ones: the shape
// and limits are its own work, not that of Go code beside it.
func TestSchemaAlone(t *testing.T) {
	value := func(name string) any {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, _ := Reading{}.Read(data)
		if doc == nil {
			t.Fatalf("%s is no YAML", name)
		}
		return doc.Value
	}
	for _, name := range files(t, "testdata/good/*.yaml") {
		if v := violations(value(name)); len(v) > 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for _, code := range []string{
		"unknown-key", "missing-key", "mixed-forms", "interface-list", "wrong-type", "not-a-list", "not-a-string", "unquoted-version", "too-long",
		"too-many", "duplicate-item", "bad-value", "bad-text", "bad-url", "bad-name", "bad-package-name", "bad-package-version", "bad-sha256",
	} {
		for _, name := range files(t, "testdata/rules/"+code+"/*.yaml") {
			if len(violations(value(name))) == 0 {
				t.Errorf("%s passes the schema", name)
			}
		}
	}
}
