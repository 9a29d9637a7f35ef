package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/registry/journal"
	"appstore/search"
	"appstore/storage"
)

// trouble is a store that answers with errors while it is told to.
type trouble struct {
	storage.Store
	down      atomic.Bool  // every call is ErrUnavailable
	failAfter atomic.Int64 // counts down with each write; at 0 writes fail. Negative: never
}

func newTrouble(s storage.Store) *trouble {
	t := &trouble{Store: s}
	t.failAfter.Store(-1)
	return t
}

func (s *trouble) err(write bool) error {
	if s.down.Load() || write && s.failAfter.Load() >= 0 && s.failAfter.Add(-1) < 0 {
		return fmt.Errorf("made to fail: %w", storage.ErrUnavailable)
	}
	return nil
}

func (s *trouble) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	if err := s.err(false); err != nil {
		return nil, storage.Info{}, err
	}
	return s.Store.Get(ctx, key, o)
}

func (s *trouble) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if err := s.err(true); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, r, size)
}

func (s *trouble) Create(ctx context.Context, key string, data []byte) error {
	if err := s.err(true); err != nil {
		return err
	}
	return s.Store.Create(ctx, key, data)
}

func (s *trouble) Delete(ctx context.Context, key string) error {
	if err := s.err(false); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

// A published name@version never changes its bytes; its number is never reused.
func TestTruth1(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	first := plain("Galaxy", "1.0.0", "first")
	rel := mustPublish(t, r, upload(first)).Release
	_, err := r.Publish(t.Context(), upload(plain("Galaxy", "1.0.0", "second")))
	wantCode(t, err, VersionExists, "Galaxy 1.0.0", "descriptor differs")
	if _, err := r.Yank(t.Context(), "galaxy", "1.0.0", true, "broken", ""); err != nil {
		t.Fatal(err)
	}
	_, err = r.Publish(t.Context(), upload(plain("galaxy", "1.0.0", "third")))
	wantCode(t, err, VersionExists)
	got, err := r.Resolve(t.Context(), "galaxy", "1.0.0")
	if err != nil || got.Digest != rel.Digest || string(content(t, r, got.Source)) != first {
		t.Errorf("the release became %+v, %v", got, err)
	}
}

// Before the entry nothing of a publish is visible, after it everything is.
func TestTruth2(t *testing.T) {
	p := newPlace(t)
	s := newTrouble(p.store)
	p.store = s
	r := p.replica("a")
	text := withPackages("Kube", "1.0.0", "kube-back", "@kube/front")
	w, n := wheel(t, "kube-back", "1.0.0", "any", ""), npm(t, "@kube/front", "1.0.0", "")
	for writes := int64(0); ; writes++ { // the storage fails at each write in turn, the entry's included
		s.failAfter.Store(writes)
		got, err := r.Publish(t.Context(), upload(text, w, n))
		s.failAfter.Store(-1)
		if err == nil {
			if writes < 5 {
				t.Fatalf("published although only %d of descriptor, wheel, metadata, tarball and entry were written", writes)
			}
			if len(got.Release.Files) != 2 {
				t.Fatalf("half a release: %+v", got.Release)
			}
			break
		}
		wantCode(t, err, Unavailable)
		_, err = r.Resolve(t.Context(), "kube", "1.0.0")
		wantCode(t, err, NotFound)
		if names := found(t, p.index, "kube"); len(names) > 0 {
			t.Fatalf("search finds %v after a failed publish", names)
		}
		// Where the entry itself failed, the files stay for the sweep: see keep.
		if left := storedFiles(t, p.store); len(left) > 0 && writes < 4 {
			t.Fatalf("after a failure at write %d, %v stayed", writes, left)
		}
		if n, err := r.sweep(t.Context(), time.Now().Add(time.Hour)); err != nil || n > 0 && writes < 4 || len(storedFiles(t, p.store)) > 0 {
			t.Fatalf("after a failure at write %d the sweep took %d, %v", writes, n, err)
		}
	}
	// A crash leaves files that nothing refers to; the sweep takes exactly those.
	before := storedFiles(t, p.store)
	if err := p.store.Put(t.Context(), "files/00/kube/crashed/abc", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	if removed, err := r.sweep(t.Context(), time.Now().Add(-time.Hour)); removed != 0 || err != nil {
		t.Errorf("a young file was swept: %d, %v", removed, err)
	}
	if removed, err := r.sweep(t.Context(), time.Now().Add(time.Hour)); removed != 1 || err != nil {
		t.Errorf("swept %d files, %v; want 1", removed, err)
	}
	if after := storedFiles(t, p.store); !slices.Equal(before, after) {
		t.Errorf("the sweep left %v of %v", after, before)
	}
}

// Publishing the same again answers with the same release; different bytes are refused.
func TestTruth3(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	text := withPackages("Kube", "1.0.0", "kube-back", "")
	w := wheel(t, "kube-back", "1.0.0", "any", "")
	first := mustPublish(t, r, upload(text, w))
	at, stored := r.Position(), storedFiles(t, p.store)
	again := mustPublish(t, r, upload(text, w))
	if again.Created || again.Release.Digest != first.Release.Digest || !again.Release.Published.Equal(first.Release.Published) {
		t.Errorf("the same again is %+v", again)
	}
	if r.Position() != at || !slices.Equal(stored, storedFiles(t, p.store)) {
		t.Error("the same again wrote something")
	}
	_, err := r.Publish(t.Context(), upload(text, wheel(t, "kube-back", "1.0.0", "any", "other")))
	wantCode(t, err, VersionExists, "files differ")
	_, err = r.Publish(t.Context(), upload(text+"tags: [x]\n", wheel(t, "kube-back", "1.0.0", "any", "other")))
	wantCode(t, err, VersionExists, "descriptor and the files differ")
	if !slices.Equal(stored, storedFiles(t, p.store)) {
		t.Error("a refused publish left files")
	}
}

// An exact version is found on every replica at once, movable things within
// 2 s; without the journal movable things are refused after 30 s.
func TestTruth4(t *testing.T) {
	p := newPlace(t)
	a := p.replica("a")
	s := newTrouble(p.store)
	p.store = s
	b := p.replica("b")
	for i := range 20 {
		v := fmt.Sprintf("1.%d.0", i)
		mustPublish(t, a, upload(plain("Spark", v, "s")))
		if got, err := b.Resolve(t.Context(), "spark", v); err != nil || got.Descriptor.Version != v {
			t.Fatalf("the other replica does not have %s: %v", v, err)
		}
	}
	if _, err := a.Yank(t.Context(), "spark", "1.19.0", true, "bad", ""); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Resolve(t.Context(), "spark", ""); err != nil || got.Descriptor.Version != "1.18.0" {
		t.Errorf("on the replica that yanked, the latest is %v, %v", got.Descriptor.Version, err)
	}
	eventually(t, patience, "the other replica knows the yank", func() bool {
		got, err := b.Resolve(t.Context(), "spark", "")
		return err == nil && got.Descriptor.Version == "1.18.0"
	})

	s.down.Store(true)
	if got, err := b.Resolve(t.Context(), "spark", "latest"); err != nil || got.Descriptor.Version != "1.18.0" {
		t.Errorf("the journal is away for a moment: %v", err)
	}
	_, err := b.Resolve(t.Context(), "spark", "9.9.9")
	wantCode(t, err, Unavailable) // whether it exists can't be said
	b.seen.Store(time.Now().Add(-staleAfter - time.Second).UnixNano())
	for what, f := range map[string]func() error{
		"latest":   func() error { _, err := b.Resolve(t.Context(), "spark", ""); return err },
		"range":    func() error { _, err := b.Resolve(t.Context(), "spark", "^1"); return err },
		"plugin":   func() error { _, err := b.Plugin(t.Context(), "spark"); return err },
		"releases": func() error { _, err := b.Releases(t.Context(), "spark", "", "", 10); return err },
	} {
		if err := f(); err == nil || err.(*Error).Code != Stale {
			t.Errorf("%s after 30 s without the journal: %v", what, err)
		}
	}
	if _, err := b.Resolve(t.Context(), "spark", "1.3.0"); err != nil {
		t.Errorf("an exact release after 30 s without the journal: %v", err)
	}
	s.down.Store(false)
	eventually(t, patience, "movable things are answered again", func() bool {
		_, err := b.Resolve(t.Context(), "spark", "")
		return err == nil
	})
}

// The bounds that are promised: a publish is searchable when it is answered,
// within a second; another replica knows a yank within two (truth 4). A machine
// that is busy may be late now and then; code that is late is so in every round.
func TestPromises(t *testing.T) {
	p := newPlace(t)
	a, b := p.replica("a"), p.replica("b")
	var failed string
	for round := range 6 {
		failed = ""
		for i := range 5 {
			version := fmt.Sprintf("1.%d.%d", round, i)
			if got := mustPublish(t, a, upload(plain("Swift", version, "s"))); !got.Searchable {
				failed = "a publish is answered before it is searchable"
			}
			if _, err := a.Yank(t.Context(), "swift", version, true, version, ""); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			eventually(t, patience, "the other replica knows the yank", func() bool {
				got, err := b.Resolve(t.Context(), "swift", version)
				return err == nil && got.State == Yanked
			})
			if took := time.Since(begin); took > 2*time.Second {
				failed = fmt.Sprintf("the other replica knows a yank after %s", took)
			}
		}
		if failed == "" {
			return
		}
	}
	t.Errorf("in no round was all in time; in the last: %s", failed)
}

// A file's name means one sha256 for ever; wheels may follow, tarballs not.
func TestTruth5(t *testing.T) {
	r := newPlace(t).replica("a")
	one := wheel(t, "kube-back", "1.0.0", "any", "")
	front := npm(t, "@kube/front", "1.0.0", "")
	mustPublish(t, r, upload(withPackages("Kube", "1.0.0", "kube-back", "@kube/front"), one, front))

	same := mustPublish(t, r, upload(withPackages("Kube", "1.0.1", "kube-back", "@kube/front"), one, front)).Release
	first, _ := r.Resolve(t.Context(), "kube", "1.0.0")
	if same.Files[0].Key != first.Files[0].Key {
		t.Error("the same file of the same plugin is stored twice")
	}
	_, err := r.Publish(t.Context(), upload(withPackages("Kube", "1.0.2", "kube-back", ""), wheel(t, "kube-back", "1.0.0", "any", "other")))
	wantCode(t, err, FileExists, one.name)
	// Another spelling of its version does not make it another file.
	spelled := wheelOf(t, "kube-back", "1.0.0", "any", map[string]string{
		"kube_back.py": "class Plugin: pass  # other\n",
		"METADATA":     "Metadata-Version: 2.1\nName: kube-back\nVersion: v1.0.0\n\n",
	})
	_, err = r.Publish(t.Context(), upload(withPackages("Kube", "1.0.2", "kube-back", ""), spelled))
	wantCode(t, err, FileExists, one.name)
	mustPublish(t, r, upload(withPackages("Kube", "1.0.3", "kube-back", ""), wheel(t, "kube-back", "1.0.0", "linux_x86_64", "")))
	renamed := npm(t, "@kube/front", "1.0.0", "other")
	renamed.name = "other.tgz"
	_, err = r.Publish(t.Context(), upload(withPackages("Kube", "1.0.4", "", "@kube/front"), renamed))
	wantCode(t, err, FileExists, "one tarball")
}

// A package belongs to the plugin that first published it; any may use it.
func TestTruth6(t *testing.T) {
	r := newPlace(t).replica("a")
	w := wheel(t, "kube-back", "1.0.0", "any", "")
	mustPublish(t, r, upload(withPackages("Kube", "1.0.0", "kube-back", ""), w))
	_, err := r.Publish(t.Context(), upload(withPackages("Thief", "1.0.0", "Kube_Back", ""), wheel(t, "Kube_Back", "2.0.0", "any", "")))
	wantCode(t, err, PackageOwned, `"kube"`)
	_, err = r.Publish(t.Context(), upload(withPackages("Thief", "1.0.0", "kube-back", ""), w))
	wantCode(t, err, PackageOwned)
	used := mustPublish(t, r, upload(withPackages("User", "1.0.0", "kube-back", "")+"backend_version: 1.0.0\n"))
	if len(used.Release.Files) != 0 {
		t.Errorf("a user of a stored package has files: %+v", used.Release.Files)
	}
	if u := used.Release.Uses; len(u) != 1 || !bytes.Equal(content(t, r, u[0]), w.content) {
		t.Errorf("it uses %+v", u)
	}
	_, err = r.Publish(t.Context(), upload(withPackages("User", "1.0.1", "kube-back", "")+"backend_version: 1.0.1\n"))
	wantCode(t, err, MissingFile, "1.0.1")

	// The package version is yanked with the last live release that brings it.
	yankedNow := func() bool {
		t.Helper()
		all, err := r.PackageFiles(t.Context(), "pypi", "kube.back")
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		return all[0].Yanked
	}
	mustPublish(t, r, upload(withPackages("Kube", "1.0.1", "kube-back", ""), w))
	for _, v := range []string{"1.0.0", "1.0.1"} {
		if yankedNow() {
			t.Errorf("yanked before %s, which brings it, is", v)
		}
		if _, err := r.Yank(t.Context(), "kube", v, true, "old", ""); err != nil {
			t.Fatal(err)
		}
	}
	if !yankedNow() {
		t.Error("no live release brings it, and it is not yanked")
	}
	// A release of the owner that only corrects the descriptor uses the stored files.
	mustPublish(t, r, upload(withPackages("Kube", "1.0.2", "kube-back", "")+"backend_version: 1.0.0\n"))
	if yankedNow() {
		t.Error("a live release of its owner uses it, and it is yanked")
	}
}

// Names are unique after normalisation; look-alikes are refused.
func TestTruth7(t *testing.T) {
	r := newPlace(t).replica("a")
	mustPublish(t, r, upload(plain("Kube.Plugin_0l", "1.0.0", "s")))
	got := mustPublish(t, r, upload(plain("kube-plugin-0l", "1.0.1", "s"))).Release // the same name
	if got.Plugin != "kube-plugin-0l" {
		t.Errorf("normalised to %q", got.Plugin)
	}
	if p, err := r.Plugin(t.Context(), "KUBE--plugin.0L"); err != nil || p.Spelling != "Kube.Plugin_0l" || p.Releases != 2 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, name := range []string{"kubeplugin0l", "kube-plugin-ol", "kube-plugin-01", "kube-p1ugin-0i"} {
		_, err := r.Publish(t.Context(), upload(plain(name, "1.0.0", "s")))
		wantCode(t, err, NameTaken, "Kube.Plugin_0l")
	}
}

// deadIndex is an index that can be switched off.
type deadIndex struct {
	search.Index
	dead atomic.Bool
	puts atomic.Int64 // documents that it took
}

func (d *deadIndex) Put(ctx context.Context, m search.Mark, docs ...search.Doc) error {
	if d.dead.Load() {
		return search.ErrUnavailable
	}
	d.puts.Add(int64(len(docs))) // before they can be found
	err := d.Index.Put(ctx, m, docs...)
	if err != nil {
		d.puts.Add(-int64(len(docs)))
	}
	return err
}

func (d *deadIndex) State(ctx context.Context) (search.State, error) {
	if d.dead.Load() {
		return search.State{}, search.ErrUnavailable
	}
	return d.Index.State(ctx)
}

// When only indexing fails the publication stands, and the index catches up
// at the cost of what changed.
func TestTruth8(t *testing.T) {
	p := newPlace(t)
	index := &deadIndex{Index: p.index}
	p.index = index
	r := p.replica("a")
	for i := range 200 {
		mustPublish(t, r, upload(plain(fmt.Sprintf("before-%d", i), "1.0.0", "s")))
	}
	eventually(t, patience, "the index is complete", func() bool { s, _ := index.State(t.Context()); return s.Position == 200 })
	index.dead.Store(true)
	var g sync.WaitGroup
	for i := range 8 {
		g.Go(func() {
			got, err := r.Publish(t.Context(), upload(plain(fmt.Sprintf("missed-%d", i), "1.0.0", "cyclotron")))
			if err != nil || got.Searchable {
				t.Errorf("with a dead index: %+v, %v", got, err)
			}
		})
	}
	g.Wait()
	index.puts.Store(0)
	index.dead.Store(false)
	eventually(t, patience, "the index has caught up", func() bool { return finds(t, index, "cyclotron", 8) })
	if n := index.puts.Load(); n != 8 {
		t.Errorf("catching up put %d documents; 8 had changed", n)
	}
}

// Any number of replicas run over one store and one index; local files may vanish.
func TestTruth9(t *testing.T) {
	p := newPlace(t)
	a, b := p.replica("a"), p.replica("b")
	for name, vary := range map[string]func(i int) Upload{
		"descriptor": func(i int) Upload { return upload(plain("Race1", "1.0.0", fmt.Sprintf("number %d", i))) },
		"file": func(i int) Upload {
			return upload(withPackages("Race2", "1.0.0", "race-two", ""), wheel(t, "race-two", "1.0.0", "any", fmt.Sprint(i)))
		},
		"both": func(i int) Upload {
			return upload(withPackages("Race3", "1.0.0", "race-three", "")+fmt.Sprintf("title: T%d\n", i), wheel(t, "race-three", "1.0.0", "any", fmt.Sprint(i)))
		},
	} {
		var g sync.WaitGroup
		var won atomic.Int64
		var winner atomic.Value
		for i := range 50 {
			r := []*Registry{a, b}[i%2]
			g.Go(func() {
				got, err := r.Publish(t.Context(), vary(i))
				var e *Error
				switch {
				case err == nil && got.Created:
					won.Add(1)
					winner.Store(got.Release.Digest)
				case errors.As(err, &e) && e.Code == VersionExists:
				default:
					t.Errorf("%s, client %d: %+v, %v", name, i, got, err)
				}
			})
		}
		g.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: %d winners", name, won.Load())
		}
		for _, r := range []*Registry{a, b} {
			got, err := r.Resolve(t.Context(), map[string]string{"descriptor": "race1", "file": "race2", "both": "race3"}[name], "1.0.0")
			if err != nil || got.Digest != winner.Load() {
				t.Errorf("%s: a replica has %s, %v; the winner is %v", name, got.Digest, err, winner.Load())
			}
		}
	}
	var g sync.WaitGroup
	for i := range 50 {
		r := []*Registry{a, b}[i%2]
		g.Go(func() {
			if _, err := r.Publish(t.Context(), upload(plain("Many", fmt.Sprintf("1.0.%d", i), "s"))); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	eventually(t, patience, "both replicas have all 50 versions", func() bool {
		x, errX := a.Plugin(t.Context(), "many")
		y, errY := b.Plugin(t.Context(), "many")
		return errX == nil && errY == nil && x.Releases == 50 && y.Releases == 50 && x.Latest == "1.0.49" && y.Latest == "1.0.49"
	})
	want := b.Position()

	// The local files vanish, and the index with them.
	b.closeOnce()
	if err := os.RemoveAll(filepath.Join(p.dir, "b")); err != nil {
		t.Fatal(err)
	}
	p.index = p.pair.index(t, filepath.Join(p.dir, "index2"))
	c := p.replica("b")
	if c.Position() != want {
		t.Errorf("started anew the replica is at %d, want %d", c.Position(), want)
	}
	c.index.mu.Lock()
	if c.index.reached != want { // before anybody can ask it
		t.Errorf("at the start the new index is at %d, want %d", c.index.reached, want)
	}
	c.index.mu.Unlock()
	eventually(t, patience, "the new index is complete", func() bool {
		return slices.Contains(found(t, p.index, "many"), "many") && slices.Contains(found(t, p.index, "race1"), "race1")
	})
}

// A store restored from a backup is noticed, and the index is rebuilt.
func TestTruth10(t *testing.T) {
	p := newPlace(t)
	a := p.replica("a")
	mustPublish(t, a, upload(plain("Old", "1.0.0", "kept")))
	restored := p.pair.store(t, filepath.Join(p.dir, "restored"))
	copyStore(t, p.store, restored) // the backup, put back elsewhere
	mustPublish(t, a, upload(plain("Lost", "1.0.0", "cyclotron")))
	mustPublish(t, a, upload(plain("Old", "2.0.0", "cyclotron")))
	a.closeOnce()

	p.store = restored
	b := p.replica("a") // the same local folder, whose catalogue is ahead now
	if b.Position() != 1 {
		t.Errorf("the catalogue is at %d, the journal ends at 1", b.Position())
	}
	eventually(t, patience, "search equals storage", func() bool {
		return finds(t, p.index, "cyclotron", 0) && finds(t, p.index, "kept", 1)
	})
	// What follows is new history, not the old one's.
	mustPublish(t, b, upload(plain("Fresh", "1.0.0", "betatron")))
	eventually(t, patience, "new things are found", func() bool { return finds(t, p.index, "betatron", 1) })
}

func copyStore(t *testing.T, from, to storage.Store) {
	t.Helper()
	for info, err := range from.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := from.Get(t.Context(), info.Key, storage.Read{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Put(t.Context(), info.Key, bytes.NewReader(data), info.Size); err != nil {
			t.Fatal(err)
		}
	}
}

// The store is put back under a running replica.
func TestJournalReplacedWhileRunning(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Old", "1.0.0", "kept")))
	mustPublish(t, r, upload(plain("Lost", "1.0.0", "cyclotron")))
	before := r.Mark()
	mustPublish(t, r, upload(plain("Old", "2.0.0", "cyclotron")))
	eventually(t, patience, "all is indexed", func() bool { return finds(t, p.index, "cyclotron", 2) })
	for _, n := range []string{"003", "002"} {
		if err := p.store.Delete(t.Context(), "journal/catalog/000000000/"+n); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, checkEvery+5*time.Second, "the replica follows the restored journal", func() bool {
		_, lost := r.Plugin(t.Context(), "lost")
		_, kept := r.Plugin(t.Context(), "old")
		return lost != nil && kept == nil && r.Position() == 1
	})
	eventually(t, 15*time.Second, "search equals storage", func() bool {
		return finds(t, p.index, "cyclotron", 0) && finds(t, p.index, "kept", 1)
	})
	mustPublish(t, r, upload(plain("Fresh", "1.0.0", "betatron")))
	// What was made of the old history at this position is not taken for the new one's.
	fresh, err := r.Plugin(t.Context(), "fresh")
	if now := r.Mark(); err != nil || now.position != before.position || now == before || fresh.Mark() == before {
		t.Errorf("the mark at position 2 was %v and is %v; the plugin's is %v, %v", before, now, fresh.Mark(), err)
	}
	eventually(t, patience, "it is found", func() bool { return finds(t, p.index, "betatron", 1) })
}

// slow is a store whose reads take time.
type slow struct{ storage.Store }

func (s slow) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	time.Sleep(10 * time.Millisecond)
	return s.Store.Get(ctx, key, o)
}

// Readers who ask for what is not there, without pause, hold up no change.
func TestMissesDoNotHoldUpCommits(t *testing.T) {
	p := newPlace(t)
	p.store = slow{p.store}
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Spark", "1.0.0", "s")))
	ctx, stop := context.WithCancel(t.Context())
	var g sync.WaitGroup
	defer g.Wait()
	defer stop()
	for range 8 {
		g.Go(func() {
			for ctx.Err() == nil {
				r.Resolve(ctx, "nothing", "1.0.0")
			}
		})
	}
	for i := range 5 {
		soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := r.Yank(soon, "spark", "1.0.0", i%2 == 0, "r", "")
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What is so already on a replica that is behind may not be so any more.
func TestNothingToDoIsSaidOfTheJournalsEnd(t *testing.T) {
	p := newPlace(t)
	a, b := p.replica("a"), p.replica("b")
	for _, v := range []string{"1.0.0", "2.0.0"} {
		mustPublish(t, a, upload(plain("Spark", v, "s")))
	}
	for range 5 {
		for i, v := range []string{"1.0.0", "2.0.0", "1.0.0"} {
			if _, err := []*Registry{a, b, a}[i].SetChannel(t.Context(), "spark", "beta", v, ""); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := a.Resolve(t.Context(), "spark", "beta"); err != nil || got.Descriptor.Version != "1.0.0" {
			t.Fatalf("the channel is at %s, %v", got.Descriptor.Version, err)
		}
	}
}

// A journal of a newer program makes the replica read-only; what it had it serves.
func TestNewerJournalMakesReadOnly(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Old", "1.0.0", "s")))
	if _, err := journal.New(p.store, "catalog").Append(t.Context(), r.cat.head(), time.Now(), []journal.Event{{Kind: "sung", Format: 1, Data: []byte(`{}`)}}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Publish(t.Context(), upload(plain("New", "1.0.0", "s")))
	wantCode(t, err, ReadOnly, "upgrade this replica", "sung")
	if _, err := r.Resolve(t.Context(), "old", "1.0.0"); err != nil {
		t.Errorf("reading: %v", err)
	}
	// It also starts on such a journal.
	r.closeOnce()
	again := p.replica("a")
	if _, err := again.Resolve(t.Context(), "old", "1.0.0"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	_, err = again.Publish(t.Context(), upload(plain("New", "1.0.0", "s")))
	wantCode(t, err, ReadOnly)
}
