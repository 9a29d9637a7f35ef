package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/api/client"
)

// TestStop: a publish that is under way when the server is told to stop ends
// well, and the server exits with 0.
func TestStop(t *testing.T) {
	s := &testServer{}
	data := filepath.Join(t.TempDir(), "data")
	url, err := s.start(map[string]string{"APPSTORE_TOKEN": "of-the-test"}, "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	file := memoryFile("slow-1.0.0-py3-none-any.whl", wheel("slow", "1.0.0", ""))
	file.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(&slowReader{content: wheel("slow", "1.0.0", ""), started: started}), nil
	}
	published := make(chan error, 1)
	go func() {
		_, err := client.New(url, "of-the-test").Publish(t.Context(), "Slow",
			[]byte("name: Slow\nversion: 1.0.0\nbackend: slow\nbackend_component: slow.Plugin\n"), []client.FileSource{file}, nil)
		published <- err
	}()
	<-started
	if code := s.stop(); code != 0 {
		t.Errorf("the server exited with %d:\n%s", code, s.err.String())
	}
	if err := <-published; err != nil {
		t.Errorf("the publish under way: %v", err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("the server still answers")
	}

	url, err = s.start(nil, "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	if _, err := client.New(url, "").Release(t.Context(), "Slow", "1.0.0"); err != nil {
		t.Error(err)
	}
}

// slowReader gives its content in pieces, over half a second.
type slowReader struct {
	content []byte
	started chan struct{}
	pieces  int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.content) == 0 {
		return 0, io.EOF
	}
	if r.pieces++; r.pieces == 2 {
		close(r.started)
	}
	time.Sleep(50 * time.Millisecond)
	n := copy(p, r.content[:min(len(r.content), 60)])
	r.content = r.content[n:]
	return n, nil
}

// TestImportFromURL imports what a URL gives, within bounds.
func TestImportFromURL(t *testing.T) {
	c := startServer(t, nil)
	env := map[string]string{"APPSTORE_URL": c.URL(), "APPSTORE_TOKEN": "of-the-test"}
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plugin.yaml":
			io.WriteString(w, "name: Remote\nversion: 1.0.0\nbackend_component: remote.Remote\n")
		case "/endless":
			piece := bytes.Repeat([]byte("#"), 1<<20)
			for range 40 {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer source.Close()
	for _, test := range []struct {
		path, say string
		code      int
	}{
		{"/plugin.yaml", "1 release published", 0},
		{"/plugin.yaml", "Nothing has changed", 0},
		{"/endless", "has more than", 1},
		{"/nothing", "answered 404", 1},
	} {
		code, out, errs := command(t, env, "import", source.URL+test.path)
		if code != test.code || !strings.Contains(out+errs, test.say) {
			t.Errorf("import %s exits with %d, want %d and %q\n%s%s", test.path, code, test.code, test.say, out, errs)
		}
	}
}

// TestFetchFromHostileServer: what a server says is no reason to write outside
// of the folder, or to keep what is not what was promised.
func TestFetchFromHostileServer(t *testing.T) {
	const text = "name: Evil\n"
	const sum = "1d7bf2f1e5a5c2f1b2c3c7d6c1b1f0a0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4" // not of text
	for _, test := range []struct{ name, file, sum, say string }{
		{"a path upwards", "../evil.whl", sum, "not safe"},
		{"an absolute path", "/tmp/evil.whl", sum, "not safe"},
		{"a hidden file", ".bashrc", sum, "not safe"},
		{"a folder", "a/b.whl", sum, "not safe"},
		{"the descriptor's name", "plugin.yaml", sum, "not safe"},
		{"the same in capitals", "PLUGIN.yaml", sum, "not safe"},
		{"control characters", "a\x1b[2J.whl", sum, "not safe"},
		{"no digest", "a.whl", "", "does not say"},
		{"other files than the digest's", "a.whl", strings.Repeat("0", 64), "not those of its digest"},
		{"other bytes than promised", "a.whl", sum, "is not what the release says"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := client.Release{
				ID: "evil", Name: "Evil", Version: "1.0.0", State: "live",
				Source: client.File{Name: "plugin.yaml", Size: int64(len(text)), SHA256: sum},
				Files:  []client.File{{Name: test.file, Kind: "wheel", Size: int64(len(text)), SHA256: test.sum}},
			}
			r.Digest = releaseDigest([]string{sum, sum})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if strings.Contains(q.URL.Path, "/files/") || strings.HasSuffix(q.URL.Path, "/descriptor") {
					io.WriteString(w, text)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, mustJSON(t, r))
			}))
			defer server.Close()
			top := t.TempDir()
			code, out, errs := command(t, map[string]string{"APPSTORE_URL": server.URL}, "fetch", "Evil@1.0.0", "-o", filepath.Join(top, "in", "out"))
			if code != 1 || !strings.Contains(errs, test.say) {
				t.Errorf("exit %d, want 1 and %q\n%s%s", code, test.say, out, errs)
			}
			left, err := os.ReadDir(top)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}
