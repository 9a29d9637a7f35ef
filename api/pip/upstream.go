package pip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"appstore/registry"
	"appstore/schema"
	"appstore/storage"
)

// UpstreamFailed is the code of a request that the upstream did not answer well.
const UpstreamFailed registry.Code = "upstream-failed"

// Bounds of the upstream.
const (
	upstreamTTL         = 10 * time.Minute // how old a page may be before the upstream is asked again
	upstreamRetry       = 10 * time.Second // how long a failure counts
	upstreamTimeout     = 30 * time.Second // of one page
	upstreamPage        = 64 << 20         // bytes of one page
	upstreamProjects    = 10_000           // pages that are kept
	upstreamFiles       = 200_000          // files on all of them, about 500 bytes each
	upstreamAtOnce      = 8                // files that are fetched at the same time
	upstreamPagesAtOnce = 3                // that are read and decoded
	slotWait            = 10 * time.Second // for a place among them
)

// UpstreamOptions say which index answers for names that are not ours.
type UpstreamOptions struct {
	// URL of the index, as pip takes it: "https://index.example.org/simple/".
	// It must speak JSON (PEP 691). With a user and password, if it needs them.
	URL string
	// Store keeps the files that were fetched, under "upstream/".
	Store storage.Store
	// Dir is a local folder for files under way, at most 8 of 2 GiB each, which
	// outlive no crash; "": that of the system.
	Dir string
	// Log; nil: slog.Default.
	Log *slog.Logger
}

// Upstream is another index from which packages are passed on that were never
// published here. Its pages are kept in memory, revalidated by their ETag every
// ten minutes, and served on when it can't be reached. Its files are kept in the
// store for ever, by their sha256.
type Upstream struct {
	UpstreamOptions
	base   *url.URL
	client *http.Client
	ttl    time.Duration
	retry  time.Duration

	asking  singleflight.Group
	reading chan struct{} // pages: each takes several times its size
	slots   chan struct{} // files
	done    sync.WaitGroup

	mu    sync.Mutex
	pages map[string]*upstreamEntry
	files int // on all pages
}

// upstreamEntry is what the upstream said of one name. It is not changed, but
// replaced, except for the times.
type upstreamEntry struct {
	mark    string
	etag    string
	absent  bool // it has no such project
	project project
	more    map[string]upstreamFile // by sha256
	asked   time.Time               // when it was last confirmed
	failed  time.Time               // when asking last failed
	failure error
}

// upstreamFile is what is needed to fetch a file.
type upstreamFile struct {
	name, url, metadata string
	size                int64
}

// NewUpstream checks the options; it does not ask the upstream.
func NewUpstream(o UpstreamOptions) (*Upstream, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("upstream index %q: write it like https://index.example.org/simple/", redacted(o.URL))
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	if o.Store == nil {
		return nil, errors.New("pip: an upstream needs a store for its files")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Upstream{
		UpstreamOptions: o, base: u, ttl: upstreamTTL, retry: upstreamRetry,
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
				TLSHandshakeTimeout:   5 * time.Second,
				ResponseHeaderTimeout: 20 * time.Second,
				IdleConnTimeout:       time.Minute,
				MaxIdleConnsPerHost:   upstreamAtOnce,
				ForceAttemptHTTP2:     true,
			},
			CheckRedirect: func(to *http.Request, via []*http.Request) error {
				switch {
				case len(via) >= 5:
					return errors.New("more than 5 redirects")
				case to.URL.Scheme != "https" && via[0].URL.Scheme == "https":
					return errors.New("a redirect from https to " + to.URL.Scheme)
				}
				return nil
			},
		},
		slots: make(chan struct{}, upstreamAtOnce), reading: make(chan struct{}, upstreamPagesAtOnce), pages: map[string]*upstreamEntry{},
	}, nil
}

// Close waits until files that were fetched are stored.
func (u *Upstream) Close() error {
	u.done.Wait()
	u.client.CloseIdleConnections()
	return nil
}

func redacted(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}

// project gives what the upstream says of a project, as new as upstreamTTL, or
// older when it can't be reached.
func (u *Upstream) project(ctx context.Context, name string) (*upstreamEntry, error) {
	if err := schema.CheckPackage(schema.PyPI, name); err != nil {
		return nil, absent(name, "that can't be the name of one")
	}
	e, holds := u.kept(name)
	if !holds {
		answer := u.asking.DoChan(name, func() (any, error) {
			e, holds := u.kept(name)
			if holds {
				return e, nil // it came just before
			}
			// Many may wait for this one: it does not end with the first of them.
			asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), upstreamTimeout)
			defer cancel()
			return u.ask(asking, name, e), nil
		})
		select {
		case r := <-answer:
			e = r.Val.(*upstreamEntry)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch {
	case e.asked.IsZero():
		return nil, &registry.Error{
			Code: UpstreamFailed, Detail: fmt.Sprintf("%q is not published here, and the upstream index did not answer for it", name),
			Fix: "try again later; packages that were published here are served all the same", Err: e.failure,
		}
	case e.absent:
		return nil, absent(name, "it is neither published here nor in the upstream index: check the spelling")
	}
	return e, nil
}

// kept gives what is in memory of a project, nil if nothing, and whether the
// upstream need not be asked now.
func (u *Upstream) kept(name string) (e *upstreamEntry, holds bool) {
	u.mu.Lock()
	e = u.pages[name]
	u.mu.Unlock()
	now := time.Now()
	return e, e != nil && (now.Sub(e.asked) <= u.ttl || now.Sub(e.failed) <= u.retry)
}

