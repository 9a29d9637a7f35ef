package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"appstore/storage"
	"appstore/storage/storagetest"
)

// record opens the store in dir on a disk that tells what it is asked for, in
// order, with paths relative to dir and the names of temporary files left out.
func record(t *testing.T, dir string) (*Store, *[]string) {
	t.Helper()
	var calls []string
	name := func(path string) string {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return path
		}
		if within(filepath.Join(dir, "temp"), path) {
			return "temp"
		}
		return rel
	}
	real := theDisk
	s, err := openOn(disk{
		open: real.open,
		sync: func(f *os.File) error {
			calls = append(calls, "sync "+name(f.Name()))
			return real.sync(f)
		},
		syncAll: func(f *os.File) error {
			calls = append(calls, "sync all "+name(f.Name()))
			return real.syncAll(f)
		},
		link: func(from, to string) error {
			calls = append(calls, "link "+name(from)+" "+name(to))
			return real.link(from, to)
		},
		rename: func(from, to string) error {
			calls = append(calls, "rename "+name(from)+" "+name(to))
			return real.rename(from, to)
		},
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, &calls
}

func TestWritesAreDurable(t *testing.T) {
	dir := t.TempDir()
	s, calls := record(t, dir)
	if want := []string{"sync ."}; !slices.Equal(*calls, want) {
		t.Errorf("a new store:\ngot  %q\nwant %q", *calls, want)
	}
	for _, test := range []struct {
		name string
		do   func() error
		want []string
	}{
		{
			"create in new folders",
			func() error { return s.Create(t.Context(), "a/b/1", []byte("x")) },
			[]string{"sync temp", "sync objects", "sync objects/a", "link temp objects/a/b/1", "sync objects/a/b"},
		},
		{
			"create in a known folder",
			func() error { return s.Create(t.Context(), "a/b/2", []byte("x")) },
			[]string{"sync temp", "link temp objects/a/b/2", "sync objects/a/b"},
		},
		{
			"put in a known folder",
			func() error { return s.Put(t.Context(), "a/b/2", strings.NewReader("y"), 1) },
			[]string{"sync temp", "rename temp objects/a/b/2", "sync objects/a/b"},
		},
		{
			"put in a new folder",
			func() error { return s.Put(t.Context(), "a/c/1", strings.NewReader("y"), 1) },
			[]string{"sync temp", "sync objects/a", "rename temp objects/a/c/1", "sync objects/a/c"},
		},
		{
			"delete",
			func() error { return s.Delete(t.Context(), "a/b/1") },
			[]string{"sync objects/a/b"},
		},
	} {
		*calls = nil
		if err := test.do(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if !slices.Equal(*calls, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, *calls, test.want)
		}
	}

	// What is there may have been placed a moment before the last process was
	// killed: it is made durable before anybody can read it. And a folder may
	// have been made then: it is fsynced into its parent before it is relied on.
	s.Close()
	s, calls = record(t, dir)
	if err := s.Create(t.Context(), "a/b/3", nil); err != nil {
		t.Fatal(err)
	}
	want := []string{"sync .", "sync all objects", "sync temp", "sync objects", "sync objects/a", "link temp objects/a/b/3", "sync objects/a/b"}
	if !slices.Equal(*calls, want) {
		t.Errorf("after opening again:\ngot  %q\nwant %q", *calls, want)
	}
}

// failOnce lets the nth fsync from now fail, and counts how often each file
// was fsynced.
func failOnce(s *Store, n int) map[string]int {
	count := map[string]int{}
	real := s.disk.sync
	s.disk.sync = func(f *os.File) error {
		count[f.Name()]++
		if n--; n == 0 {
			return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
		}
		return real(f)
	}
	return count
}

func TestFailedFsync(t *testing.T) {
	for _, test := range []struct {
		name   string
		n      int
		want   error
		exists bool
		broken bool // whether the store takes no more writes
	}{
		{"of the file", 1, storage.ErrUnavailable, false, false},
		{"of the parent of a new folder", 2, storage.ErrUnavailable, false, true},
		{"of the folder", 3, storage.ErrUnknown, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			count := failOnce(s, test.n)
			err := s.Create(t.Context(), "a/1", []byte("x"))
			if !errors.Is(err, test.want) || !errors.Is(err, syscall.EIO) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if left, _ := os.ReadDir(s.temp); len(left) > 0 {
				t.Errorf("left in temp: %v", left)
			}
			if _, err := os.Stat(s.path("a/1")); err == nil != test.exists {
				t.Errorf("the file of the object: %v; want one: %v", err, test.exists)
			}
			err = s.Create(t.Context(), "a/2", []byte("x"))
			if test.broken != errors.Is(err, storage.ErrUnavailable) || !test.broken && err != nil {
				t.Errorf("the next write: %v", err)
			}
			if !test.broken {
				return
			}
			for name, n := range count {
				if n > 1 && !within(s.temp, name) {
					t.Errorf("%s was fsynced %d times", name, n)
				}
			}
		})
	}
}

