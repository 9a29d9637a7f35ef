package elastic_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/elastic"
)

// gate is a wire between an index and its cluster that knows HTTP: answer may
// answer in the cluster's place, by returning true, or hold a request up.
type gate struct {
	answer atomic.Pointer[func(w http.ResponseWriter, r *http.Request, body string) bool]
	log    lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (g *gate) set(f func(w http.ResponseWriter, r *http.Request, body string) bool) {
	g.answer.Store(&f)
}

func (g *gate) open() {
	g.set(func(http.ResponseWriter, *http.Request, string) bool { return false })
}

// refuse answers searches with an error.
func (g *gate) refuse(status int, text string) {
	g.set(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if !strings.HasSuffix(r.URL.Path, "/_search") && !strings.HasSuffix(r.URL.Path, "/_bulk") {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"type":"made_up","reason":%q},"status":%d}`, text, status)
		return true
	})
}

// gated is an index with one document behind a gate.
func gated(t *testing.T) (*gate, *elastic.Index) {
	t.Helper()
	g, o := newGate(t)
	o.Logger = slog.New(slog.NewTextHandler(&g.log, nil))
	x, err := elastic.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	if err := x.Put(t.Context(), mark(1), doc("alpha", 1)); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 1)
	return g, x
}

func newGate(t *testing.T) (*gate, elastic.Options) {
	t.Helper()
	s := plain(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	g.open()
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if !(*g.answer.Load())(w, r, string(body)) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	o := s.o
	o.URLs, o.Prefix = []string{server.URL}, s.prefix(t)
	return g, o
}

// A key that is refused at run time is ErrUnavailable: the cluster refuses
// work. The log says why, and not once for each search.
func TestRefusedKey(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		g, x := gated(t)
		g.refuse(status, "the key has expired")
		for range 5 {
			if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "expired") {
				t.Fatalf("%d: search: %v, want ErrUnavailable with the reason", status, err)
			}
			if err := x.Put(t.Context(), mark(2), doc("beta", 2)); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("%d: put: %v, want ErrUnavailable", status, err)
			}
		}
		if log := g.log.String(); strings.Count(log, "has expired") != 1 || !strings.Contains(log, "level=ERROR") {
			t.Errorf("%d: the log says\n%s", status, log)
		}
		g.open()
		finds(t, x, 1) // the next search is asked at once
	}
}

// A search that is refused as malformed is our mistake, and no outage.
func TestRefusedSearch(t *testing.T) {
	g, x := gated(t)
	g.refuse(http.StatusBadRequest, "unknown query [fuzy]")
	for range 5 {
		if _, err := x.Search(t.Context(), search.Query{}); err == nil || errors.Is(err, search.ErrUnavailable) || !strings.Contains(err.Error(), "fuzy") {
			t.Fatalf("search: %v, want an error with the reason that is not ErrUnavailable", err)
		}
	}
	if log := g.log.String(); strings.Count(log, "fuzy") != 1 {
		t.Errorf("the log says\n%s", log)
	}
}

// One search that takes too long, by the cluster's clock or by ours, does not
// close the way for the others; some in a row do.
func TestSlowSearch(t *testing.T) {
	g, x := gated(t)
	slow := func() error {
		g.refuse(http.StatusGatewayTimeout, "Time exceeded")
		defer g.open()
		_, err := x.Search(t.Context(), search.Query{})
		return err
	}
	hang := make(chan struct{})
	defer close(hang)
	late := func() error {
		g.set(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return true
		})
		defer g.open()
		return x.Ask(t.Context(), 50*time.Millisecond)
	}
	for name, ask := range map[string]func() error{"the cluster": slow, "this side": late} {
		for range elastic.SlowCalls + 1 {
			if err := ask(); !errors.Is(err, search.ErrUnavailable) {
				t.Fatalf("%s gives up: %v, want ErrUnavailable", name, err)
			}
			if _, err := x.Search(t.Context(), search.Query{}); err != nil {
				t.Fatalf("%s gave one search up; the next one: %v", name, err)
			}
		}
		if log := g.log.String(); log != "" {
			t.Errorf("%s gives up: the log says\n%s", name, log)
		}
	}
	for range elastic.SlowCalls {
		if err := slow(); !errors.Is(err, search.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if log := g.log.String(); !strings.Contains(log, "is down") {
		t.Errorf("%d in a row: the log says\n%s", elastic.SlowCalls, log)
	}
	finds(t, x, 1)
}

// So many searches run at once; who waits too long for a place is told.
func TestCrowd(t *testing.T) {
	g, x := gated(t)
	running, release := make(chan struct{}, 2*elastic.MaxSearches), make(chan struct{})
	g.set(func(http.ResponseWriter, *http.Request, string) bool {
		running <- struct{}{}
		<-release
		return false
	})
	var wg sync.WaitGroup
	for range elastic.MaxSearches {
		wg.Go(func() {
			if _, err := x.Search(t.Context(), search.Query{}); err != nil {
				t.Errorf("a search that had a place: %v", err)
			}
		})
	}
	for range elastic.MaxSearches {
		<-running
	}
	if _, err := x.Search(t.Context(), search.Query{}); !errors.Is(err, search.ErrUnavailable) {
		t.Errorf("one more search: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, search.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search that waits: %v", err)
	}
	if n := len(running); n > 0 {
		t.Errorf("%d searches more were sent", n)
	}
	close(release)
	wg.Wait()
	finds(t, x, 1)
}

// A search is sent with a time limit, and makes the cluster build no automata
// for typos, however long and many its words are.
func TestSearchesAreCheap(t *testing.T) {
	g, x := gated(t)
	d := doc("galaxies", 2)
	d.Title = "Visualisation of Kubernetes"
	if err := x.Put(t.Context(), mark(2), d); err != nil {
		t.Fatal(err)
	}
	finds(t, x, 2)
	var mu sync.Mutex
	var bodies []string
	g.set(func(_ http.ResponseWriter, r *http.Request, body string) bool {
		if strings.HasSuffix(r.URL.Path, "/_search") {
			mu.Lock()
			bodies = append(bodies, body)
			mu.Unlock()
		}
		return false
	})
	for text, want := range map[string]int{"galaxeis": 1, "kubernets visualisaton": 1, strings.Repeat("qwertyuiopasdfghjk ", 30): 0, strings.Repeat("x", 64): 0} {
		q, err := search.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := x.Search(t.Context(), q)
		if err != nil || r.Total != want {
			t.Errorf("%.30q finds %+v, %v; want %d", text, r, err, want)
		}
	}
	for _, body := range bodies {
		if strings.Contains(body, "fuzz") || !strings.Contains(body, `"timeout":"`) {
			t.Errorf("sent: %s", body)
		}
	}
	if len(bodies) != 4 {
		t.Errorf("%d searches were sent", len(bodies))
	}
}

