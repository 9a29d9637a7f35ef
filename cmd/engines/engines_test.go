package main

import (
	"archive/zip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func writeZip(t *testing.T, names ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for _, name := range names {
		file, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(file, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnpackTakesOneFolder(t *testing.T) {
	dir := t.TempDir()
	archive := writeZip(t, "top/elasticsearch/", "top/elasticsearch/lib/a.jar", "top/elasticsearch/README", "top/lib/b.jar", "top/elasticsearch.txt", "elasticsearch/c")
	if err := unpack(archive, "elasticsearch", dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if want := []string{"README", "lib/a.jar"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("unpacked %q, %v; want %q", got, err, want)
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, archive := range map[string]string{
		"a way out":    writeZip(t, "top/elasticsearch/../../../out"),
		"no such part": writeZip(t, "top/lib/b.jar"),
	} {
		dir := filepath.Join(t.TempDir(), "in")
		if err := unpack(archive, "elasticsearch", dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCheckSum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err := checkSum(path, abc); err != nil {
		t.Error(err)
	}
	if err := checkSum(path, archiveSum); err == nil || !strings.Contains(err.Error(), abc) {
		t.Errorf("a file with another sum: %v", err)
	}
}

func TestInstallOnceAndWhole(t *testing.T) {
	dir := t.TempDir()
	// A failure leaves nothing behind.
	broken := errors.New("broken")
	_, err := newCache().installIn(t.Context(), dir, "x-1", func(beside string) error {
		return errors.Join(os.WriteFile(filepath.Join(beside, "half"), nil, 0o600), broken)
	})
	if !errors.Is(err, broken) || isDir(filepath.Join(dir, "x-1")) || isDir(filepath.Join(dir, "x-1.part")) {
		t.Fatalf("after a failure: %v", err)
	}
	// Of racing ones, each a process of its own as far as the lock goes, one
	// does the work.
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			home, err := newCache().installIn(t.Context(), dir, "x-1", func(beside string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(beside, "whole"), nil, 0o600)
			})
			if err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(home, "whole")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if fills.Load() != 1 {
		t.Errorf("installed %d times", fills.Load())
	}
}

func newCache() *cache { return &cache{log: &progress{w: io.Discard}} }

// given sets the variables that keep every engine from being started.
func given(t *testing.T) {
	t.Setenv("APPSTORE_TEST_S3_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("APPSTORE_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:1")
}

func TestCommandsExitCodeAndStreams(t *testing.T) {
	given(t)
	for script, want := range map[string]int{"cat": 0, "cat; exit 7": 7, "cat; kill -9 $$": 128 + 9} {
		var stdout, stderr strings.Builder
		got := run([]string{"--", "sh", "-c", script}, strings.NewReader("in and out"), &stdout, &stderr)
		if got != want || stdout.String() != "in and out" {
			t.Errorf("%s: exit code %d, want %d; stdout %q, stderr %q", script, got, want, stdout.String(), stderr.String())
		}
	}
}

func TestUsage(t *testing.T) {
	given(t)
	for _, args := range [][]string{{}, {"-only", "redis", "--", "true"}, {"-x", "--", "true"}} {
		if got := run(args, strings.NewReader(""), io.Discard, io.Discard); got != exitUsage {
			t.Errorf("%q: exit code %d, want %d", args, got, exitUsage)
		}
	}
	if got := run([]string{"--", "/no/such/command"}, strings.NewReader(""), io.Discard, io.Discard); got != exitFailed {
		t.Errorf("no such command: exit code %d, want %d", got, exitFailed)
	}
}

func TestChoose(t *testing.T) {
	names := func(only string) string {
		chosen, err := choose(engines(), only)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range chosen {
			names = append(names, e.name)
		}
		return strings.Join(names, " ")
	}
	t.Setenv("APPSTORE_TEST_S3_ENDPOINT", "")
	t.Setenv("APPSTORE_TEST_ELASTICSEARCH_URL", "")
	t.Setenv("APPSTORE_TEST_ELASTICSEARCH_TLS_URL", "")
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("chosen %q, want %q", got, want)
		}
	}
	check(names(""), "s3 elasticsearch elasticsearch-tls")
	check(names("elasticsearch,s3"), "s3 elasticsearch")
	t.Setenv("APPSTORE_TEST_ELASTICSEARCH_TLS_URL", "https://search.example.org")
	check(names(""), "s3 elasticsearch")
	t.Setenv("APPSTORE_TEST_ELASTICSEARCH_URL", "http://search.example.org")
	check(names(""), "s3")
	t.Setenv("APPSTORE_TEST_S3_ENDPOINT", "http://s3.example.org")
	check(names(""), "")
}

// TestUnavailable starts engines of which one can't be had.
func TestUnavailable(t *testing.T) {
	broken := errors.New("no network")
	good := engine{
		name:    "good",
		install: func(context.Context, *cache) (string, error) { return "", nil },
		start: func(_, dir string) (*process, error) {
			return launch(exec.Command("sleep", "60"), filepath.Dir(dir))
		},
		ready: func(context.Context, *process) ([]string, error) { return []string{"GOOD=1"}, nil },
	}
	bad := engine{name: "bad", install: func(context.Context, *cache) (string, error) { return "", broken }}
	ends := good
	ends.name = "ends"
	ends.start = func(_, dir string) (*process, error) {
		return launch(exec.Command("sh", "-c", "echo last words; exit 3"), filepath.Dir(dir))
	}
	ends.ready = func(ctx context.Context, p *process) ([]string, error) {
		return []string{"ENDS=1"}, p.await(ctx, func(context.Context) error { return broken })
	}
	for _, require := range []bool{false, true} {
		var out strings.Builder
		env, stop, _, err := startAll([]engine{good, bad, ends}, t.TempDir(), require, make(chan os.Signal), &progress{w: &out})
		if !slices.Equal(env, []string{"GOOD=1"}) {
			t.Errorf("variables %q", env)
		}
		if (err != nil) != require || require && !strings.Contains(err.Error(), "bad, ends") {
			t.Errorf("required %v: error %v", require, err)
		}
		for _, want := range []string{"bad: NOT AVAILABLE", "no network", "ends: NOT AVAILABLE"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the output lacks %q:\n%s", want, out.String())
			}
		}
		stop()
	}
}

func TestInterruptedStart(t *testing.T) {
	dir := t.TempDir()
	var running *process
	slow := engine{
		name:    "slow",
		install: func(context.Context, *cache) (string, error) { return "", nil },
		start: func(string, string) (p *process, err error) {
			running, err = launch(exec.Command("sleep", "60"), dir)
			return running, err
		},
		ready: func(ctx context.Context, p *process) ([]string, error) {
			return nil, p.await(ctx, func(context.Context) error { return errors.New("not yet") })
		},
	}
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	_, stop, signalled, _ := startAll([]engine{slow}, dir, false, signals, &progress{w: io.Discard})
	stop()
	if signalled != syscall.SIGTERM {
		t.Errorf("signal %v", signalled)
	}
	if running != nil && running.cmd.ProcessState == nil {
		t.Error("the engine is still running")
	}
}

func TestCertificates(t *testing.T) {
	ca, certificate, key, err := newCertificates()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil || len(ca) == 0 {
		t.Error(err)
	}
}