// TestBrokenStoreAnswersNothing: also what was seen before the fsync failed is
// not shown, nor called existing.
func TestBrokenStoreAnswersNothing(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	failOnce(s, 2)
	if err := s.Create(t.Context(), "k", []byte("x")); !errors.Is(err, storage.ErrUnknown) {
		t.Fatalf("create: %v, want %v", err, storage.ErrUnknown)
	}
	storagetest.RunDown(t, s) // with the same key
	if _, _, err := s.Get(t.Context(), "before", storage.Read{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("get of another object: %v", err)
	}
	if _, _, err := s.Get(t.Context(), "absent", storage.Read{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("get of an absent object: %v", err)
	}
}

// TestNothingIsSeenBeforeItIsDurable stops a write between its placement and
// the fsync of its folder.
func TestNothingIsSeenBeforeItIsDurable(t *testing.T) {
	for _, outcome := range []error{nil, syscall.EIO} {
		t.Run(fmt.Sprint(outcome), func(t *testing.T) {
			s := open(t, t.TempDir())
			if err := s.Create(t.Context(), "a/other", nil); err != nil {
				t.Fatal(err)
			}
			placed, release := make(chan struct{}), make(chan struct{})
			real := s.disk.sync
			s.disk.sync = func(f *os.File) error {
				if f.Name() != filepath.Join(s.objects, "a") {
					return real(f)
				}
				close(placed)
				<-release
				return outcome
			}
			var writer sync.WaitGroup
			writer.Go(func() {
				if err := s.Create(t.Context(), "a/k", []byte("x")); errors.Is(err, storage.ErrUnknown) != (outcome != nil) {
					t.Errorf("create: %v", err)
				}
			})
			<-placed
			readers := map[string]func(context.Context) error{
				"get": func(ctx context.Context) error {
					r, _, err := s.Get(ctx, "a/k", storage.Read{})
					if err == nil {
						r.Close()
					}
					return err
				},
				"list": func(ctx context.Context) error {
					for _, err := range s.List(ctx, "a/k", "") {
						return err
					}
					return errors.New("nothing is listed")
				},
				"create": func(ctx context.Context) error {
					if err := s.Create(ctx, "a/k", nil); !errors.Is(err, storage.ErrExist) {
						return err
					}
					return nil
				},
			}
			for verb, do := range readers {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				if err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s, before the folder was fsynced: %v", verb, err)
				}
				cancel()
			}
			if r, _, err := s.Get(t.Context(), "a/other", storage.Read{}); err != nil {
				t.Errorf("get of another object: %v", err)
			} else {
				r.Close()
			}
			close(release)
			for verb, do := range readers {
				if err := do(t.Context()); outcome == nil && err != nil || outcome != nil && !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s, after the fsync: %v", verb, err)
				}
			}
			writer.Wait()
			if n := s.placing.count.Load(); n != 0 || len(s.placing.of) > 0 {
				t.Errorf("%d writes, %d keys are left as under way", n, len(s.placing.of))
			}
		})
	}
}

// TestTracedWrites lets strace watch a process that writes, and checks what
// the kernel was asked for.
func TestTracedWrites(t *testing.T) {
	if dir := os.Getenv("APPSTORE_TEST_TRACED_DIR"); dir != "" {
		s := open(t, dir)
		for i := range 5 {
			if err := s.Create(t.Context(), fmt.Sprintf("c/%d/k", i), []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := s.Put(t.Context(), "p/k", bytes.NewReader([]byte("x")), 1); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace here: that writes are fsynced is checked by TestWritesAreDurable only")
	}
	log, dir := filepath.Join(t.TempDir(), "log"), t.TempDir()
	cmd := exec.Command(strace, "-f", "-y", "-o", log, "-e", "trace=fsync,linkat,rename,renameat,renameat2,mkdirat,mkdir",
		os.Args[0], "-test.run=^TestTracedWrites$")
	cmd.Env = append(os.Environ(), "APPSTORE_TEST_TRACED_DIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("strace may not watch here: %s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	checkTrace(t, string(text), filepath.Join(dir, "objects"))
}

var (
	traceSync  = regexp.MustCompile(`fsync\(\d+<([^>]*)>`)
	tracePlace = regexp.MustCompile(`(?:linkat|renameat2?|rename)\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)", (?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)"`)
	traceMkdir = regexp.MustCompile(`mkdir(?:at)?\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)"[^=]*= 0`)
)

// checkTrace checks the order of calls: a file is fsynced before it is placed,
// its folder after that and before the next write, and a new folder's parent
// before anything is placed in it.
func checkTrace(t *testing.T, trace, objects string) {
	synced := map[string]bool{} // files and folders with nothing unsynced
	pending := ""               // the folder that the last placement changed
	placed := 0
	for line := range strings.Lines(trace) {
		if m := traceMkdir.FindStringSubmatch(line); m != nil && within(objects, m[1]) {
			synced[filepath.Dir(m[1])] = false
		}
		if m := traceSync.FindStringSubmatch(line); m != nil {
			synced[m[1]] = true
			if m[1] == pending {
				pending = ""
			}
		}
		m := tracePlace.FindStringSubmatch(line)
		if m == nil || !within(objects, m[2]) {
			continue
		}
		placed++
		if pending != "" {
			t.Errorf("%s was not fsynced before the next write: %s", pending, line)
		}
		if !synced[m[1]] {
			t.Errorf("the file was not fsynced: %s", line)
		}
		pending = filepath.Dir(m[2])
		for dir := filepath.Dir(pending); within(objects, dir); dir = filepath.Dir(dir) {
			if !synced[dir] {
				t.Errorf("%s was not fsynced: %s", dir, line)
			}
		}
	}
	if pending != "" {
		t.Errorf("%s was not fsynced after the last write", pending)
	}
	if placed != 10 {
		t.Errorf("the trace shows %d writes, want 10:\n%s", placed, trace)
	}
}
