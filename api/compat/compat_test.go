package compat

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"appstore/registry"
	"appstore/search/bleve"
	"appstore/storage/files"
)

// A damaged descriptor is an error: a catalogue that silently goes without an app
// would make a CloudLaunch that prunes delete it.
func TestDamagedDescriptor(t *testing.T) {
	dir := t.TempDir()
	store, err := files.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	index, err := bleve.Open(filepath.Join(dir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { index.Close() })
	reg, err := registry.Open(t.Context(), registry.Options{Store: store, Index: index, Dir: filepath.Join(dir, "local"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reg.Close() })
	for _, name := range []string{"one", "two"} {
		text := "name: " + name + "\nversion: 1.0.0\nfrontend_component: Form\ndefault_config: {secret: mark-of-" + name + "}\n"
		if _, err := reg.Publish(t.Context(), registry.Upload{Descriptor: []byte(text), By: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	damaged := 0
	err = filepath.WalkDir(filepath.Join(dir, "store"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "files") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "mark-of-two") {
			return err
		}
		damaged++
		return os.WriteFile(path, []byte(strings.Replace(string(text), "mark-of-two", "mask-of-two", 1)), 0o600)
	})
	if err != nil || damaged != 1 {
		t.Fatalf("%d files damaged, %v", damaged, err)
	}
	c := New(reg, slog.New(slog.DiscardHandler))
	var e *registry.Error
	if _, err := c.File(t.Context()); !errors.As(err, &e) || e.Code != registry.Damaged || !strings.Contains(e.Detail, "two@1.0.0") {
		t.Errorf("the whole file: %v", err)
	}
	if text, err := c.Part(t.Context(), []string{"one", "nobody"}); err != nil || !strings.Contains(string(text), "mark-of-one") {
		t.Errorf("without it: %v\n%s", err, text)
	}
}
