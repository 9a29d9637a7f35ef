package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Query is what to search for. The zero value finds everything.
type Query struct {
	Text       string   // in the query language: words, "phrases", tag:x, -not
	Category   []string // the values of one field are OR, the fields are AND
	Tag        []string
	Interface  []string
	Maintainer []string
	Trust      []string
	Status     []string
	Sort       string // "relevance" (default), "name", "updated" (newest first) or "downloads" (most first)
	Limit      int    // 1 to 100; 0 means 20
	After      string // cursor: Next of the page before
	Explain    bool
}

func (q Query) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("q", q.Text)
	set("sort", q.Sort)
	set("after", q.After)
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Explain {
		v.Set("explain", "true")
	}
	for key, values := range map[string][]string{
		"category": q.Category, "tag": q.Tag, "interface": q.Interface,
		"maintainer": q.Maintainer, "trust": q.Trust, "status": q.Status,
	} {
		if len(values) > 0 {
			v[key] = values
		}
	}
	return v
}

// get fetches JSON; reads are tried again.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	var to T
	err := c.json(ctx, request{method: http.MethodGet, path: path, query: query, again: true}, &to)
	if err != nil {
		return nil, err
	}
	return &to, nil
}

// Search finds plugins. It is tried once: somebody waits for the answer, and a
// search engine that is down is not back in a moment.
func (c *Client) Search(ctx context.Context, q Query) (*List[Hit], error) {
	var to List[Hit]
	if err := c.json(ctx, request{method: http.MethodGet, path: path("plugins"), query: q.values()}, &to); err != nil {
		return nil, err
	}
	return &to, nil
}

// Suggest completes the beginning of a name or title; limit 0 means 10.
func (c *Client) Suggest(ctx context.Context, text string, limit int) (*List[Suggestion], error) {
	v := url.Values{"q": {text}}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return get[List[Suggestion]](ctx, c, path("suggest"), v)
}

// Plugin gives a plugin with its newest releases. The name may be in any
// spelling.
func (c *Client) Plugin(ctx context.Context, name string) (*Plugin, error) {
	return get[Plugin](ctx, c, path("plugins", name), nil)
}

// Releases lists releases, the highest version first. The range may be "" for
// all; limit 0 means 50.
func (c *Client) Releases(ctx context.Context, name, rng, after string, limit int) (*List[ReleaseSummary], error) {
	v := url.Values{}
	if rng != "" {
		v.Set("range", rng)
	}
	if after != "" {
		v.Set("after", after)
	}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return get[List[ReleaseSummary]](ctx, c, path("plugins", name, "releases"), v)
}

// Release gives one release. The ref is a version, a channel or a range; ""
// means the channel "stable" if it is set, else the latest release.
func (c *Client) Release(ctx context.Context, name, ref string) (*Release, error) {
	if ref != "" {
		return get[Release](ctx, c, path("plugins", name, "releases", ref), nil)
	}
	all, err := c.Resolve(ctx, []Ref{{Name: name}})
	if err != nil {
		return nil, err
	}
	if all[0].Problem != nil {
		return nil, all[0].Problem
	}
	return all[0].Release, nil
}

// Resolve finds the releases of up to 100 refs at once. The answers are in the
// order of the refs; each has a release or a problem.
func (c *Client) Resolve(ctx context.Context, refs []Ref) ([]Resolved, error) {
	var to List[Resolved]
	err := c.json(ctx, request{
		method: http.MethodPost, path: path("resolve"), body: jsonBody(Refs{Refs: refs}), again: true,
	}, &to)
	if err == nil && len(to.Items) != len(refs) {
		err = fmt.Errorf("%s answered %d of %d refs", c.base, len(to.Items), len(refs))
	}
	return to.Items, err
}

// Descriptor gives the YAML of one release as it was published. The ref is a
// version, a channel or a range, but not "". See Download for a verified one.
func (c *Client) Descriptor(ctx context.Context, name, ref string) ([]byte, error) {
	res, err := c.do(ctx, request{
		method: http.MethodGet, path: path("plugins", name, "releases", ref, "descriptor"), accept: "application/yaml", again: true,
	})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return c.all(ctx, res)
}

// DigestError says that downloaded bytes are not those that were promised.
type DigestError struct {
	File       string
	Want, Have string // "sha256 ..." or "... bytes"
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s is not what the release says: want %s, got %s; do not use it", e.File, e.Want, e.Have)
}

// Download writes a file of the release (one of Files, or Source) to w and
// verifies its size and its sha256: on any error, what w was given is not to
// be used. progress, if not nil, is told after each piece how many of how many
// bytes have arrived.
func (c *Client) Download(ctx context.Context, r *Release, f File, w io.Writer, progress func(done, total int64)) error {
	p := path("plugins", r.ID, "releases", r.Version, "files", f.Name)
	if f.Kind == "" {
		p = path("plugins", r.ID, "releases", r.Version, "descriptor")
	}
	res, err := c.do(ctx, request{method: http.MethodGet, path: p, accept: "*/*", again: true})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	sum := sha256.New()
	done := int64(0)
	// One byte more than promised is enough to know that it is too much.
	body := io.LimitReader(res.Body, f.Size+1)
	buffer := make([]byte, 128<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			done += int64(n)
			sum.Write(buffer[:n])
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			if progress != nil {
				progress(min(done, f.Size), f.Size)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &Unreachable{URL: c.base, Err: err}
		}
	}
	if done > f.Size {
		return &DigestError{f.Name, fmt.Sprintf("%d bytes", f.Size), "more"}
	}
	if done < f.Size {
		return &DigestError{f.Name, fmt.Sprintf("%d bytes", f.Size), strconv.FormatInt(done, 10)}
	}
	if have := hex.EncodeToString(sum.Sum(nil)); have != f.SHA256 {
		return &DigestError{f.Name, "sha256 " + f.SHA256, have}
	}
	return nil
}

// Events reads the public journal after a position; 0 is its beginning.
func (c *Client) Events(ctx context.Context, after uint64, limit int) (*Events, error) {
	v := url.Values{"after": {strconv.FormatUint(after, 10)}}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	return get[Events](ctx, c, path("events"), v)
}

// Status says how the server is, and which version of the program it runs.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return get[Status](ctx, c, path("status"), nil)
}

// Ready is nil while the server answers and reaches its storage.
func (c *Client) Ready(ctx context.Context) error {
	res, err := c.once(ctx, request{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return err
	}
	_, err = c.all(ctx, res)
	return err
}
