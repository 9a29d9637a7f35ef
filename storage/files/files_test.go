package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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

func TestWholeObjectIsAFile(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Create(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "a", storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, ok := r.(*os.File); !ok {
		t.Errorf("the reader is a %T", r)
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