// The largest plans are not too large for the cluster.
func TestLargestPlans(t *testing.T) {
	_, x := gated(t)
	for _, text := range []string{
		strings.Repeat("k8s-vm-gpu-ml-hpc-rna ", 12),
		"vm gpu ml hpc rna ngs s3 db ai os ci dl",
		strings.Repeat("visualisation-", 70),
		strings.Repeat("x-", 499) + "x",
		strings.TrimSpace(strings.Repeat("kubernetes-cluster-on-virtual-machine ", 26)),
		strings.TrimSpace(strings.Repeat("-a-b-c-d-e-f-g-h ", 30)),
	} {
		q, err := search.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Search(t.Context(), q); err != nil {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// A cluster that answers, but takes its time to make the index, is not down.
func TestSlowStart(t *testing.T) {
	g, o := newGate(t)
	g.set(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == http.MethodPut {
			time.Sleep(elastic.FirstAnswer + 500*time.Millisecond)
		}
		return false
	})
	o.Logger = slog.New(slog.NewTextHandler(&g.log, nil))
	x, err := elastic.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if log := g.log.String(); log != "" {
		t.Errorf("the log says\n%s", log)
	}
	finds(t, x, 0)
}

// The CA of the options is trusted beside the system's.
func TestAuthorities(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	got, err := elastic.Authorities(ca)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Skipf("this system has no authorities: %v", err)
	}
	if want.Equal(got) {
		t.Error("the CA is not trusted")
	}
	want.AppendCertsFromPEM(ca)
	if !want.Equal(got) {
		t.Error("others than the system's authorities and the CA are trusted")
	}
}
