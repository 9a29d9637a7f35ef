package npm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"appstore/api/shelf"
	"appstore/registry"
	"appstore/schema"
)

// Options are the choices of an operator.
type Options struct {
	// Upstream is the registry from which packages come that are not here,
	// such as https://registry.example.org/. "": none, and they are not found.
	Upstream string
	// Dir is the folder for the tarballs of the upstream; it may vanish at any time.
	Dir string
	// Keep is how many bytes of tarballs are kept there; 0: 4 GiB.
	Keep int64
}

// Limits of what is taken from an upstream.
const (
	maxPackument     = 64 << 20 // bytes
	keepPackuments   = 64 << 20 // bytes
	packumentAge     = 5 * time.Minute
	packumentTimeout = time.Minute
	keepTarballs     = 4 << 30
	makeAtOnce       = 8                // documents
	readAtOnce       = 3                // documents that are read from the upstream and decoded
	makeWait         = 10 * time.Second // for a place among them
)

// Upstream is another registry, for dependencies that are not here. It is
// never asked for a name that was published here, nor for one in a scope in
// which something was, nor for one that differs from such in case only: so no
// package there can take the place of one of ours.
type Upstream struct {
	base     *url.URL
	registry *registry.Registry
	client   *http.Client
	tarballs *tarballs
	shelf    *shelf.Shelf[int64, *foreign] // marked with the slot of time
	making   chan struct{}
	reading  chan struct{}

	scopes *shelf.Shelf[registry.Mark, map[string]bool] // one value, of "@s"
}

// foreign is a package of the upstream.
type foreign struct {
	packument
	etag string
}

type packument struct {
	Name     string                                `json:"name"`
	Modified json.RawMessage                       `json:"modified,omitempty"`
	Time     json.RawMessage                       `json:"time,omitempty"`
	Tags     map[string]string                     `json:"dist-tags"`
	Versions map[string]map[string]json.RawMessage `json:"versions"`
}

// NewUpstream checks the options. It is nil if they name no upstream.
func NewUpstream(o Options, r *registry.Registry) (*Upstream, error) {
	if o.Upstream == "" {
		return nil, nil
	}
	u, err := url.Parse(strings.TrimRight(o.Upstream, "/") + "/")
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("npm upstream %q: write it like https://registry.example.org/", o.Upstream)
	}
	t, err := openTarballs(o.Dir, cmp.Or(o.Keep, keepTarballs))
	if err != nil {
		return nil, fmt.Errorf("npm upstream: %w", err)
	}
	up := &Upstream{base: u, registry: r, tarballs: t, making: make(chan struct{}, makeAtOnce), reading: make(chan struct{}, readAtOnce)}
	up.shelf = shelf.New[int64](keepPackuments, (*foreign).size)
	up.scopes = shelf.New[registry.Mark](math.MaxInt, func(map[string]bool) int { return 1 })
	up.client = &http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > 3 || !up.same(next.URL) {
			return fmt.Errorf("the upstream redirects to %s, another host", next.URL.Host)
		}
		return nil
	}}
	return up, nil
}

// same tells whether an address is the upstream's own: what it says may not
// make this server ask others.
func (u *Upstream) same(other *url.URL) bool {
	return other.Scheme == u.base.Scheme && other.Host == u.base.Host
}

// Names that the npm registry took before its present rule are names too.
var foreignName = regexp.MustCompile(`^(@[A-Za-z0-9~_-][A-Za-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*$`)

// May tells, with nil, that the upstream may be asked for a name that is not
// here.
func (u *Upstream) May(ctx context.Context, name string) error {
	if len(name) > schema.MaxPackageName || !foreignName.MatchString(name) || name == "-" {
		return notThere("%.100q is no name of an npm package", name)
	}
	// Also a name whose files nobody may see any more is ours.
	lower := strings.ToLower(name)
	switch _, _, err := u.registry.PackageState(ctx, schema.NPM, lower); {
	case err == nil && lower != name:
		return notThere("there is no npm package %q here; %q is", name, lower)
	case err == nil:
		return notThere("the npm package %q of this registry has nothing to install", name)
	case !isNotFound(err):
		return err
	}
	scope, _, scoped := strings.Cut(strings.ToLower(name), "/")
	if !scoped {
		return nil
	}
	owned, err := u.owned(ctx, scope)
	if err != nil {
		return err
	}
	if owned {
		return notThere("there is no npm package %q here, and %s is a scope of this registry", name, scope)
	}
	return nil
}

