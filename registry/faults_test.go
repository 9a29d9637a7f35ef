package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"appstore/registry/journal"
	"appstore/storage"
)

// bent is a store whose calls a test can bend; a nil function leaves them alone.
type bent struct {
	storage.Store
	get    atomic.Pointer[func(key string) error]
	create atomic.Pointer[func(key string, data []byte) error]
	wait   atomic.Int64 // before each Get
}

func (s *bent) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	time.Sleep(time.Duration(s.wait.Load()))
	if f := s.get.Load(); f != nil {
		if err := (*f)(key); err != nil {
			return nil, storage.Info{}, err
		}
	}
	return s.Store.Get(ctx, key, o)
}

func (s *bent) Create(ctx context.Context, key string, data []byte) error {
	if f := s.create.Load(); f != nil {
		return (*f)(key, data)
	}
	return s.Store.Create(ctx, key, data)
}

// A publish right after the store was put back, before any look at the journal:
// it does not go behind the gap, where nobody would see it.
func TestPublishIntoARestoredJournal(t *testing.T) {
	p := newPlace(t)
	a := p.replica("a")
	mustPublish(t, a, upload(plain("Old", "1.0.0", "kept")))
	mustPublish(t, a, upload(plain("Lost", "1.0.0", "s")))
	mustPublish(t, a, upload(plain("Old", "2.0.0", "s")))
	for _, n := range []string{"003", "002"} {
		if err := p.store.Delete(t.Context(), "journal/catalog/000000000/"+n); err != nil {
			t.Fatal(err)
		}
	}
	mustPublish(t, a, upload(plain("Fresh", "1.0.0", "s")))
	for _, r := range []*Registry{a, p.replica("b")} {
		if r.Position() != 2 {
			t.Errorf("the replica is at %d, want 2", r.Position())
		}
		if _, err := r.Resolve(t.Context(), "fresh", "1.0.0"); err != nil {
			t.Error(err)
		}
		_, err := r.Resolve(t.Context(), "lost", "1.0.0")
		wantCode(t, err, NotFound)
	}
	if _, err := a.journal.Verify(t.Context(), func(journal.Entry) {}); err != nil {
		t.Error(err)
	}
}

// A storage that wrongly says "nothing happened" of the entry costs disk space, and
// not the bytes of the release.
func TestEntryWrittenAndDenied(t *testing.T) {
	p := newPlace(t)
	s := &bent{Store: p.store}
	p.store = s
	r := p.replica("a")
	deny := func(key string, data []byte) error {
		if err := s.Store.Create(t.Context(), key, data); err != nil {
			return err
		}
		return fmt.Errorf("a gateway's 503: %w", storage.ErrUnavailable)
	}
	s.create.Store(&deny)
	w := wheel(t, "kube-back", "1.0.0", "any", "")
	_, err := r.Publish(t.Context(), upload(withPackages("Kube", "1.0.0", "kube-back", ""), w))
	wantCode(t, err, Unavailable)
	s.create.Store(nil)
	again := mustPublish(t, r, upload(withPackages("Kube", "1.0.0", "kube-back", ""), w))
	if again.Created {
		t.Error("the entry that was written is not seen")
	}
	if !bytes.Equal(content(t, r, again.Release.Files[0]), w.content) {
		t.Error("the file differs")
	}
	content(t, r, again.Release.Source)
}

// A gateway that answers "there is no such thing" for everything does not make the
// replica forget what it knows.
func TestStoreThatDeniesEverything(t *testing.T) {
	p := newPlace(t)
	s := &bent{Store: p.store}
	p.store = s
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Old", "1.0.0", "s")))
	deny := func(string) error { return fmt.Errorf("default backend: %w", storage.ErrNotExist) }
	s.get.Store(&deny)
	if r.checkJournal(t.Context()) {
		t.Error("it takes the answer for a journal that was put back")
	}
	if _, err := r.Resolve(t.Context(), "old", "1.0.0"); err != nil {
		t.Errorf("an exact release: %v", err)
	}
	if err := r.Ready(t.Context()); err == nil {
		t.Error("it says that it is ready")
	}
	_, err := r.Publish(t.Context(), upload(plain("New", "1.0.0", "s")))
	wantCode(t, err, Unavailable)
	s.get.Store(nil)
	mustPublish(t, r, upload(plain("New", "1.0.0", "s")))
}

