package s3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"appstore/storage"
	"appstore/storage/storagetest"
)

// proxy stands between a client and the real server and does to requests what
// the rules say.
type proxy struct {
	server string       // host:port of the real one
	puts   atomic.Int32 // PUTs seen
	all    atomic.Int32 // requests seen
	// rule is asked for each PUT, by its number from 1.
	rule func(n int32, key string) fate
	// others is asked for all else; nil lets it pass.
	others func(r *http.Request) fate
}

type fate int

const (
	pass      fate = iota
	cutAnswer      // the server acts; its answer is lost
	cutBody        // the server gets a part of the request
	twice          // the request is passed on twice, as gateways do; the second answer counts
	conflict       // 409 in S3's words, nothing passed on
	busy           // 503 in S3's words, nothing passed on
	falseBusy      // 503 in S3's words, and yet passed on
	refused        // 503 of a gateway, nothing passed on
	limited        // 429 of a gateway, nothing passed on
	brokenOff      // 503 of a gateway, which has passed it on and lost the connection
	hang           // passed on; no answer comes
	notFound       // 404 of a gateway, nothing passed on
	noBucket       // 404 in S3's words, about the bucket
	cutMiddle      // the answer is cut off in its middle
	shortened      // the answer ends in its middle, and well
	stall          // the answer stops in its middle
)

func startProxy(t *testing.T, o Options, rule func(n int32, key string) fate) (Options, *proxy) {
	t.Helper()
	p := &proxy{server: strings.TrimPrefix(o.Endpoint, "http://"), rule: rule}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	o.Endpoint = server.URL
	return o, p
}

