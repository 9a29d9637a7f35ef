package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/search"
	"appstore/storage"
)

// Replicas add up; what a process counted survives it; days that are over are
// summed up once and for all.
func TestDownloads(t *testing.T) {
	p := newPlace(t)
	a, b := p.replica("a"), p.replica("b")
	mustPublish(t, a, upload(plain("Kube", "1.0.0", "s")))
	var g sync.WaitGroup
	for range 10 {
		g.Go(func() {
			for range 10 {
				a.CountDownload("kube", "1.0.0", "pip")
				b.CountDownload("kube", "1.0.0", "npm")
			}
		})
	}
	g.Wait()
	b.CountDownload("kube", "1.1.0", "pip")
	if got := a.Downloads("KUBE"); got.Total != 100 || got.Clients["pip"] != 100 {
		t.Errorf("on its own replica: %+v", got)
	}
	b.closeOnce() // writes what it has
	a.downloads.gather(t.Context())
	want := func(r *Registry) {
		t.Helper()
		got := r.Downloads("kube")
		if got.Total != 201 || got.Clients["pip"] != 101 || got.Clients["npm"] != 100 || got.Releases["1.0.0"] != 200 || len(got.Days) != 1 {
			t.Errorf("all replicas together: %+v", got)
		}
	}
	want(a)
	eventually(t, patience, "the index knows", func() bool {
		q := searchDoc(t, p, "kube")
		return q == 201
	})
	a.closeOnce()
	c := p.replica("c")
	c.downloads.gather(t.Context())
	want(c)
	c.downloads.gather(t.Context()) // a second look counts nothing twice
	want(c)
}

// held is an index whose next Put waits once it is armed.
type held struct {
	search.Index
	armed         atomic.Bool
	came, release chan struct{}
}

func (h *held) Put(ctx context.Context, m search.Mark, docs ...search.Doc) error {
	if h.armed.Swap(false) {
		close(h.came)
		<-h.release
	}
	return h.Index.Put(ctx, m, docs...)
}

// A document that was made before the downloads were counted does not take the
// place of one that was made after: they have the same position.
func TestDownloadsAreNotOverwritten(t *testing.T) {
	p := newPlace(t)
	h := &held{Index: p.index, came: make(chan struct{}), release: make(chan struct{})}
	p.index = h
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Kube", "1.0.0", "s")))
	eventually(t, patience, "it is found", func() bool { return finds(t, p.index, "kube", 1) })
	var both sync.WaitGroup
	h.armed.Store(true)
	both.Go(func() {
		if _, err := r.Publish(t.Context(), upload(plain("Kube", "2.0.0", "s"))); err != nil {
			t.Error(err)
		}
	})
	<-h.came // with a document that knows of no download
	for range 3 {
		r.CountDownload("kube", "2.0.0", "pip")
	}
	both.Go(func() { r.downloads.gather(t.Context()) })
	time.Sleep(100 * time.Millisecond) // enough for a gather that does not wait
	close(h.release)
	both.Wait()
	eventually(t, patience, "the release is indexed", func() bool { return r.index.wait(t.Context(), 2, 0) })
	if n := searchDoc(t, p, "kube"); n != 3 {
		t.Errorf("the index has %d downloads, want 3", n)
	}
}

// seconds is a store whose times are whole seconds, as those of S3 are.
type seconds struct{ storage.Store }

func (s seconds) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for info, err := range s.Store.List(ctx, prefix, after) {
			info.Modified = info.Modified.Truncate(time.Hour) // all of the test in one
			if !yield(info, err) {
				return
			}
		}
	}
}

// A change that the list does not show, of as many bytes in the same second, is read.
func TestDownloadsInTheSameSecond(t *testing.T) {
	p := newPlace(t)
	p.store = seconds{p.store}
	a := p.replica("a")
	mustPublish(t, a, upload(plain("Kube", "1.0.0", "s")))
	key := "stats/day/" + time.Now().UTC().Format(dayLayout) + "/x"
	for _, n := range []uint64{5, 9} {
		text := fmt.Sprintf(`{"kube":{"1.0.0/pip":%d}}`, n)
		if err := p.store.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
		a.downloads.gather(t.Context())
		if got := a.Downloads("kube").Total; got != n {
			t.Errorf("%d downloads are told, want %d", got, n)
		}
	}
}

// searchDoc gives the downloads that the index tells of a plugin; 0 while it
// does not find it.
func searchDoc(t *testing.T, p *place, name string) uint64 {
	t.Helper()
	res, err := p.index.Search(t.Context(), parsed(t, name))
	if errors.Is(err, search.ErrUnavailable) || err == nil && len(res.Hits) == 0 {
		return 0
	}
	if err != nil || len(res.Hits) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	return res.Hits[0].Doc.Downloads
}

func TestDownloadsOfDaysThatAreOver(t *testing.T) {
	p := newPlace(t)
	day := func(ago int) string { return time.Now().UTC().AddDate(0, 0, -ago).Format(dayLayout) }
	for ago, n := range map[int]int{0: 1, 1: 2, 5: 4, 60: 8} {
		for _, process := range []string{"x", "y"} {
			text := fmt.Sprintf(`{"kube":{"1.0.0/pip":%d}}`, n)
			if err := p.store.Create(t.Context(), "stats/day/"+day(ago)+"/"+process, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := p.replica("a")
	for range 3 { // sums up, then reads the sums, then reads nothing new
		a.downloads.gather(t.Context())
		if got := a.Downloads("kube"); got.Total != 30 {
			t.Fatalf("%+v, want 30 in all", got)
		}
	}
	if got := a.Downloads("kube"); len(got.Days) != 3 || got.Days[day(5)]["1.0.0"] != 8 {
		t.Errorf("days: %+v", got.Days)
	}
	var keys []string
	for info, err := range p.store.List(t.Context(), "stats/", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	want := []string{"stats/day/" + day(1) + "/x", "stats/day/" + day(1) + "/y", "stats/day/" + day(0) + "/x", "stats/day/" + day(0) + "/y", "stats/sum/" + day(60), "stats/sum/" + day(5)}
	if fmt.Sprint(keys) != fmt.Sprint(want) {
		t.Errorf("stored: %v, want %v", keys, want)
	}
	if b := p.replica("b"); true {
		b.downloads.gather(t.Context())
		if got := b.Downloads("kube"); got.Total != 30 {
			t.Errorf("another replica: %+v", got)
		}
	}
}
