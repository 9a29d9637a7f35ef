package s3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"appstore/storage"
)

// badServer speaks as much S3 as the probe needs, and does "create if absent"
// the way check says.
type badServer struct {
	// create is told about a PUT with If-None-Match and gives its status. It
	// reads the body.
	create func(s *badServer, key string, r *http.Request) int

	mu      sync.Mutex
	objects map[string]http.Header
}

func (s *badServer) has(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[key] != nil
}

func (s *badServer) put(key string, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = header
}

func (s *badServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Path
	isBucket := strings.Count(strings.Trim(key, "/"), "/") == 0
	switch {
	case isBucket: // it exists
	case r.Method == http.MethodPut:
		w.WriteHeader(s.create(s, key, r))
	case r.Method == http.MethodDelete:
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet && s.has(key):
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set(writerHeader, s.objects[key].Get(writerHeader))
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
	}
}

// TestOpenRefuses opens stores on servers that do not do "create if absent" in
// one step. (That the real one is accepted, the other tests show.)
func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		create func(s *badServer, key string, r *http.Request) int
	}{
		{"ignores the condition", func(s *badServer, key string, r *http.Request) int {
			io.Copy(io.Discard, r.Body)
			s.put(key, r.Header)
			return http.StatusOK
		}},
		{"checks first and writes later", func(s *badServer, key string, r *http.Request) int {
			if s.has(key) {
				return http.StatusPreconditionFailed
			}
			io.Copy(io.Discard, r.Body)
			s.put(key, r.Header)
			return http.StatusOK
		}},
		{"does not know the condition", func(_ *badServer, _ string, r *http.Request) int {
			io.Copy(io.Discard, r.Body)
			return http.StatusNotImplemented
		}},
		{"lets nobody win", func(_ *badServer, _ string, r *http.Request) int {
			io.Copy(io.Discard, r.Body)
			return http.StatusConflict
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &badServer{create: test.create, objects: map[string]http.Header{}}
			server := httptest.NewServer(s)
			defer server.Close()
			_, err := Open(t.Context(), Options{Endpoint: server.URL, Bucket: "appstore", AccessKey: "a", SecretKey: "s"})
			if !errors.Is(err, errNotAtomic) {
				t.Errorf("Open: %v, want %v", err, errNotAtomic)
			}
			if len(s.objects) > 0 {
				t.Errorf("the probe has left %d objects", len(s.objects))
			}
		})
	}
}

func TestProbeLeavesNothing(t *testing.T) {
	o := testOptions(t)
	o.Prefix = "some/where"
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range s.List(t.Context(), "", "") {
		t.Errorf("left: %v, %v", info.Key, err)
	}
}

func TestOptions(t *testing.T) {
	good := Options{Endpoint: "https://s3.example.org", Bucket: "appstore", AccessKey: "a", SecretKey: "s"}
	if _, err := connect(good); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"no scheme":      func(o *Options) { o.Endpoint = "s3.example.org" },
		"other scheme":   func(o *Options) { o.Endpoint = "ftp://s3.example.org" },
		"a path":         func(o *Options) { o.Endpoint += "/bucket" },
		"no key":         func(o *Options) { o.AccessKey = "" },
		"no secret":      func(o *Options) { o.SecretKey = "" },
		"long prefix":    func(o *Options) { o.Prefix = strings.Repeat("p", 700) },
		"no CA file":     func(o *Options) { o.CA = "no-such-file" },
		"CA without PEM": func(o *Options) { o.CA = "s3.go" },
	} {
		o := good
		change(&o)
		if _, err := connect(o); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%s: %v", name, fmt.Sprint(err))
		}
	}
}
