package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"appstore/api/client"
)

// functions are what the templates may call.
var functions = template.FuncMap{
	"date":     func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"datetime": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"size":     size,
	"monogram": monogram,
	"hue":      hue,
	"picture":  picture,
	"marked":   marked,
	"host":     host,
	"person":   person,
	"plural": func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	},
}

// size is a number of bytes as people write it.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	}
}

// monogram stands for a plugin without an icon: the first letter of its title.
func monogram(title string) string {
	for _, r := range title {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}

// hue is one of the eight colours of monograms, the same for a name always.
func hue(name string) int {
	sum := uint32(2166136261)
	for _, b := range []byte(name) {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return int(sum>>8) % 8
}

// picture is the address of an icon that a page may load, or "".
func picture(address string) string {
	if u, err := url.Parse(address); err == nil && u.Scheme == "https" && u.Host != "" {
		return address
	}
	return ""
}

// person is a maintainer without the address.
func person(s string) string {
	if name, _, found := strings.Cut(s, " <"); found && name != "" {
		return name
	}
	return s
}

// host is the part of a link that people recognise.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return strings.TrimPrefix(u.Host, "www.") + strings.TrimRight(u.Path, "/")
}

// marked is a text with its matches in <mark>, or the plain text where nothing
// matched.
func marked(fragments []client.Fragment, plain string) template.HTML {
	var b strings.Builder
	if len(fragments) == 0 {
		template.HTMLEscape(&b, []byte(plain))
	}
	for _, f := range fragments {
		if f.Match {
			b.WriteString("<mark>")
		}
		template.HTMLEscape(&b, []byte(f.Text))
		if f.Match {
			b.WriteString("</mark>")
		}
	}
	return template.HTML(b.String())
}

var (
	renderer = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify))
	policy   = newPolicy()
)

// newPolicy allows what a description needs, from publishers nobody has
// looked at: no styles, no forms, no frames, pictures over https only.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowURLSchemes("https", "http", "mailto")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// markdown renders a description. Raw HTML in it is left out by goldmark
// already; the result is cleaned all the same.
func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	if err := renderer.Convert([]byte(text), &b); err != nil {
		return "", err
	}
	return template.HTML(policy.SanitizeBytes(b.Bytes())), nil
}
