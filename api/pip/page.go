package pip

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"

	"appstore/registry"
)

// Page is a finished answer.
type Page struct {
	Form Form
	Body []byte
	Gzip []byte // the body compressed
	ETag string // of Body, with its quotes
}

func newPage(f Form, body []byte) (*Page, error) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped) // once for many readers, so not the fastest
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &Page{Form: f, Body: body, Gzip: zipped.Bytes(), ETag: etag(f, sum[:18])}, nil
}

func encode(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }

func (p *Page) size() int { return len(p.Body) + len(p.Gzip) + 512 }

// keepBytes bounds all pages that are kept, with their compressed forms.
const keepBytes = 64 << 20

// pageMark is what a page was made of: a state of the registry, or what an
// upstream said.
type pageMark struct {
	here     registry.Mark
	upstream string
}