// While a journal that was put back is read anew, nobody is told that there is
// nothing; an exact release is found.
func TestReadingAnewIsNotEmpty(t *testing.T) {
	p := newPlace(t)
	s := &bent{Store: p.store}
	p.store = s
	r := p.replica("a")
	for i := range 6 {
		mustPublish(t, r, upload(plain(fmt.Sprintf("Old-%d", i), "1.0.0", "s")))
	}
	if err := p.store.Delete(t.Context(), "journal/catalog/000000000/006"); err != nil {
		t.Fatal(err)
	}
	s.wait.Store(int64(100 * time.Millisecond))
	stale := false
	eventually(t, checkEvery+30*time.Second, "the journal is read anew", func() bool {
		page, _, err := r.Plugins(t.Context(), "", MaxPage)
		var e *Error
		switch {
		case errors.As(err, &e) && e.Code == Stale:
			stale = true
			if _, err := r.Resolve(t.Context(), "old-0", "1.0.0"); err != nil {
				t.Errorf("an exact release meanwhile: %v", err)
			}
		case err != nil:
			t.Error(err)
		case len(page) < 5:
			t.Errorf("a list has %d plugins", len(page))
		}
		return err == nil && len(page) == 5
	})
	if !stale {
		t.Log("the moment was missed")
	}
}

// A hostile package in one upload does not stop the drafts of others.
func TestHostileDraft(t *testing.T) {
	p := newPlace(t)
	r := p.replica("a")
	hostile := npmOf(t, "kube-front-1.0.0.tgz", `{"name":"@kube/front","version":"1.0.0","directories":{"x":"`+strings.Repeat("<", 900_000)+`"}}`)
	if _, err := r.PutDraft(t.Context(), []byte(bundle), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := uploadFile(t, r, hostile); err != nil {
		wantCode(t, err, TooLarge)
	}
	// What another program left there, or half a disk did.
	if err := p.store.Create(t.Context(), "drafts/kube/zzz/facts", []byte("{")); err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(strings.ReplaceAll(bundle, "Kube", "Other"), "kube", "other")
	if _, err := uploadFile(t, r, wheelWith(t, "other-back", "1.0.0", other)); err != nil {
		t.Errorf("another's upload: %v", err)
	}
	if all, err := r.Drafts(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d drafts, %v", len(all), err)
	}
	if err := r.DropDraft(t.Context(), "kube", "1.0.0"); err != nil {
		t.Error(err)
	}
}

func draftObjects(t *testing.T, s storage.Store) (keys []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), "drafts/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// The same file again is not kept twice; an upload that fails leaves nothing.
func TestDraftKeepsNothingTwice(t *testing.T) {
	p := newPlace(t)
	s := &bent{Store: p.store}
	p.store = s
	r := p.replica("a")
	w := wheelWith(t, "kube-back", "1.0.0", bundle)
	if _, err := uploadFile(t, r, w); err != nil {
		t.Fatal(err)
	}
	before := draftObjects(t, s)
	for range 3 {
		if _, err := uploadFile(t, r, w); err != nil {
			t.Fatal(err)
		}
	}
	if after := draftObjects(t, s); !slices.Equal(before, after) {
		t.Errorf("the same file again: %v, and before %v", after, before)
	}
	deny := func(string, []byte) error { return fmt.Errorf("made to fail: %w", storage.ErrUnavailable) }
	s.create.Store(&deny)
	_, err := uploadFile(t, r, wheelOf(t, "kube-back", "1.0.0", "linux_x86_64", map[string]string{"kube_back/appstore-plugin.yaml": bundle, "kube_back/__init__.py": "class Plugin: pass\n"}))
	wantCode(t, err, Unavailable)
	if after := draftObjects(t, s); !slices.Equal(before, after) {
		t.Errorf("a failed upload left %v; before there was %v", after, before)
	}
}

// A plugin has at most MaxChannels channels; one that is set can still be moved.
func TestChannelsAreBounded(t *testing.T) {
	r := newPlace(t).replica("a")
	mustPublish(t, r, upload(plain("Spark", "1.0.0", "s")))
	mustPublish(t, r, upload(plain("Spark", "2.0.0", "s")))
	for i := range MaxChannels {
		if _, err := r.SetChannel(t.Context(), "spark", fmt.Sprintf("c%d", i), "1.0.0", ""); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.SetChannel(t.Context(), "spark", "one-more", "1.0.0", "")
	wantCode(t, err, TooMany, "50 channels")
	if _, err := r.SetChannel(t.Context(), "spark", "c7", "2.0.0", ""); err != nil {
		t.Error(err)
	}
}