// gateway503 is what Envoy says, before it has passed on a request and after.
const gateway503 = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.all.Add(1)
	what := pass
	if r.Method == http.MethodPut {
		what = p.rule(p.puts.Add(1), r.URL.Path)
	} else if p.others != nil {
		what = p.others(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
	switch what {
	case conflict:
		answer(http.StatusConflict, "<Error><Code>ConditionalRequestConflict</Code></Error>")
		return
	case busy:
		answer(http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code></Error>")
		return
	case refused:
		answer(http.StatusServiceUnavailable, gateway503)
		return
	case limited:
		answer(http.StatusTooManyRequests, "local_rate_limited")
		return
	case notFound:
		answer(http.StatusNotFound, "default backend - 404")
		return
	case noBucket:
		answer(http.StatusNotFound, "<Error><Code>NoSuchBucket</Code></Error>")
		return
	case cutBody:
		p.forward(r, body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case twice:
		p.forward(r, body)
	}
	real, text, err := p.forward(r, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch what {
	case cutAnswer:
		panic(http.ErrAbortHandler)
	case falseBusy:
		answer(http.StatusServiceUnavailable, "<Error><Code>SlowDown</Code></Error>")
		return
	case brokenOff:
		answer(http.StatusServiceUnavailable, gateway503)
		return
	case hang:
		<-r.Context().Done()
		return
	}
	for name, values := range real.Header {
		w.Header()[name] = values
	}
	if what == shortened {
		w.Header().Del("Content-Length")
	}
	w.WriteHeader(real.StatusCode)
	switch what {
	case cutMiddle, shortened, stall:
		w.Write(text[:len(text)/2])
		w.(http.Flusher).Flush()
		if what == cutMiddle {
			panic(http.ErrAbortHandler)
		}
		if what == stall {
			<-r.Context().Done()
		}
		return
	}
	w.Write(text)
}

// forward passes a request on as it is, with the Host it was signed for.
func (p *proxy) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	conn, err := net.Dial("tcp", p.server)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Host)
	r.Header.Write(&head)
	if r.ContentLength > 0 && r.Header.Get("Content-Length") == "" {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", r.ContentLength)
	}
	head.WriteString("\r\n")
	go conn.Write(append(head.Bytes(), body...))
	if int64(len(body)) < r.ContentLength {
		time.Sleep(50 * time.Millisecond)
		return nil, nil, io.ErrUnexpectedEOF
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, text, err
}

// through opens a store through a proxy, without the probe.
func through(t *testing.T, o Options, rule func(n int32, key string) fate) (*Store, *proxy) {
	t.Helper()
	o, p := startProxy(t, o, rule)
	s, err := connect(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

// inTurn gives each PUT its fate; those after the last pass.
func inTurn(fates ...fate) func(int32, string) fate {
	return func(n int32, _ string) fate {
		if int(n) <= len(fates) {
			return fates[n-1]
		}
		return pass
	}
}

func always(f fate) func(int32, string) fate {
	return func(int32, string) fate { return f }
}

func TestFaults(t *testing.T) {
	o := testOptions(t)
	direct, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("data"), 5000)
	for i, test := range []struct {
		name   string
		rule   func(int32, string) fate
		there  bool // written by somebody else before
		create error
		put    error
		stored bool // whether Create's bytes are there in the end
	}{
		{"answer lost", inTurn(cutAnswer), false, nil, nil, true},
		{"answer lost, object exists", inTurn(cutAnswer), true, storage.ErrExist, nil, false},
		{"all answers lost", always(cutAnswer), false, nil, storage.ErrUnknown, true},
		{"request lost", inTurn(cutBody), false, nil, nil, true},
		{"request lost, then answer", inTurn(cutBody, cutAnswer), false, nil, storage.ErrUnknown, true},
		{"all requests lost", always(cutBody), false, storage.ErrUnknown, storage.ErrUnknown, false},
		{"sent twice by a gateway", always(twice), false, nil, nil, true},
		{"sent twice, object exists", always(twice), true, storage.ErrExist, nil, false},
		{"conflicts", inTurn(conflict, conflict), false, nil, nil, true},
		{"conflicts for ever", always(conflict), false, storage.ErrUnavailable, storage.ErrUnavailable, false},
		{"busy", inTurn(busy), false, nil, nil, true},
		{"busy for ever", always(busy), false, storage.ErrUnavailable, storage.ErrUnavailable, false},
		{"busy for ever, object exists", always(busy), true, storage.ErrExist, storage.ErrUnavailable, false},
		{"busy for ever, says a server that has written", always(falseBusy), false, nil, storage.ErrUnavailable, true},
		{"broken off behind a gateway", inTurn(brokenOff), false, nil, nil, true},
		{"broken off behind a gateway for ever", always(brokenOff), false, nil, storage.ErrUnknown, true},
		{"broken off behind a gateway, object exists", always(brokenOff), true, storage.ErrExist, storage.ErrUnknown, false},
		{"broken off behind a gateway, then busy", func(n int32, _ string) fate {
			if n == 1 {
				return brokenOff
			}
			return busy
		}, false, nil, storage.ErrUnknown, true},
		{"refused by a gateway", inTurn(refused, limited, refused), false, nil, nil, true},
		{"refused by a gateway for ever", always(refused), false, storage.ErrUnknown, storage.ErrUnknown, false},
		{"limited by a gateway for ever", always(limited), false, storage.ErrUnknown, storage.ErrUnknown, false},
		{"request lost, then busy", func(n int32, _ string) fate {
			if n == 1 {
				return cutBody
			}
			return busy
		}, false, storage.ErrUnknown, storage.ErrUnknown, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key := fmt.Sprintf("create/%d", i)
			if test.there {
				if err := direct.Create(t.Context(), key, data); err != nil {
					t.Fatal(err)
				}
			}
			s, _ := through(t, o, test.rule)
			checkKind(t, "create", s.Create(t.Context(), key, data), test.create)
			if !test.there {
				_, _, err := direct.Get(t.Context(), key, storage.Read{})
				if exists := err == nil; exists != test.stored {
					t.Errorf("the object exists: %v, want %v (%v)", exists, test.stored, err)
				}
			}
			s, _ = through(t, o, test.rule)
			checkKind(t, "put", s.Put(t.Context(), "put/"+key, bytes.NewReader(data), int64(len(data))), test.put)
		})
	}
}

// checkKind checks that err is want, and of no other kind.
func checkKind(t *testing.T, verb string, err, want error) {
	t.Helper()
	for _, kind := range []error{storage.ErrExist, storage.ErrNotExist, storage.ErrUnavailable, storage.ErrUnknown, storage.ErrInvalid} {
		if errors.Is(err, kind) != (kind == want) {
			t.Errorf("%s: error %v, want %v", verb, err, want)
		}
	}
	if want == nil && err != nil {
		t.Errorf("%s: %v", verb, err)
	}
}

// TestRaceWithLostAnswers races creates whose first answers are all lost, one
// half of them through each of two clients.
func TestRaceWithLostAnswers(t *testing.T) {
	o := testOptions(t)
	direct, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		key := fmt.Sprintf("race/%d", round)
		a, _ := through(t, o, func(n int32, _ string) fate { return []fate{cutAnswer, pass}[n%2] })
		b, _ := through(t, o, always(cutAnswer))
		var wg sync.WaitGroup
		var won atomic.Int32
		for i := range 12 {
			wg.Go(func() {
				s := []*Store{a, b}[i%2]
				switch err := s.Create(t.Context(), key, []byte("the same bytes")); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, storage.ErrExist):
					t.Errorf("create: %v", err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("round %d: %d creates have won", round, won.Load())
		}
		if _, _, err := direct.Get(t.Context(), key, storage.Read{}); err != nil {
			t.Error(err)
		}
	}
}

// TestLostAnswers: what gets lost is the connection.
func TestLostAnswers(t *testing.T) {
	o := testOptions(t)
	if _, err := Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var prefixes atomic.Int32
	storagetest.RunLostAnswers(t, func(t *testing.T) storagetest.LostAnswers {
		o := o
		o.Prefix = fmt.Sprintf("lost-%d/", prefixes.Add(1))
		direct, err := connect(o)
		if err != nil {
			t.Fatal(err)
		}
		var lose atomic.Int64
		s, _ := through(t, o, func(int32, string) fate {
			if lose.Add(-1) >= 0 {
				return cutAnswer
			}
			return pass
		})
		return storagetest.LostAnswers{
			Store: s,
			Lose:  func(writes int) { lose.Store(int64(writes)) },
			After: func() storage.Store { return direct },
		}
	})
}

// TestReadFaults does to reads, lists, deletes and the look after a create
// what happens on the way.
func TestReadFaults(t *testing.T) {
	o := testOptions(t)
	direct, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("data"), 5000)
	for _, key := range []string{"k/1", "k/2", "k/3"} {
		if err := direct.Create(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	for name, what := range map[string]fate{
		"404 of a gateway": notFound, "no bucket": noBucket, "503 of a gateway": refused, "busy": busy,
		"answer lost": cutAnswer, "cut off": cutMiddle, "shortened": shortened, "stalls": stall, "no answer": hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulty := func() *Store {
				s, p := through(t, o, always(cutAnswer))
				p.others = func(*http.Request) fate { return what }
				s.transport.idle = 200 * time.Millisecond
				s.transport.ResponseHeaderTimeout = 200 * time.Millisecond
				return s
			}
			s := faulty()
			for _, part := range []storage.Read{{}, {Offset: 1}, {Offset: 1, Length: 9000}} {
				r, _, err := s.Get(t.Context(), "k/1", part)
				if err == nil {
					var got []byte
					got, err = io.ReadAll(r)
					r.Close()
					if !bytes.HasPrefix(data[part.Offset:], got) {
						t.Errorf("get %+v: other bytes", part)
					}
				}
				checkKind(t, fmt.Sprintf("get %+v", part), err, storage.ErrUnavailable)
			}
			var errs []error
			for _, err := range s.List(t.Context(), "k/", "") {
				if err != nil || len(errs) > 0 {
					errs = append(errs, err)
				}
			}
			if len(errs) != 1 {
				t.Fatalf("list: the errors %v", errs)
			}
			checkKind(t, "list", errs[0], storage.ErrUnavailable)

			// Its answer is lost, and then it can't look.
			if what != cutMiddle && what != stall && what != shortened { // one byte is all it looks at
				checkKind(t, "create", s.Create(t.Context(), "new/"+strings.ToLower(rand.Text()), data), storage.ErrUnknown)
			}
			if what == notFound || what == noBucket || what == refused {
				checkKind(t, "delete", s.Delete(t.Context(), "k/3"), storage.ErrUnavailable)
			}
		})
	}
}

// TestListCutInItsSecondPage: what came before is given, and then the error.
func TestListCutInItsSecondPage(t *testing.T) {
	o := testOptions(t)
	direct, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1010
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := w; i < n; i += 8 {
				if err := direct.Create(t.Context(), fmt.Sprintf("k/%04d", i), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for _, what := range []fate{cutAnswer, cutMiddle, shortened, stall, notFound} {
		s, p := through(t, o, always(pass))
		s.transport.idle = time.Second
		p.others = func(r *http.Request) fate {
			if r.URL.Query().Get("continuation-token") == "" {
				return pass
			}
			return what
		}
		var keys int
		var errs []error
		for _, err := range s.List(t.Context(), "k/", "") {
			if err == nil && len(errs) == 0 {
				keys++
			} else {
				errs = append(errs, err)
			}
		}
		if keys != 1000 || len(errs) != 1 {
			t.Fatalf("fate %d: %d keys and the errors %v", what, keys, errs)
		}
		checkKind(t, "list", errs[0], storage.ErrUnavailable)
	}
}

// TestOneRequest counts what a read asks the server for.
func TestOneRequest(t *testing.T) {
	o := testOptions(t)
	direct, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for key, data := range map[string]string{"k": "data", "empty": ""} {
		if err := direct.Create(t.Context(), key, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	s, p := through(t, o, always(pass))
	for _, test := range []struct {
		key  string
		part storage.Read
		want int32
	}{
		{"k", storage.Read{}, 1},
		{"k", storage.Read{Offset: 1}, 1},
		{"k", storage.Read{Length: 2}, 1},
		{"k", storage.Read{Offset: 9}, 1},
		{"absent", storage.Read{}, 1},
		{"absent", storage.Read{Offset: 1}, 1},
		{"empty", storage.Read{}, 1},
		{"empty", storage.Read{Length: 2}, 2}, // as the contract says
	} {
		p.all.Store(0)
		r, _, err := s.Get(t.Context(), test.key, test.part)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if got := p.all.Load(); got != test.want {
			t.Errorf("get %s %+v: %d requests, want %d (%v)", test.key, test.part, got, test.want, err)
		}
	}
}

// TestServerTakesNothing puts to a server that reads no more in the middle of
// the body.
func TestServerTakesNothing(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		io.CopyN(io.Discard, r.Body, 1000)
		<-done
	}))
	defer server.Close()
	defer close(done)
	s, err := connect(Options{Endpoint: server.URL, Bucket: "appstore", AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	s.transport.idle = 200 * time.Millisecond
	data := make([]byte, storage.MaxCreate)
	began := time.Now()
	checkKind(t, "put", s.Put(t.Context(), "k", bytes.NewReader(data), int64(len(data))), storage.ErrUnavailable)
	checkKind(t, "create", s.Create(t.Context(), "k", data), storage.ErrUnavailable)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestSlowReaderIsNoSilentServer reads with pauses longer than a server may
// make.
func TestSlowReaderIsNoSilentServer(t *testing.T) {
	o := testOptions(t)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 8<<20)
	if err := s.Create(t.Context(), "k", data); err != nil {
		t.Fatal(err)
	}
	s.transport.idle = time.Second
	r, _, err := s.Get(t.Context(), "k", storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * s.transport.idle)
	if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(data))-1000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestCancelledWhileWaiting ends the context of a create that the server has
// got and does not answer.
func TestCancelledWhileWaiting(t *testing.T) {
	s, _ := through(t, testOptions(t), always(hang))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	err := s.Create(ctx, "k", []byte("x"))
	if !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("error %v, want %v", err, storage.ErrUnknown)
	}
	if took := time.Since(began); took > 2*afterCancel {
		t.Errorf("it took %v", took)
	}
}

func TestDown(t *testing.T) {
	o := Options{Endpoint: "http://127.0.0.1:1", Bucket: "appstore", AccessKey: "a", SecretKey: "s"}
	s, err := connect(o)
	if err != nil {
		t.Fatal(err)
	}
	storagetest.RunDown(t, s)
	began := time.Now()
	if _, err := Open(t.Context(), o); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("open took %v", took)
	}
}

// zeros is an object of zeros that takes no memory.
type zeros struct{ size, at int64 }

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.size-z.at)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += z.at
	case io.SeekEnd:
		offset += z.size
	}
	z.at = offset
	return z.at, nil
}

// TestMemory puts and gets 500 MB with less than 64 MB of memory.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the memory of large objects is not checked")
	}
	s, err := Open(t.Context(), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	const size = 500 << 20
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := s.Put(t.Context(), "large", &zeros{size: size}, size); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "large", storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if n != size || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	// All that was ever allocated bounds what was in use at once.
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MB were allocated", used>>20)
	}
}

func TestTLS(t *testing.T) {
	o := testOptions(t)
	server := httptest.NewTLSServer(&proxy{server: strings.TrimPrefix(o.Endpoint, "http://"), rule: always(pass)})
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it reports the client that does not trust it
	o.Endpoint = server.URL
	if _, err := Open(t.Context(), o); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("open without the CA: %v", err)
	}
	o.CA = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(o.CA, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "k", []byte("x")); err != nil {
		t.Error(err)
	}
}
