package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/elastic"
	"appstore/search/searchtest"
)

// server is the cluster that the tests run against.
type server struct {
	url string
	o   elastic.Options
}

// plain is the cluster without security.
func plain(t testing.TB) server {
	t.Helper()
	url := os.Getenv("APPSTORE_TEST_ELASTICSEARCH_URL")
	if url == "" {
		searchtest.Skip(t, "search on Elasticsearch, as APPSTORE_TEST_ELASTICSEARCH_URL does not say where one runs")
	}
	return server{url, elastic.Options{URLs: []string{url}}}
}

// secured is a cluster with TLS that wants an API key.
func secured(t testing.TB) server {
	t.Helper()
	url, ca, key := os.Getenv("APPSTORE_TEST_ELASTICSEARCH_TLS_URL"), os.Getenv("APPSTORE_TEST_ELASTICSEARCH_TLS_CA"), os.Getenv("APPSTORE_TEST_ELASTICSEARCH_TLS_API_KEY")
	if url == "" || ca == "" || key == "" {
		searchtest.Skip(t, "Elasticsearch with TLS and an API key, as APPSTORE_TEST_ELASTICSEARCH_TLS_URL, _TLS_CA and _TLS_API_KEY are not all set")
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	return server{url, elastic.Options{URLs: []string{url}, CA: pem, APIKey: key}}
}

// prefix is a new one for each test; its indexes are deleted at the end.
func (s server) prefix(t testing.TB) string {
	prefix := fmt.Sprintf("test-%d-%x", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		for name := range s.indexes(t, prefix) {
			s.do(t, http.MethodDelete, "/"+name, nil)
		}
	})
	return prefix
}

// indexes are those whose names begin so, with their aliases.
func (s server) indexes(t testing.TB, prefix string) map[string]struct{ Aliases map[string]any } {
	var all map[string]struct{ Aliases map[string]any }
	if err := json.Unmarshal(s.do(t, http.MethodGet, "/"+prefix+"*/_alias", nil), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// do makes a request past the code under test, as an operator would.
func (s server) do(t testing.TB, method, path string, body any) []byte {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		req.Body, req.ContentLength = nil, 0
	}
	req.Header.Set("Content-Type", "application/json")
	if s.o.APIKey != "" {
		req.Header.Set("Authorization", "ApiKey "+s.o.APIKey)
	}
	res, err := elastic.HTTPClient(s.o.CA).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s %v", method, path, res.Status, answer, err)
	}
	return answer
}

func (s server) open(t testing.TB, prefix string) *elastic.Index {
	t.Helper()
	s.o.Prefix = prefix
	return open(t, s.o)
}

func open(t testing.TB, o elastic.Options) *elastic.Index {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(writer{t}, nil))
	x, err := elastic.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// writer is the test's log.
type writer struct{ testing.TB }

func (w writer) Write(p []byte) (int, error) {
	if w.Context().Err() == nil {
		w.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func TestIndex(t *testing.T) {
	s := plain(t)
	searchtest.Run(t, func(t *testing.T) search.Index { return s.open(t, s.prefix(t)) })
}

func TestSecured(t *testing.T) {
	s := secured(t)
	searchtest.Run(t, func(t *testing.T) search.Index { return s.open(t, s.prefix(t)) })
	ctx := context.Background()
	for name, change := range map[string]func(*elastic.Options){
		"no key":    func(o *elastic.Options) { o.APIKey = "" },
		"wrong key": func(o *elastic.Options) { o.APIKey = "d3Jvbmc6d3Jvbmc=" },
	} {
		o := s.o
		o.Prefix = "test-refused"
		change(&o)
		if _, err := elastic.Open(ctx, o); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("%s: Open returns %v, want a refusal", name, err)
		}
	}
	o := s.o
	o.CA = []byte("not a certificate")
	if _, err := elastic.Open(ctx, o); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("a CA that is none: %v", err)
	}
}