func notThere(format string, args ...any) error {
	return &registry.Error{Code: registry.NotFound, Detail: fmt.Sprintf(format, args...), Fix: "check the spelling"}
}

// owned tells whether a package of the scope was published here.
func (u *Upstream) owned(ctx context.Context, scope string) (bool, error) {
	scopes, err := u.scopes.Get("", u.registry.Mark(), func() (map[string]bool, error) {
		names, err := u.registry.PackageNames(context.WithoutCancel(ctx), schema.NPM)
		if err != nil {
			return nil, err
		}
		scopes := map[string]bool{}
		for _, name := range names {
			if s, _, scoped := strings.Cut(name, "/"); scoped {
				scopes[s] = true
			}
		}
		return scopes, nil
	})
	return scopes[scope], err
}

// Packument is the one of the upstream, with tarballs at this server, whose
// address base is.
func (u *Upstream) Packument(ctx context.Context, base, name string, abbreviated bool) ([]byte, error) {
	// Each holds the whole document several times.
	wait, cancel := context.WithTimeout(ctx, makeWait)
	defer cancel()
	select {
	case u.making <- struct{}{}:
		defer func() { <-u.making }()
	case <-wait.Done():
		return nil, &registry.Error{Code: registry.Unavailable, Detail: "too many documents of the upstream registry are being made", Fix: "try again in a few seconds"}
	}
	f, err := u.read(ctx, name)
	if err != nil {
		return nil, err
	}
	p := f.packument
	if abbreviated {
		p.Time = nil
	}
	p.Versions = make(map[string]map[string]json.RawMessage, len(f.Versions))
	for number, v := range f.Versions {
		if p.Versions[number], err = moved(v, base, name, number); err != nil {
			return nil, err
		}
	}
	return json.Marshal(p)
}

