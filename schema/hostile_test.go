package schema

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Texts made to cost much: each is refused, and soon. The bound is wide, for slow
// machines; what grows with the square of the size would take minutes.
func TestHostileTexts(t *testing.T) {
	// Bytes that one text may take in all while it is read: about a hundred times
	// what may come. Anybody may have texts checked, so this is what a crowd of them
	// costs; time follows it.
	const bound = 48 << 20
	repeat := func(head, part string) string {
		return head + strings.Repeat(part, (MaxSize-len(head))/len(part))
	}
	lines := func(n int, line func(int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	head := "name: K\nversion: 1.0.0\n"
	for name, text := range map[string]string{
		"flow lists":          repeat("", "["),
		"flow mappings":       repeat("", "{a: "),
		"lists on a line":     repeat("", "- "),
		"complex keys":        repeat("", "? "),
		"after a quote":       repeat("a: 'b\n", "["),
		"in a plain text":     repeat("a: b [\n", "["),
		"nested by lines":     lines(1400, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"keys in a line":      repeat("", "a: "),
		"many keys":           lines(9900, func(i int) string { return fmt.Sprintf("ke%d: 1\n", i) }),
		"too many keys":       lines(80_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }),
		"many wrong entries":  head + "tags: [" + strings.Repeat("1,", 19_000) + "]",
		"many equal entries":  head + "tags: [" + strings.Repeat("a,", 19_000) + "]",
		"many different ones": head + "tags: [" + lines(19_000, func(i int) string { return fmt.Sprintf("t%d,", i) }) + "]",
		"a long key":          repeat("", "a") + "a: 1",
		"a long word":         head + "name: " + strings.Repeat("a", 1_000_000),
		"escapes":             repeat(`a: "`, `\n`),
		"unclosed":            repeat("a: \"\n", "b: [\n"),
		"flow keys":           repeat("a: {", "a,"),
		"list entries":        repeat("a:\n", "- a\n"),
		"dashes":              repeat("a:\n", "-\n"),
		"commented entries":   repeat("a:\n", "- #\n"),
		"comments":            repeat("name: K\n", "#\n"),
		"comments apart":      repeat("name: K\n", "#\n\n"),
		"question marks":      repeat("", "? \n"),
		"missing colons":      repeat("", "backup\n  a: b\n"),
		"aliases":             repeat("a: &a x\nb:\n", "- *a\n"),
		"empty lines":         repeat("name: K\n", "\n"),
		"anchors":             repeat("a: &a [x]\nb: ", "&a "),
		"tags":                repeat("a: ", "! "),
		"colons":              repeat("[", ": "),
		"document ends":       repeat("", "...\n"),
		"documents":           repeat("", "---\n"),
		"words":               repeat("", "a\n"),
		"tabs":                repeat("", "\t"),
		"quotes":              repeat("", "'"),
		"billion laughs": "a0: &a0 [x, x, x, x]\n" + lines(40, func(i int) string {
			return fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
		}),
		"billion merges": "a0: &a0 {x: 1}\n" + lines(40, func(i int) string {
			return fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d, *a%d]}\n", i+1, i+1, i, i, i)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			d, problems := Parse([]byte(text))
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > bound {
				t.Errorf("took %d bytes, at most %d are allowed", took, bound)
			} else {
				t.Logf("%d MiB, %d problems", took>>20, len(problems))
			}
			if d != nil || len(problems) == 0 || len(problems) > 1000 {
				t.Errorf("%d problems", len(problems))
			}
			checkProblems(t, []byte(text), problems)
		})
	}
}

// The nesting is bounded for the parser too, and texts are no nesting.
func TestNesting(t *testing.T) {
	const head = "name: K\nversion: 1.0.0\n"
	for name, c := range map[string]struct {
		text string
		deep bool
	}{
		"31 lists":          {"default_config: {a: " + strings.Repeat("[", 30) + strings.Repeat("]", 30) + "}\n", false},
		"too many lists":    {"default_config: {a: " + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}\n", true},
		"alias over alias":  {"default_config:\n  a: &a " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\n  b: " + strings.Repeat("[", 20) + "*a" + strings.Repeat("]", 20) + "\n", true},
		"in a block text":   {"description: |\n  " + strings.Repeat("[", 500) + "\n", false},
		"in a quoted text":  {"description: \"" + strings.Repeat("[", 500) + "\"\n", false},
		"in a single quote": {"description: 'it''s " + strings.Repeat("{", 500) + "'\n", false},
		"over lines":        {"description: \"a\n  " + strings.Repeat("[", 500) + "\n  \\\" b\"\nsummary: " + strings.Repeat("x", 10) + "\n", false},
		"in a plain text":   {"description: a " + strings.Repeat("[", 500) + "\n", false},
		"in a comment":      {"# " + strings.Repeat("[", 500) + "\n", false},
		"list in a list":    {"default_config:\n  a:\n  - |\n    " + strings.Repeat("[", 500) + "\n  - b: |-\n      " + strings.Repeat("[", 500) + "\n    c: d\n", false},
		"bash with braces":  {"default_config:\n  a: |\n" + strings.Repeat("    if [[ x; then { y\n", 300), false},
	} {
		d, problems := Parse([]byte(head + c.text))
		deep := len(problems) > 0 && problems[0].Code == "too-deep"
		if deep != c.deep || (d == nil) != c.deep {
			t.Errorf("%s: %v, too deep should be %v", name, Problems(problems), c.deep)
		}
	}
}

func TestMergeKeys(t *testing.T) {
	d, problems := Parse([]byte(`name: K
version: 1.0.0
default_config:
  one: &one {a: 1, b: {c: 1}}
  two: &two {a: 2, d: 2}
  first: {<<: *one, a: 3}
  both:
    <<: [*one, *two]
`))
	if d == nil {
		t.Fatal(Problems(problems))
	}
	const want = `{"both":{"a":1,"b":{"c":1},"d":2},"first":{"a":3,"b":{"c":1}},"one":{"a":1,"b":{"c":1}},"two":{"a":2,"d":2}}`
	if string(d.DefaultConfig) != want {
		t.Errorf("got %s, want %s", d.DefaultConfig, want)
	}
}

// A problem of what an alias brings in is shown where the value stands.
func TestPlacesThroughAliases(t *testing.T) {
	_, problems := Parse([]byte("name: K\nversion: 1.0.0\nx-base: &base\n  homepage: ftp://example.org\nlinks:\n  <<: *base\n"))
	if len(problems) != 1 || problems[0].Pointer != "/links/homepage" || problems[0].Line != 4 {
		t.Errorf("got %v, want one of /links/homepage in line 4", problems)
	}
}

func TestTwoLists(t *testing.T) {
	// Entries of a list keep their numbers when one before them is no JSON.
	_, problems := Parse([]byte("name: K\nversion: 1.0.0\ntags: [2026-01-02, a, 7]\n"))
	var pointers []string
	for _, p := range problems {
		pointers = append(pointers, p.Pointer)
	}
	if got := strings.Join(pointers, " "); got != "/tags/0 /tags/2" {
		t.Errorf("problems at %s", got)
	}
}

func TestJinjaIsText(t *testing.T) {
	const text = "{% for x in y %}{{ x }}\n{% endfor %}\n"
	d, problems := Parse([]byte("name: K\nversion: 1.0.0\ndefault_config:\n  t: |\n    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"))
	if d == nil {
		t.Fatal(Problems(problems))
	}
	if !bytes.Contains(d.DefaultConfig, []byte(`{% for x in y %}{{ x }}\n{% endfor %}\n`)) {
		t.Errorf("got %s", d.DefaultConfig)
	}
}
