// Package web makes the pages that people see: the search and one page for
// each plugin. They are plain HTML made on the server, with one style sheet
// and no script: they work by keyboard, on a phone and in a text browser.
//
// What publishers wrote is text and is escaped by html/template; only a
// description is Markdown, which goldmark renders and bluemonday cleans.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"appstore/api/client"
)

//go:embed templates/*.html style.css icon.svg
var files embed.FS

// CSP is the Content-Security-Policy of every page: no script, no frame, and
// nothing from elsewhere but pictures.
const CSP = "default-src 'none'; style-src 'self'; img-src 'self' https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Pages makes pages. It may be used by many goroutines.
type Pages struct {
	prefix    string
	version   string
	templates map[string]*template.Template
	assets    map[string]Asset
	style     string // names of assets
	icon      string
}

// Asset is a file of the pages. Its name has a hash of its content, so it may
// be kept for ever.
type Asset struct {
	ContentType string
	Body        []byte
}

// New parses the templates. The prefix is the path of the public URL, "" or
// like "/appstore"; the version is the program's.
func New(prefix, version string) (*Pages, error) {
	p := &Pages{prefix: prefix, version: version, templates: map[string]*template.Template{}, assets: map[string]Asset{}}
	var err error
	if p.style, err = p.addAsset("style.css", "text/css; charset=utf-8"); err != nil {
		return nil, err
	}
	if p.icon, err = p.addAsset("icon.svg", "image/svg+xml"); err != nil {
		return nil, err
	}
	for _, name := range []string{"search", "plugin", "error"} {
		p.templates[name], err = template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Pages) addAsset(name, contentType string) (string, error) {
	body, err := files.ReadFile(name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	base, ext, _ := strings.Cut(name, ".")
	hashed := base + "." + hex.EncodeToString(sum[:6]) + "." + ext
	p.assets[hashed] = Asset{contentType, body}
	return hashed, nil
}

// Asset gives a file of the pages by its name with the hash.
func (p *Pages) Asset(name string) (Asset, bool) {
	a, ok := p.assets[name]
	return a, ok
}

// page is what every template gets.
type page struct {
	Prefix, Version, Style, Icon string

	Title string // of the document
	Query string // in the search box
	Home  bool   // the search box is on the page itself
	View  any
}

func (p *Pages) render(name string, v page) ([]byte, error) {
	v.Prefix, v.Version = p.prefix, p.version
	v.Style, v.Icon = p.prefix+"/assets/"+p.style, p.prefix+"/assets/"+p.icon
	var b bytes.Buffer
	if err := p.templates[name].Execute(&b, v); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// Error makes the page of an error; query is what was searched for, if
// anything.
func (p *Pages) Error(e *client.Error, query string) ([]byte, error) {
	v := struct {
		*client.Error
		Before, At, After string // the query, cut at the place of its mistake
	}{Error: e}
	if e.Code == "query-syntax" && len(e.Problems) == 1 {
		runes := []rune(query)
		at := min(max(e.Problems[0].Column-1, 0), len(runes))
		end := min(at+1, len(runes))
		v.Before, v.At, v.After = string(runes[:at]), string(runes[at:end]), string(runes[end:])
		v.Detail = e.Problems[0].Message
	}
	return p.render("error", page{Title: e.Title, Query: query, View: v})
}

// at is a path below the prefix.
func (p *Pages) at(path string, query url.Values) string {
	if len(query) == 0 {
		return p.prefix + path
	}
	return p.prefix + path + "?" + query.Encode()
}
