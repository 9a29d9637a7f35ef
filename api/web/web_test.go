package web

import (
	"regexp"
	"strings"
	"testing"

	"appstore/api/client"
)

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"# Head":                             "<h1>Head</h1>\n",
		"**bold** and `code`":                "<p><strong>bold</strong> and <code>code</code></p>\n",
		"[a](https://example.org)":           `<p><a href="https://example.org" rel="nofollow noreferrer">a</a></p>` + "\n",
		"[a](javascript:alert(1))":           "<p>a</p>\n",
		"<script>x</script>":                 "\n",
		"<b onclick=x>raw</b>":               "<p>raw</p>\n",
		"a | b\n--|--\n1 | 2":                "<table>",
		"![p](https://example.org/p.png)":    `<img src="https://example.org/p.png" alt="p"`,
		"{{ .Secret }} is text, no template": "{{ .Secret }}",
	} {
		got, err := markdown(text)
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

var active = regexp.MustCompile(`(?i)<(script|style|iframe|object|embed|form|input|svg|math|base|meta|link)\b|<[^>]*\s(on[a-z]+|style)\s*=|<[^>]*=\s*"\s*(javascript|data|vbscript):`)

// Whatever a publisher writes, nothing of it is active.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"# x", "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](data:text/html,x)", "<a href='x' onclick='y'>z</a>",
		"[x]: javascript:alert(1)\n[x]", "<svg/onload=alert(1)>", "`<img src=x onerror=y>`", "[a](<java\tscript:x>)", "|a|\n|-|\n|<style>|",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		html, err := markdown(text)
		if err != nil {
			t.Fatal(err)
		}
		if found := active.FindString(string(html)); found != "" {
			t.Errorf("%q became %q, which has %q", text, html, found)
		}
	})
}

func TestMarked(t *testing.T) {
	if got := marked([]client.Fragment{{Text: "a <b> "}, {Text: "c&", Match: true}}, "x"); got != "a &lt;b&gt; <mark>c&amp;</mark>" {
		t.Errorf("%q", got)
	}
	if got := marked(nil, "<plain>"); got != "&lt;plain&gt;" {
		t.Errorf("%q", got)
	}
}

func TestSmallTexts(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 4_700_000: "4.7 MB", 2 << 30: "2.15 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for address, want := range map[string]string{"https://example.org/x.png": "https://example.org/x.png", "http://example.org/x.png": "", "javascript:x": "", "": ""} {
		if got := picture(address); got != want {
			t.Errorf("picture(%q) = %q, want %q", address, got, want)
		}
	}
	for title, want := range map[string]string{"kube": "K", "«Ångström»": "Å", "": "·", "3D": "3"} {
		if got := monogram(title); got != want {
			t.Errorf("monogram(%q) = %q, want %q", title, got, want)
		}
	}
	if got := person("Jane Roe <jane@example.org>"); got != "Jane Roe" {
		t.Errorf("person: %q", got)
	}
}
