package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/registry/journal"
	"appstore/search"
	"appstore/search/elastic"
	"appstore/storage"
	"appstore/storage/s3"
)

// needs returns the variable that says where an engine is, or skips.
func needs(t *testing.T, name, unchecked string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" && os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is not set, and APPSTORE_TEST_REQUIRE=1: %s must be checked (make test starts the engines)", name, unchecked)
	}
	if v == "" {
		t.Skipf("%s is not set: not checked: %s (make test starts the engines)", name, unchecked)
	}
	return v
}

var bucket atomic.Int64

func openS3(t *testing.T, endpoint string) storage.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), s3.Options{
		Endpoint: endpoint, Bucket: fmt.Sprintf("registry-%d-%d", os.Getpid(), bucket.Add(1)),
		AccessKey: os.Getenv("APPSTORE_TEST_S3_ACCESS_KEY"), SecretKey: os.Getenv("APPSTORE_TEST_S3_SECRET_KEY"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openElastic(t *testing.T, address string) search.Index {
	t.Helper()
	prefix := fmt.Sprintf("registry-%d-%d", os.Getpid(), bucket.Add(1))
	x, err := elastic.Open(t.Context(), elastic.Options{URLs: []string{address}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func realPair(t *testing.T) pair {
	t.Helper()
	endpoint := needs(t, "APPSTORE_TEST_S3_ENDPOINT", "the registry over S3 and Elasticsearch")
	address := needs(t, "APPSTORE_TEST_ELASTICSEARCH_URL", "the registry over S3 and Elasticsearch")
	return pair{
		store: func(t *testing.T, _ string) storage.Store { return openS3(t, endpoint) },
		index: func(t *testing.T, _ string) search.Index { return openElastic(t, address) },
	}
}

// TestOnRealEngines runs the truths over S3 and Elasticsearch.
func TestOnRealEngines(t *testing.T) {
	current = realPair(t)
	t.Cleanup(func() { current = embedded })
	for name, f := range map[string]func(*testing.T){
		"PublishAndFetch": TestPublishAndFetch, "PublishRefuses": TestPublishRefuses, "Resolve": TestResolve,
		"Truth1": TestTruth1, "Truth2": TestTruth2, "Truth3": TestTruth3, "Truth4": TestTruth4, "Truth5": TestTruth5,
		"Truth6": TestTruth6, "Truth7": TestTruth7, "Truth8": TestTruth8, "Truth9": TestTruth9, "Truth10": TestTruth10,
		"Snapshot": TestFreshReplicaStartsFromASnapshot, "JournalReplaced": TestJournalReplacedWhileRunning, "Promises": TestPromises,
	} {
		t.Run(name, f)
	}
}

// cutter is a proxy in front of an S3 server that lets a request through and
// cuts its answer, as often as it is told to.
func cutter(t *testing.T, to string) (address string, cuts *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	cuts = &atomic.Int64{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/journal/") && cuts.Add(-1) >= 0 {
			proxy.ServeHTTP(&nowhere{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return "http://" + l.Addr().String(), cuts
}

type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }

// The storage creates the journal's entry and its answer is cut off: the
// client sees a success, or an error whose retry is one; never a conflict.
func TestAnswerOfTheEntryIsCutOff(t *testing.T) {
	endpoint := needs(t, "APPSTORE_TEST_S3_ENDPOINT", "an answer of S3 that is cut off")
	proxy, cuts := cutter(t, endpoint)
	p := &place{t: t, dir: t.TempDir(), pair: embedded}
	p.store = openS3(t, proxy)
	p.index = embedded.index(t, filepath.Join(p.dir, "index"))
	r := p.replica("a")
	for i, n := range []int64{1, 2, 3, 1, 1} {
		u := func() Upload { return upload(plain("Cut", fmt.Sprintf("1.0.%d", i), "s")) }
		cuts.Store(n)
		got, err := r.Publish(t.Context(), u())
		if err != nil {
			wantCode(t, err, OutcomeUnknown)
			cuts.Store(0)
			if got, err = r.Publish(t.Context(), u()); err != nil {
				t.Fatalf("the retry after %d cut answers: %v", n, err)
			}
		}
		if got.Release.Descriptor.Version != fmt.Sprintf("1.0.%d", i) {
			t.Errorf("published %+v", got)
		}
	}
	if p, err := r.Plugin(t.Context(), "cut"); err != nil || p.Releases != 5 {
		t.Errorf("%+v, %v", p, err)
	}
}

// gate is a TCP proxy that can be closed and opened.
type gate struct {
	to     string
	closed atomic.Bool
	mu     sync.Mutex
	conns  map[net.Conn]bool
}

func newGate(t *testing.T, to string) (address string, g *gate) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g = &gate{to: target.Host, conns: map[net.Conn]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); g.shut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return "http://" + l.Addr().String(), g
}

func (g *gate) pass(c net.Conn) {
	defer c.Close()
	d, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer d.Close()
	g.mu.Lock()
	if g.closed.Load() {
		g.mu.Unlock()
		return
	}
	g.conns[c] = true
	g.mu.Unlock()
	go func() { io.Copy(d, c); d.Close() }()
	io.Copy(c, d)
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed.Store(true)
	for c := range g.conns {
		c.Close()
	}
}

// Elasticsearch is away while 10,000 plugins change; after its return the index
// has caught up within a minute, unasked.
func TestElasticsearchReturnsAfter10000Changes(t *testing.T) {
	address := needs(t, "APPSTORE_TEST_ELASTICSEARCH_URL", "an outage of Elasticsearch")
	proxy, g := newGate(t, address)
	p := &place{t: t, dir: t.TempDir(), pair: embedded}
	p.store = embedded.store(t, filepath.Join(p.dir, "store"))
	p.index = openElastic(t, proxy)
	r := p.replica("a")
	mustPublish(t, r, upload(plain("Before", "1.0.0", "s")))
	eventually(t, 10*time.Second, "the first is indexed", func() bool { s, err := p.index.State(t.Context()); return err == nil && s.Position == 1 })

	g.shut()
	mustPublish(t, r, upload(plain("During", "1.0.0", "s")))
	if _, err := r.Resolve(t.Context(), "during", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := p.index.Search(t.Context(), search.Query{}); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("search during the outage: %v after %s", err, time.Since(begin))
	}
	// Another writer's entries, 250 plugins each.
	head, j := r.cat.head(), journal.New(p.store, "catalog")
	for i := range 40 {
		var events []journal.Event
		for k := range 250 {
			rel := Release{Plugin: fmt.Sprintf("missed-%d", i*250+k), State: Live, Published: noon}
			rel.Descriptor.Name, rel.Descriptor.Version, rel.Descriptor.Summary = rel.Plugin, "1.0.0", "cyclotron"
			rel.Source = describe("plugin.yaml", []byte(rel.Plugin))
			rel.Source.Key = "files/00/" + rel.Plugin + "/x/" + rel.Source.SHA256
			data, err := json.Marshal(released{rel})
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, journal.Event{Kind: kindReleased, Format: eventFormat, Data: data})
		}
		e, err := j.Append(t.Context(), head, time.Now(), events)
		if err != nil {
			t.Fatal(err)
		}
		head = e.Head()
	}
	eventually(t, 30*time.Second, "the catalogue has all", func() bool { return r.Position() == head.Position })

	g.closed.Store(false)
	begin = time.Now()
	eventually(t, time.Minute, "the index has caught up", func() bool {
		s, err := p.index.State(context.WithoutCancel(t.Context()))
		return err == nil && s.Position == head.Position && s.Docs == 10002
	})
	t.Logf("10,000 missed changes were indexed within %s of the return", time.Since(begin).Round(100*time.Millisecond))
	eventually(t, patience, "and are found", func() bool { return finds(t, p.index, "cyclotron", 20) })
}
