package bleve_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/search"
	"appstore/search/bleve"
)

func doc(name string, position uint64) search.Doc {
	return search.Doc{Name: name, Spelling: name, Position: position, Version: "1.0.0", Trust: "untrusted", Updated: time.Unix(1_700_000_000, 0).UTC()}
}

func mark(n uint64) search.Mark { return search.Mark{Position: n, Digest: fmt.Sprint(n)} }

// made makes a folder with two documents, and returns the folder and the
// generation in it.
func made(t *testing.T) (dir, generation string) {
	t.Helper()
	dir = t.TempDir()
	x, err := bleve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Put(t.Context(), mark(2), doc("alpha", 1), doc("beta", 2)); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, current(t, dir)
}

func current(t *testing.T, dir string) string {
	t.Helper()
	name, err := os.ReadFile(filepath.Join(dir, "current"))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, strings.TrimSpace(string(name)))
}

func wantState(t *testing.T, x *bleve.Index, want search.State) {
	t.Helper()
	if got, err := x.State(t.Context()); err != nil || got != want {
		t.Errorf("State is %+v, %v; want %+v", got, err, want)
	}
}

func TestReopen(t *testing.T) {
	dir, _ := made(t)
	open(t, t.TempDir()) // another one meanwhile
	x := open(t, dir)
	wantState(t, x, search.State{Mark: mark(2), Docs: 2})
	r, err := x.Search(t.Context(), search.Query{})
	if err != nil || r.Total != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A folder that can't be used is replaced by an empty index, whatever is wrong
// with it.
func TestDamagedFolder(t *testing.T) {
	for name, damage := range map[string]func(dir, gen string) error{
		"no current": func(dir, gen string) error { return os.Remove(filepath.Join(dir, "current")) },
		"current garbled": func(dir, gen string) error {
			return os.WriteFile(filepath.Join(dir, "current"), []byte("../../x\x00"), 0o644)
		},
		"generation gone": func(dir, gen string) error { return os.RemoveAll(gen) },
		"meta gone":       func(dir, gen string) error { return os.Remove(filepath.Join(gen, "index_meta.json")) },
		"meta garbled": func(dir, gen string) error {
			return os.WriteFile(filepath.Join(gen, "index_meta.json"), []byte("{"), 0o644)
		},
		"root garbled": func(dir, gen string) error {
			return os.WriteFile(filepath.Join(gen, "store", "root.bolt"), []byte(strings.Repeat("x", 70000)), 0o644)
		},
		"segments gone": func(dir, gen string) error {
			return eachSegment(gen, func(path string) error { return os.Remove(path) })
		},
		"segments cut": func(dir, gen string) error {
			return eachSegment(gen, func(path string) error { return os.Truncate(path, 20) })
		},
		"other mapping": func(dir, gen string) error {
			other := filepath.Join(dir, "0123456789ab-0")
			if err := os.Rename(gen, other); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "current"), []byte(filepath.Base(other)), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, gen := made(t)
			if err := damage(dir, gen); err != nil {
				t.Fatal(err)
			}
			x := open(t, dir)
			wantState(t, x, search.State{})
			if err := x.Put(t.Context(), mark(2), doc("alpha", 1), doc("beta", 2)); err != nil {
				t.Fatal(err)
			}
			wantState(t, x, search.State{Mark: mark(2), Docs: 2})
			if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) != 1 {
				t.Errorf("generations left over: %v", left)
			}
		})
	}
}

func eachSegment(gen string, f func(string) error) error {
	paths, err := filepath.Glob(filepath.Join(gen, "store", "*.zap"))
	if err != nil || len(paths) == 0 {
		return fmt.Errorf("no segments in %s: %w", gen, err)
	}
	for _, p := range paths {
		err = errors.Join(err, f(p))
	}
	return err
}