// Version is the document of a version or tag; nil if there is none.
func (u *Upstream) Version(ctx context.Context, base, name, ref string) ([]byte, error) {
	f, err := u.read(ctx, name)
	if err != nil {
		return nil, err
	}
	v, number := f.Versions[ref], ref
	if v == nil {
		number = f.Tags[ref]
		v = f.Versions[number]
	}
	if v == nil {
		return nil, nil
	}
	m, err := moved(v, base, name, number)
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Tags are the dist-tags of a package.
func (u *Upstream) Tags(ctx context.Context, name string) (map[string]string, error) {
	f, err := u.read(ctx, name)
	if err != nil {
		return nil, err
	}
	return f.Tags, nil
}

// dist is what a packument says of a tarball. Signatures are left out: they
// are checked against the keys of a registry's own address.
type dist struct {
	Tarball      string `json:"tarball"`
	Integrity    string `json:"integrity,omitempty"`
	Shasum       string `json:"shasum,omitempty"`
	FileCount    int    `json:"fileCount,omitempty"`
	UnpackedSize int64  `json:"unpackedSize,omitempty"`
}

// moved is a version whose tarball is at this server.
func moved(v map[string]json.RawMessage, base, name, number string) (map[string]json.RawMessage, error) {
	var d dist
	if err := json.Unmarshal(v["dist"], &d); err != nil {
		return nil, refused("what it says of %s %s can't be read: %v", name, number, err)
	}
	d.Tarball = base + "/npm/" + name + "/-/" + url.PathEscape(TarballName(name, number))
	m := make(map[string]json.RawMessage, len(v))
	for key, raw := range v {
		m[key] = raw
	}
	set(m, "dist", d)
	return m, nil
}

// refused is an upstream's failure.
func refused(format string, args ...any) error {
	return &registry.Error{
		Code: registry.Unavailable, Detail: "the upstream registry can't be used: " + fmt.Sprintf(format, args...),
		Fix: "try again later; packages that were published here are not concerned",
	}
}

// read gives a package: from memory for some minutes, then after asking the
// upstream whether it changed. While the upstream is down what is in memory
// goes on.
func (u *Upstream) read(ctx context.Context, name string) (*foreign, error) {
	ctx = context.WithoutCancel(ctx) // others may wait for it
	slot := time.Now().UnixNano() / int64(packumentAge)
	last, _, _ := u.shelf.Peek(name)
	return u.shelf.Get(name, slot, func() (*foreign, error) {
		ctx, cancel := context.WithTimeout(ctx, packumentTimeout)
		defer cancel()
		f, err := u.ask(ctx, name, last)
		if err != nil && last != nil && !isNotFound(err) {
			f, err = last, nil
		}
		return f, err
	})
}

func (f *foreign) size() int {
	n := len(f.Time) + 4096
	for _, v := range f.Versions {
		n += 512
		for key, raw := range v {
			n += len(key) + len(raw) + 64
		}
	}
	return n
}

func (u *Upstream) ask(ctx context.Context, name string, last *foreign) (*foreign, error) {
	select {
	case u.reading <- struct{}{}:
		defer func() { <-u.reading }()
	case <-ctx.Done():
		return nil, refused("too many of its documents are being read")
	}
	at := u.base.JoinPath()
	at.RawPath = at.EscapedPath() + url.PathEscape(name)
	at.Path += name
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if last != nil && last.etag != "" {
		req.Header.Set("If-None-Match", last.etag)
	}
	res, err := u.client.Do(req)
	if err != nil {
		return nil, refused("%v", err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && last != nil:
		return last, nil
	case res.StatusCode == http.StatusNotFound:
		return nil, notThere("there is no npm package %q, neither here nor in the upstream registry", name)
	case res.StatusCode != http.StatusOK:
		return nil, refused("it answers %s", res.Status)
	}
	f := &foreign{etag: res.Header.Get("Etag")}
	limited := &io.LimitedReader{R: res.Body, N: maxPackument}
	if err := json.NewDecoder(limited).Decode(&f.packument); err != nil {
		if limited.N <= 0 {
			err = fmt.Errorf("the document of %s has more than %d bytes", name, maxPackument)
		}
		return nil, refused("%v", err)
	}
	if f.Name != name {
		return nil, refused("asked for %s it answers %.100q", name, f.Name)
	}
	for number, v := range f.Versions {
		if v == nil {
			delete(f.Versions, number)
			continue
		}
		hasScript(v)
		for _, key := range []string{"readme", "scripts", "contributors", "_npmUser", "_npmOperationalInternal"} {
			delete(v, key) // large, and no installer needs it
		}
		set(v, "name", name)
		set(v, "version", number)
	}
	return f, nil
}

// hasScript keeps of a full manifest's scripts what the abbreviated one says
// of them.
func hasScript(v map[string]json.RawMessage) {
	var scripts map[string]json.RawMessage
	if json.Unmarshal(v["scripts"], &scripts) != nil {
		return
	}
	for _, s := range []string{"preinstall", "install", "postinstall"} {
		if scripts[s] != nil {
			set(v, "hasInstallScript", true)
		}
	}
}

// Tarball opens a tarball of the upstream. All of it was received and agrees
// with the digest that the upstream's packument says.
func (u *Upstream) Tarball(ctx context.Context, name, file string) (*Tarball, error) {
	f, err := u.read(ctx, name)
	if err != nil {
		return nil, err
	}
	var d dist
	for number, v := range f.Versions {
		if file == TarballName(name, number) {
			if err := json.Unmarshal(v["dist"], &d); err != nil {
				return nil, refused("what it says of %s %s can't be read: %v", name, number, err)
			}
		}
	}
	if d.Tarball == "" {
		return nil, notThere("%s has no tarball %.100q", name, file)
	}
	at, err := u.base.Parse(d.Tarball)
	if err != nil || !u.same(at) {
		return nil, refused("it has the tarball of %s at another host", name)
	}
	return u.tarballs.open(ctx, d, func(ctx context.Context) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, err
		}
		res, err := u.client.Do(req)
		if err != nil {
			return nil, refused("%v", err)
		}
		if res.StatusCode != http.StatusOK {
			res.Body.Close()
			return nil, refused("it answers %s for %s", res.Status, file)
		}
		return res.Body, nil
	})
}
