package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/elastic"
)

func mark(n uint64) search.Mark {
	return search.Mark{Position: n, Digest: fmt.Sprintf("%064x", n)}
}

func doc(name string, position uint64) search.Doc {
	return search.Doc{Name: name, Spelling: name, Position: position, Version: "1.0.0", Trust: "untrusted", Updated: time.Unix(1_700_000_000, 0).UTC()}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func finds(t *testing.T, x search.Index, want int) {
	t.Helper()
	eventually(t, func() error {
		r, err := x.Search(t.Context(), search.Query{})
		if err == nil && r.Total != want {
			err = fmt.Errorf("%d documents are found, want %d", r.Total, want)
		}
		return err
	})
}

// While the cluster is down calls fail within milliseconds; when it is back
// they work, unasked.
func TestOutage(t *testing.T) {
	s := plain(t)
	p := newProxy(t, s.url)
	o := s.o
	o.URLs, o.Prefix = []string{p.url()}, s.prefix(t)
	x := open(t, o)
	if err := x.Put(t.Context(), mark(1), doc("alpha", 1)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)
	for round := range 2 {
		p.cut()
		if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
			t.Fatalf("round %d: the first search after the cut: %v, want ErrUnavailable", round, err)
		}
		start := time.Now()
		for range 100 {
			if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("search: %v, want ErrUnavailable", err)
			}
			if err := x.Put(t.Context(), mark(2), doc("beta", 2)); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("put: %v, want ErrUnavailable", err)
			}
			if _, err := x.State(t.Context()); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("state: %v, want ErrUnavailable", err)
			}
			if err := x.Rebuild(t.Context(), mark(2), nil); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("rebuild: %v, want ErrUnavailable", err)
			}
		}
		if took := time.Since(start) / 400; took > 20*time.Millisecond { // to wait for the cluster takes a second or more
			t.Errorf("a call takes %v while the cluster is down", took)
		}
		p.join()
		finds(t, x, 1)
	}
	if err := x.Put(t.Context(), mark(2), doc("beta", 2)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 2)
}

// A cluster that accepts connections and says nothing is down too, also for
// callers whose patience is short.
func TestFrozen(t *testing.T) {
	s := plain(t)
	p := newProxy(t, s.url)
	o := s.o
	o.URLs, o.Prefix = []string{p.url()}, s.prefix(t)
	x := open(t, o)
	p.freeze()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := x.Search(ctx, search.Query{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("search with a short patience: %v", err)
		}
		cancel()
	}
	start := time.Now()
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) || time.Since(start) > 3*time.Second { // to wait for the cluster takes ten
		t.Errorf("then a search fails with %v after %v, want ErrUnavailable at once", err, time.Since(start))
	}
	p.thaw()
	finds(t, x, 0)
}

// Open succeeds while the cluster is down.
func TestOpenWhileDown(t *testing.T) {
	s := plain(t)
	p := newProxy(t, s.url)
	p.cut()
	o := s.o
	o.URLs, o.Prefix = []string{p.url()}, s.prefix(t)
	x := open(t, o)
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Fatalf("search: %v, want ErrUnavailable", err)
	}
	p.join()
	eventually(t, func() error {
		st, err := x.State(t.Context())
		if err == nil && st != (search.State{}) {
			err = fmt.Errorf("state %+v", st)
		}
		return err
	})
	if err := x.Put(t.Context(), mark(1), doc("alpha", 1)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]elastic.Options{
		"no URL": {},
		"prefix": {URLs: []string{"http://127.0.0.1:1"}, Prefix: "Upper"},
		"PEM":    {URLs: []string{"https://127.0.0.1:1"}, CA: []byte("x")},
	} {
		if _, err := elastic.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error about %s", o, err, want)
		}
	}
	// What is no Elasticsearch is down, and Open does not wait for long.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := time.Now()
	x := open(t, elastic.Options{URLs: []string{"http://" + l.Addr().String()}})
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("search: %v, want ErrUnavailable", err)
	}
	if took := time.Since(start); took > 3*elastic.FirstAnswer {
		t.Errorf("Open took %v", took)
	}
}