// ask asks the upstream and keeps what it says. If that fails, what it said
// before goes on.
func (u *Upstream) ask(ctx context.Context, name string, before *upstreamEntry) *upstreamEntry {
	e, err := u.fetch(ctx, name, before)
	if err != nil {
		e = &upstreamEntry{}
		if before != nil {
			*e = *before
		}
		e.failed, e.failure = time.Now(), err
		u.Log.Warn("the upstream index did not answer", "package", name, "kept page", !e.asked.IsZero(), "error", err)
	}
	u.keep(name, e)
	return e
}

func (u *Upstream) keep(name string, e *upstreamEntry) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if old := u.pages[name]; old != nil {
		u.files -= len(old.project.files)
		delete(u.pages, name)
	}
	// Any of the others makes room: Go's maps give them in a random order.
	for other, old := range u.pages {
		if len(u.pages) < upstreamProjects && u.files+len(e.project.files) <= upstreamFiles {
			break
		}
		u.files -= len(old.project.files)
		delete(u.pages, other)
	}
	u.pages[name] = e
	u.files += len(e.project.files)
}

func (u *Upstream) fetch(ctx context.Context, name string, before *upstreamEntry) (*upstreamEntry, error) {
	select {
	case u.reading <- struct{}{}:
		defer func() { <-u.reading }()
	case <-ctx.Done():
		return nil, fmt.Errorf("too many of its pages are being read: %w", ctx.Err())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base.JoinPath(name).String()+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", string(JSON))
	req.Header.Set("User-Agent", "appstore-upstream")
	if before != nil && before.etag != "" {
		req.Header.Set("If-None-Match", before.etag)
	}
	res, err := u.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && before != nil && before.etag != "":
		e := *before
		e.asked, e.failed, e.failure = time.Now(), time.Time{}, nil
		return &e, nil
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return &upstreamEntry{absent: true, asked: time.Now()}, nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answered %s", res.Status)
	}
	if media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != string(JSON) {
		return nil, fmt.Errorf("it answered %.60q instead of %s (PEP 691)", media, JSON)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, upstreamPage+1))
	if err != nil {
		return nil, err
	}
	if len(body) > upstreamPage {
		return nil, fmt.Errorf("its page is larger than %d bytes", upstreamPage)
	}
	e, err := u.parse(name, res.Request.URL, body)
	if err != nil {
		return nil, err
	}
	e.etag, e.asked = res.Header.Get("Etag"), time.Now()
	return e, nil
}

// upstreamProject is the part of PEP 691 that is passed on.
type upstreamProject struct {
	Meta     meta       `json:"meta"`
	Name     string     `json:"name"`
	Status   jsonStatus `json:"project-status"`
	Versions []string   `json:"versions"`
	Files    []struct {
		Filename       string            `json:"filename"`
		URL            string            `json:"url"`
		Hashes         map[string]string `json:"hashes"`
		RequiresPython *string           `json:"requires-python"`
		Size           int64             `json:"size"`
		UploadTime     *time.Time        `json:"upload-time"`
		Yanked         any               `json:"yanked"`
		CoreMetadata   any               `json:"core-metadata"`
		DistInfo       any               `json:"dist-info-metadata"`
	} `json:"files"`
}

var (
	sha256Hex    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	fileName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!~-]{0,254}$`)
	statusMarker = regexp.MustCompile(`^[a-z]{1,30}$`)
)

// parse reads a page. Files without a sha256 are left out: what can't be
// checked is not passed on.
func (u *Upstream) parse(name string, at *url.URL, body []byte) (*upstreamEntry, error) {
	var in upstreamProject
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("its page can't be read: %w", err)
	}
	if !strings.HasPrefix(in.Meta.APIVersion, "1.") {
		return nil, fmt.Errorf("its page has the version %.20q; 1.x is known", in.Meta.APIVersion)
	}
	if Normalise(in.Name) != name {
		return nil, fmt.Errorf("its page for %q is that of %.80q", name, in.Name)
	}
	e := &upstreamEntry{more: map[string]upstreamFile{}}
	e.project = project{name: name, status: in.Status.Status, reason: in.Status.Reason, versions: in.Versions}
	if !statusMarker.MatchString(e.project.status) {
		e.project.status, e.project.reason = active, ""
	}
	for i := range in.Files {
		f := &in.Files[i]
		sum := strings.ToLower(f.Hashes["sha256"])
		where, err := at.Parse(f.URL)
		if err != nil || where.Scheme != "http" && where.Scheme != "https" || where.Scheme == "http" && at.Scheme == "https" ||
			!sha256Hex.MatchString(sum) || !fileName.MatchString(f.Filename) || f.Size < 0 || f.Size > registry.MaxFile {
			continue
		}
		where.Fragment = ""
		w := file{name: f.Filename, sha256: sum, size: f.Size, metadata: metadataDigest(f.CoreMetadata, f.DistInfo)}
		if f.RequiresPython != nil {
			w.requiresPython = *f.RequiresPython
		}
		if f.UploadTime != nil {
			w.uploaded = *f.UploadTime
		}
		switch yanked := f.Yanked.(type) {
		case bool:
			w.yanked = yanked
		case string:
			w.yanked, w.reason = true, yanked
		}
		e.project.files = append(e.project.files, w)
		e.more[sum] = upstreamFile{f.Filename, where.String(), w.metadata, f.Size}
	}
	e.mark = "upstream " + encode(digest(body))
	return e, nil
}

// metadataDigest is the sha256 of the metadata file, where one is announced
// with it.
func metadataDigest(announced ...any) string {
	for _, a := range announced {
		if hashes, ok := a.(map[string]any); ok {
			if sum, _ := hashes["sha256"].(string); sha256Hex.MatchString(sum) {
				return sum
			}
		}
	}
	return ""
}
