package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/searchtest"
)

func docs(n int, position uint64) func(func(search.Doc, error) bool) {
	return func(yield func(search.Doc, error) bool) {
		for i := range n {
			if !yield(doc(fmt.Sprintf("plugin-%05d", i), position), nil) {
				return
			}
		}
	}
}

// A deleted index is noticed, refilled from position 0, and never made anew
// with a guessed mapping.
func TestDeletedIndex(t *testing.T) {
	s := plain(t)
	prefix := s.prefix(t)
	x := s.open(t, prefix)
	remove := func() {
		t.Helper()
		for name := range s.indexes(t, prefix) {
			s.do(t, http.MethodDelete, "/"+name, nil)
		}
	}
	if err := x.Put(t.Context(), mark(5), doc("alpha", 5)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)
	remove()
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search without an index: %v, want ErrUnavailable", err)
	}
	if st, err := x.State(t.Context()); err != nil || st != (search.State{}) {
		t.Errorf("state without an index: %+v, %v; want position 0", st, err)
	}
	if err := x.Put(t.Context(), mark(5), doc("alpha", 5)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)

	remove()
	if err := x.Put(t.Context(), mark(6), doc("beta", 6)); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("put without an index: %v, want ErrUnavailable", err)
	}
	if got := s.indexes(t, prefix); len(got) != 0 {
		t.Errorf("a put made an index: %v", got)
	}
	if st, err := x.State(t.Context()); err != nil || st != (search.State{}) {
		t.Errorf("state: %+v, %v; want position 0", st, err)
	}
	if _, err := x.Search(t.Context(), search.Query{}); err != nil {
		t.Errorf("search after State: %v", err)
	}
}

// Two processes start, write and rebuild at once.
func TestReplicas(t *testing.T) {
	s := plain(t)
	prefix := s.prefix(t)
	open := make(chan search.Index, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { open <- s.open(t, prefix) })
	}
	wg.Wait()
	a, b := <-open, <-open
	if err := a.Put(t.Context(), mark(3), doc("alpha", 3)); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), mark(2), doc("alpha", 2), doc("beta", 2)); err != nil {
		t.Fatal(err)
	}
	finds(t, a, 2)
	for _, x := range []search.Index{a, b} {
		if st, err := x.State(t.Context()); err != nil || st.Mark != mark(3) {
			t.Errorf("state %+v, %v; want the higher mark", st, err)
		}
	}

	for i, x := range []search.Index{a, b} {
		wg.Go(func() {
			if err := x.Rebuild(t.Context(), mark(uint64(10+i)), docs(50, 5)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	finds(t, a, 50)
	finds(t, b, 50)
	if n := len(s.indexes(t, prefix)); n != 1 {
		t.Errorf("%d indexes are left after two rebuilds, want 1", n)
	}
	st, err := a.State(t.Context())
	if err != nil || st.Position != 10 && st.Position != 11 {
		t.Errorf("state %+v, %v", st, err)
	}
}

// A process whose index was replaced must not put a mark into the new one,
// which may lack what it wrote before.
func TestPutAfterForeignRebuild(t *testing.T) {
	s := plain(t)
	prefix := s.prefix(t)
	a, b := s.open(t, prefix), s.open(t, prefix)
	if err := b.Rebuild(t.Context(), mark(5), docs(3, 1)); err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), mark(7), doc("late", 7)); !errors.Is(err, search.ErrUnavailable) {
		t.Fatalf("put after a foreign rebuild: %v, want ErrUnavailable", err)
	}
	st, err := a.State(t.Context())
	if err != nil || st.Mark != mark(5) {
		t.Fatalf("state %+v, %v; want that of the rebuild", st, err)
	}
	if err := a.Put(t.Context(), mark(7), doc("six", 6), doc("late", 7)); err != nil {
		t.Fatal(err)
	}
	finds(t, b, 5)
}

// Searches of another process never fail while an index is replaced.
func TestSwapIsInvisible(t *testing.T) {
	s := plain(t)
	prefix := s.prefix(t)
	a, b := s.open(t, prefix), s.open(t, prefix)
	if err := a.Rebuild(t.Context(), mark(1), docs(100, 1)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			r, err := b.Search(t.Context(), search.Query{Limit: 1})
			if err != nil || r.Total != 100 {
				t.Errorf("during a rebuild: %+v, %v", r, err)
				return
			}
		}
	})
	for range 3 {
		if err := a.Rebuild(t.Context(), mark(1), docs(100, 1)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// A full disk makes indexes read-only: writing is down, reading goes on.
func TestFullDisk(t *testing.T) {
	s := plain(t)
	prefix := s.prefix(t)
	x := s.open(t, prefix)
	if err := x.Put(t.Context(), mark(1), doc("alpha", 1)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)
	block := func(on any) {
		s.do(t, http.MethodPut, "/"+prefix+"*/_settings", map[string]any{"index.blocks.read_only_allow_delete": on})
	}
	block(true)
	start := time.Now()
	if err := x.Put(t.Context(), mark(2), doc("beta", 2)); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("put on a full disk: %v, want ErrUnavailable", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the put took %v", took)
	}
	finds(t, x, 1)
	block(nil)
	if err := x.Put(t.Context(), mark(2), doc("beta", 2)); err != nil {
		t.Errorf("put after the block was lifted: %v", err)
	}
	finds(t, x, 2)
}

// 10,000 documents are caught up with in bulk requests, and the mark is of
// the last.
func TestCatchUp(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 documents")
	}
	s := plain(t)
	x := s.open(t, s.prefix(t))
	all := searchtest.Generate(10_000, 3)
	start := time.Now()
	if err := x.Put(t.Context(), mark(10_000), all...); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("10,000 documents in %v", took)
	if took > time.Minute {
		t.Errorf("it took more than a minute")
	}
	eventually(t, func() error {
		st, err := x.State(t.Context())
		if err == nil && (st.Docs != 10_000 || st.Mark != mark(10_000)) {
			err = fmt.Errorf("state %+v", st)
		}
		return err
	})
}
