package pip

import (
	"bytes"
	"compress/gzip"
	"container/list"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
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

// Bounds of what is kept.
const (
	keepBytes = 64 << 20 // of all pages, with their compressed forms
	// keepFor is how long a page is used at most. What it was made of tells
	// when it is old; this is for a store that was put back from a backup under
	// the running server, whose positions may come again.
	keepFor = time.Minute
)

// pages keeps finished pages, those that were used last. A page is used only
// while what it was made of is as it was (mark).
type pages struct {
	mu    sync.Mutex
	byKey map[string]*list.Element
	used  list.List // of *keptPage, the last used first
	bytes int
}

type keptPage struct {
	key, mark string
	page      *Page
	until     time.Time
}

func (k *keptPage) size() int { return len(k.key) + len(k.page.Body) + len(k.page.Gzip) + 512 }

func (c *pages) get(key, mark string) *Page {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	k := e.Value.(*keptPage)
	if k.mark != mark || time.Now().After(k.until) {
		return nil
	}
	c.used.MoveToFront(e)
	return k.page
}

func (c *pages) put(key, mark string, p *Page) {
	k := &keptPage{key, mark, p, time.Now().Add(keepFor)}
	if k.size() > keepBytes/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	if old := c.byKey[key]; old != nil {
		c.drop(old)
	}
	c.byKey[key] = c.used.PushFront(k)
	for c.bytes += k.size(); c.bytes > keepBytes; {
		c.drop(c.used.Back())
	}
}

func (c *pages) drop(e *list.Element) {
	k := c.used.Remove(e).(*keptPage)
	delete(c.byKey, k.key)
	c.bytes -= k.size()
}
