package registry

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/registry/artifact"
	"appstore/search"
	"appstore/search/bleve"
	"appstore/storage"
	"appstore/storage/files"
)

// place is one store and one index, over which replicas are opened.
type place struct {
	t     *testing.T
	store storage.Store
	index search.Index
	dir   string
	pair  pair
}

// pair makes the stores and indexes that a test runs on.
type pair struct {
	store func(t *testing.T, dir string) storage.Store
	index func(t *testing.T, dir string) search.Index
}

// embedded is the pair that needs nothing; engines_test.go has the real one.
var embedded = pair{
	store: func(t *testing.T, dir string) storage.Store {
		s, err := files.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
	index: func(t *testing.T, dir string) search.Index {
		x, err := bleve.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		return x
	},
}

// current is the pair that the truths are tested on now.
var current = embedded

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	return &place{t: t, dir: dir, pair: current, store: current.store(t, filepath.Join(dir, "store")), index: current.index(t, filepath.Join(dir, "index"))}
}

// replica opens one; each has a folder of its own by its name.
func (p *place) replica(name string) *Registry {
	p.t.Helper()
	r, err := Open(p.t.Context(), Options{Store: p.store, Index: p.index, Dir: filepath.Join(p.dir, name), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.closeOnce() })
	return r
}

func (r *Registry) closeOnce() {
	select {
	case <-r.closed:
	default:
		r.Close()
	}
}

type upFile struct {
	name    string
	content []byte
}

func upload(descriptor string, all ...upFile) Upload {
	i := 0
	return Upload{Descriptor: []byte(descriptor), By: "tester", Next: func() (string, io.Reader, error) {
		if i == len(all) {
			return "", nil, io.EOF
		}
		i++
		return all[i-1].name, bytes.NewReader(all[i-1].content), nil
	}}
}

func plain(name, version, summary string) string {
	return fmt.Sprintf("name: %s\nversion: %s\nsummary: %s\nmaintainer: Jane Roe <jane@example.org>\n", name, version, summary)
}

func withPackages(name, version, python, npm string) string {
	s := plain(name, version, "Brings its code")
	if python != "" {
		s += "backend: " + python + "\nbackend_component: " + strings.ReplaceAll(python, "-", "_") + ".Plugin\n"
	}
	if npm != "" {
		s += "front_end: \"" + npm + "\"\nfrontend_component: Form\n"
	}
	return s
}

// wheel makes a small one; salt makes its bytes differ.
func wheel(t *testing.T, name, version, tag, salt string) upFile {
	t.Helper()
	return wheelOf(t, name, version, tag, map[string]string{strings.ReplaceAll(name, "-", "_") + ".py": "class Plugin:\n    salt = '" + salt + "'\n"})
}

func wheelOf(t *testing.T, name, version, tag string, all map[string]string) upFile {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	under := strings.ReplaceAll(name, "-", "_")
	info := under + "-" + version + ".dist-info/"
	record := info + "RECORD,,\n"
	add := func(path, text string) {
		w, err := z.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	for path, text := range all {
		if path != "METADATA" {
			add(path, text)
		}
	}
	add(info+"METADATA", cmp.Or(all["METADATA"], "Metadata-Version: 2.1\nName: "+name+"\nVersion: "+version+"\nRequires-Python: >=3.8\n\nText.\n"))
	add(info+"WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-"+tag+"\n")
	add(info+"RECORD", record)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return upFile{fmt.Sprintf("%s-%s-py3-none-%s.whl", under, version, tag), b.Bytes()}
}

func npm(t *testing.T, name, version, salt string) upFile {
	t.Helper()
	text := fmt.Sprintf(`{"name":%q,"version":%q,"description":%q,"scripts":{"install":"x"}}`, name, version, salt)
	return npmOf(t, strings.TrimPrefix(strings.ReplaceAll(name, "/", "-"), "@")+"-"+version+".tgz", text)
}

// npmOf is a tarball with that package.json, and the descriptor if there is one.
func npmOf(t testing.TB, file, text string, descriptor ...string) upFile {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for i, content := range append([]string{text}, descriptor...) {
		name := []string{"package.json", artifact.DescriptorName}[i]
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return upFile{file, b.Bytes()}
}

func mustPublish(t *testing.T, r *Registry, u Upload) Published {
	t.Helper()
	p, err := r.Publish(t.Context(), u)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return p
}

// wantCode fails unless err is an *Error of that code whose text has the words.
func wantCode(t *testing.T, err error, code Code, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got the error %v, want the code %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("the error %q does not say %q", e, w)
		}
	}
}

