package pip

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"appstore/registry"
)

// publishSdist publishes a plugin whose back end is an sdist of its name.
func publishSdist(t *testing.T, reg *registry.Registry, name, version string) {
	t.Helper()
	top := name + "-" + version
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, f := range [][2]string{
		{top + "/PKG-INFO", "Metadata-Version: 2.2\nName: " + name + "\nVersion: " + version + "\n\n"},
		{top + "/" + name + ".py", "class Plugin:\n    pass\n"},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f[1])
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	next := [][]byte{b.Bytes()}
	_, err := reg.Publish(t.Context(), registry.Upload{
		Descriptor: []byte("name: " + name + "\nversion: " + version + "\nsummary: Text\nbackend: " + name + "\nbackend_component: " + name + ".Plugin\n"),
		By:         "test",
		Next: func() (string, io.Reader, error) {
			if len(next) == 0 {
				return "", nil, io.EOF
			}
			content := next[0]
			next = nil
			return top + ".tar.gz", bytes.NewReader(content), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