// What other people keep in the folder is not touched.
func TestForeignFilesStay(t *testing.T) {
	dir, _ := made(t)
	note := filepath.Join(dir, "notes-2026.txt")
	if err := os.WriteFile(note, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(note); err != nil {
		t.Error(err)
	}
}

// A crash in the middle of a rebuild leaves the old index.
func TestCrashInRebuild(t *testing.T) {
	dir, gen := made(t)
	half := gen[:len(gen)-1] + "zz"
	if err := os.CopyFS(half, os.DirFS(gen)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "current.new"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	x := open(t, dir)
	wantState(t, x, search.State{Mark: mark(2), Docs: 2})
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-made index is still there: %v", err)
	}
}

func TestRebuildLeavesOneGeneration(t *testing.T) {
	dir, gen := made(t)
	x := open(t, dir)
	docs := func(yield func(search.Doc, error) bool) { yield(doc("gamma", 3), nil) }
	if err := x.Rebuild(t.Context(), mark(3), docs); err != nil {
		t.Fatal(err)
	}
	if now := current(t, dir); now == gen {
		t.Error("current still names the old generation")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) != 1 {
		t.Errorf("generations left over: %v", left)
	}
	x.Close()
	wantState(t, open(t, dir), search.State{Mark: mark(3), Docs: 1})
}

func TestSecondProcess(t *testing.T) {
	dir, _ := made(t)
	open(t, dir)
	if _, err := bleve.Open(dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open of a folder that is open: %v", err)
	}
}

func TestClosed(t *testing.T) {
	x := open(t, t.TempDir())
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	_, search1 := x.Search(t.Context(), search.Query{})
	_, state := x.State(t.Context())
	for i, err := range []error{search1, state, x.Put(t.Context(), mark(1)), x.Rebuild(t.Context(), mark(1), nil)} {
		if !errors.Is(err, search.ErrUnavailable) {
			t.Errorf("call %d on a closed index: %v, want ErrUnavailable", i, err)
		}
	}
}

// Close waits until what Put has acknowledged is on disk.
func TestCloseKeepsAll(t *testing.T) {
	dir := t.TempDir()
	x := open(t, dir)
	const n = 100
	for i := uint64(1); i <= n; i++ {
		if err := x.Put(t.Context(), mark(i), doc(fmt.Sprintf("plugin-%d", i), i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	wantState(t, open(t, dir), search.State{Mark: mark(n), Docs: n})
}

// When Rebuild returns the new index is on disk: a process that ends without
// Close leaves all of it.
func TestKilledAfterRebuild(t *testing.T) {
	const n = 1200 // three batches
	if dir := os.Getenv("TEST_BLEVE_REBUILD"); dir != "" {
		x, err := bleve.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = x.Rebuild(context.Background(), mark(n), func(yield func(search.Doc, error) bool) {
			for i := range n {
				if !yield(doc(fmt.Sprintf("plugin-%d", i), 1), nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		os.Exit(0)
	}
	dir, _ := made(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledAfterRebuild$")
	cmd.Env = append(os.Environ(), "TEST_BLEVE_REBUILD="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantState(t, open(t, dir), search.State{Mark: mark(n), Docs: n})
}

// The mark is never ahead of the documents: a process that is killed while it
// writes leaves a folder in which all documents up to the mark are found. What
// it has lost is what a journal puts again, from the mark on.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv("TEST_BLEVE_WRITER"); dir != "" {
		x, err := bleve.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for i := uint64(1); ; i++ {
			if err := x.Put(context.Background(), mark(i), doc(fmt.Sprintf("plugin-%d", i), i)); err != nil {
				t.Fatal(err)
			}
			fmt.Println(i)
		}
	}
	for round := range 5 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledWriter$")
		cmd.Env = append(os.Environ(), "TEST_BLEVE_WRITER="+dir)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		said := bufio.NewReader(pipe)
		first, err := said.ReadString('\n') // however long it takes to start
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(first)
		kill := time.AfterFunc(time.Duration(50+100*round)*time.Millisecond, func() { cmd.Process.Kill() })
		io.Copy(&out, said)
		kill.Stop()
		cmd.Wait()
		lines := strings.Fields(out.String())
		x := open(t, dir)
		st, err := x.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := x.Search(t.Context(), search.Query{})
		if err != nil || uint64(r.Total) != st.Position {
			t.Errorf("%d puts were acknowledged, the mark is at %d, %d are found, %v", len(lines), st.Position, r.Total, err)
		}
		if lost := uint64(len(lines)) - min(st.Position, uint64(len(lines))); lost > 16 {
			t.Errorf("%d of %d acknowledged puts are lost, more than may be unsaved", lost, len(lines))
		}
		for i := st.Position + 1; i <= uint64(len(lines)); i++ {
			if err := x.Put(t.Context(), mark(i), doc(fmt.Sprintf("plugin-%d", i), i)); err != nil {
				t.Fatal(err)
			}
		}
		n := max(st.Position, uint64(len(lines)))
		wantState(t, x, search.State{Mark: mark(n), Docs: int(n)})
	}
}