func content(t *testing.T, r *Registry, f File) []byte {
	t.Helper()
	c, err := r.OpenFile(t.Context(), f, storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t *testing.T, text string) search.Query {
	t.Helper()
	q, err := search.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// found tells the names that the index finds for a word.
func found(t *testing.T, index search.Index, word string) []string {
	t.Helper()
	res, err := index.Search(t.Context(), parsed(t, word))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range res.Hits {
		names = append(names, h.Doc.Name)
	}
	return names
}

// finds tells whether the index finds so many plugins for a word; not while it
// is away.
func finds(t *testing.T, index search.Index, word string, n int) bool {
	t.Helper()
	res, err := index.Search(t.Context(), parsed(t, word))
	if errors.Is(err, search.ErrUnavailable) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(res.Hits) == n
}

// patience is how long a test waits for what takes a moment: as long as it may
// take on a machine that is busy with other tests. What the AppStore promises,
// TestPromises holds.
const patience = time.Minute

// eventually waits for what becomes true within the time.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// storedFiles lists what is under files/.
func storedFiles(t *testing.T, s storage.Store) (keys []string) {
	t.Helper()
	for info, err := range s.List(context.WithoutCancel(t.Context()), "files/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func TestPublishAndFetch(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	w, n := wheel(t, "cloudlaunch-kube", "1.0.0", "any", ""), npm(t, "@cloudlaunch/kube", "2.1.0", "")
	text := withPackages("KubePlugin", "1.0.0", "cloudlaunch-kube", "@cloudlaunch/kube")
	got := mustPublish(t, r, upload(text, w, n))
	if !got.Created || got.Release.Plugin != "kubeplugin" || len(got.Release.Files) != 2 {
		t.Fatalf("published %+v", got)
	}
	rel, err := r.Resolve(t.Context(), "kubeplugin", "")
	if err != nil {
		t.Fatal(err)
	}
	if string(content(t, r, rel.Source)) != text {
		t.Error("the descriptor came back changed")
	}
	if f := rel.Files[0]; f.Kind != Wheel || f.Package.Version != "1.0.0" || f.RequiresPython != ">=3.8" || !bytes.Equal(content(t, r, f), w.content) ||
		!strings.HasPrefix(string(content(t, r, *f.Metadata)), "Metadata-Version") {
		t.Errorf("the wheel is %+v", f)
	}
	if f := rel.Files[1]; f.Kind != NPMTarball || f.Package.Name != "@cloudlaunch/kube" || !strings.Contains(string(f.Manifest), `"hasInstallScript":true`) {
		t.Errorf("the tarball is %+v, manifest %s", f, f.Manifest)
	}
	eventually(t, patience, "search finds it", func() bool { return finds(t, p.index, "kube plugin", 1) })
}

func TestPublishRefuses(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	kube := withPackages("KubePlugin", "1.0.0", "cloudlaunch-kube", "")
	ok := wheel(t, "cloudlaunch-kube", "1.0.0", "any", "")
	for _, c := range []struct {
		name  string
		up    Upload
		code  Code
		words []string
	}{
		{"bad descriptor", upload("name: x\nversion: 1.10\n"), InvalidDescriptor, []string{"problem"}},
		{"file not uploaded", upload(kube), MissingFile, []string{"cloudlaunch-kube", "no file of it was uploaded"}},
		{"file not named", upload(plain("x1", "1.0.0", "s"), ok), UnexpectedFile, []string{"does not name", "no package"}},
		{"renamed wheel", upload(kube, upFile{"cloudlaunch_kube-9.0.0-py3-none-any.whl", ok.content}), ArtifactInvalid, []string{"9.0.0", "1.0.0"}},
		{"no zip", upload(kube, upFile{ok.name, []byte("hello")}), ArtifactInvalid, []string{"zip"}},
		{"unknown kind", upload(kube, upFile{"x.exe", nil}), ArtifactInvalid, []string{"wheel"}},
		{"path in name", upload(kube, upFile{"../x.whl", nil}), ArtifactInvalid, []string{"'/'"}},
		{"twice", upload(kube, ok, ok), InvalidRequest, []string{"twice"}},
		{"stored version that is not", upload(kube + "backend_version: 3.0.0\n"), MissingFile, []string{"not stored here"}},
		{"other version", upload(kube+"backend_version: 3.0.0\n", ok), ArtifactMismatch, []string{"3.0.0", "1.0.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Publish(t.Context(), c.up)
			wantCode(t, err, c.code, c.words...)
		})
	}
	if left := storedFiles(t, p.store); len(left) > 0 {
		t.Errorf("refused publishes left %v", left)
	}
	if used := r.spool.used.Load(); used != 0 {
		t.Errorf("the spool still counts %d bytes", used)
	}
	if r.Position() != 0 {
		t.Errorf("the journal has %d entries", r.Position())
	}
}

func TestResolve(t *testing.T) {
	r := newPlace(t).replica("a")
	for _, v := range []string{"1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "1.9.0"} {
		mustPublish(t, r, upload(plain("Slurm", v, "s")))
	}
	resolve := func(ref string) string {
		t.Helper()
		rel, err := r.Resolve(t.Context(), "SLURM", ref)
		if err != nil {
			return string(err.(*Error).Code)
		}
		return rel.Descriptor.Version
	}
	for ref, want := range map[string]string{
		"": "1.10.0", "latest": "1.10.0", "1.2.0": "1.2.0", "^1.0": "1.10.0", "~1.2": "1.2.0", "<1.9": "1.2.0",
		"2.0.0-rc.1": "2.0.0-rc.1", "^3": "not-found", "3.0.0": "not-found", "beta": "not-found", "not a ref!": "invalid-request",
	} {
		if got := resolve(ref); got != want {
			t.Errorf("%q is %s, want %s", ref, got, want)
		}
	}
	if _, err := r.SetChannel(t.Context(), "slurm", "stable", "1.9.0", ""); err != nil {
		t.Fatal(err)
	}
	if got := resolve(""); got != "1.9.0" {
		t.Errorf("with a stable channel no ref is %s", got)
	}
	if _, err := r.Yank(t.Context(), "slurm", "1.9.0", true, "loses jobs", ""); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"": "1.10.0", "stable": "not-found", "1.9.0": "1.9.0", "^1.0 <1.10": "1.2.0"} {
		if got := resolve(ref); got != want {
			t.Errorf("after the yank %q is %s, want %s", ref, got, want)
		}
	}
	page, err := r.Releases(t.Context(), "slurm", "", "", 2)
	if err != nil || page.Total != 5 || page.Next != "1.10.0" || page.Releases[0].Descriptor.Version != "2.0.0-rc.1" {
		t.Fatalf("first page %+v, %v", page, err)
	}
	var rest []string
	for page.Next != "" {
		if page, err = r.Releases(t.Context(), "slurm", "", page.Next, 2); err != nil {
			t.Fatal(err)
		}
		for _, rel := range page.Releases {
			rest = append(rest, rel.Descriptor.Version+" "+rel.Reason)
		}
	}
	if fmt.Sprint(rest) != "[1.9.0 loses jobs 1.2.0  1.0.0 ]" {
		t.Errorf("the other pages have %q", rest)
	}
	if _, err := r.Yank(t.Context(), "slurm", "1.9.0", false, "", ""); err != nil || resolve("") != "1.9.0" {
		t.Errorf("after the yank is taken back no ref is %s, %v", resolve(""), err)
	}
	before := r.Position()
	if _, err := r.SetChannel(t.Context(), "slurm", "stable", "1.9.0", ""); err != nil || r.Position() != before {
		t.Errorf("setting what is set wrote an entry (%v)", err)
	}
	for _, bad := range []string{"latest", "x", "1.0.0", "^1", "Upper", ""} {
		if _, err := r.SetChannel(t.Context(), "slurm", bad, "1.9.0", ""); err == nil {
			t.Errorf("the channel %q was set", bad)
		}
	}
}
