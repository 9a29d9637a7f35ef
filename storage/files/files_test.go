package files

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"appstore/storage"
	"appstore/storage/storagetest"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenTwiceNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(dir)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("second Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestOpenSweepsTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	left := filepath.Join(dir, "temp", "left-by-a-crash")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}

func TestReadOnlyBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReadOnly(dir); err == nil {
		t.Error("OpenReadOnly made a store")
	}
	w := open(t, dir)
	if err := w.Create(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	body, _, err := r.Get(t.Context(), "a/b", storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	for verb, err := range map[string]error{
		"put":    r.Put(t.Context(), "c", strings.NewReader("x"), 1),
		"create": r.Create(t.Context(), "c", nil),
		"delete": r.Delete(t.Context(), "a/b"),
	} {
		if !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestClosedTakesNoWrites(t *testing.T) {
	s := open(t, t.TempDir())
	s.Close()
	if err := s.Create(t.Context(), "a", nil); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("delete: %v", err)
	}
}

func TestNoKeyIsAFolderOfAnother(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a/b", nil); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a/b/c"} {
		if err := s.Create(t.Context(), key, nil); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("create %q: %v", key, err)
		}
		if err := s.Put(t.Context(), key, strings.NewReader(""), 0); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("put %q: %v", key, err)
		}
		if _, _, err := s.Get(t.Context(), key, storage.Read{}); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("get %q: %v", key, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	if _, _, err := s.Get(t.Context(), "a/b", storage.Read{}); err != nil {
		t.Error(err)
	}
}

// counting counts the reads of an object.
type counting struct {
	*object
	reads int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	return c.object.Read(p)
}

// TestWholeObjectGoesOutBySendfile: the connection takes the bytes from the
// file, and none pass through Read.
func TestWholeObjectGoesOutBySendfile(t *testing.T) {
	s := open(t, t.TempDir())
	data := bytes.Repeat([]byte("data"), 100_000)
	if err := s.Create(t.Context(), "a", data); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "a", storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &counting{object: r.(*object)}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := io.Copy(conn, c); err != nil {
			t.Error(err)
		}
		if c.reads > 0 && runtime.GOOS == "linux" {
			t.Errorf("%d reads", c.reads)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestReadError lets the disk fail in the middle of an object.
func TestReadError(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a/b", []byte("data")); err != nil {
		t.Fatal(err)
	}
	s.disk.open = func(path string) (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0) } // which can't be read
	for _, o := range []storage.Read{{}, {Offset: 1}, {Length: 2}} {
		r, _, err := s.Get(t.Context(), "a/b", o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(r)
		if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, syscall.EBADF) || strings.Contains(err.Error(), s.objects) {
			t.Errorf("%+v: %v", o, err)
		}
		r.Close()
	}
}

func TestDeleteLeavesNoEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 2 { // the folders can be made again
		if err := s.Create(t.Context(), "a/b/c/d", nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "a/b/c/d"); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "objects")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) (a, b storage.Store) {
		s := open(t, t.TempDir())
		return s, s // there is no second one: see TestOpenTwiceNamesTheHolder
	})
}

// A store in a folder replaces and removes objects without waiting for those who
// read them, as other stores may.
func TestWritesDoNotWaitForReaders(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	old := bytes.Repeat([]byte("old!"), 2<<20)
	for what, change := range map[string]func(key string) error{
		"replace": func(key string) error { return s.Put(ctx, key, strings.NewReader("new"), 3) },
		"delete":  func(key string) error { return s.Delete(ctx, key) },
	} {
		if err := s.Put(ctx, what, bytes.NewReader(old), int64(len(old))); err != nil {
			t.Fatal(err)
		}
		r, _, err := s.Get(ctx, what, storage.Read{})
		if err != nil {
			t.Fatal(err)
		}
		if err := change(what); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, old) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		r.Close()
	}
}
