package api_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"appstore/storage"
	"appstore/storage/files"
)

// descriptorInPackage is the name of a descriptor that travels in a package.
const descriptorInPackage = "appstore-plugin.yaml"

// pyFile is a wheel.
type pyFile struct {
	name    string
	content []byte
}

func (f pyFile) sha256() string {
	sum := sha256.Sum256(f.content)
	return hex.EncodeToString(sum[:])
}

func (f pyFile) write(t testing.TB, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pyWheel makes a wheel that can be installed; it depends on requires.
func pyWheel(t testing.TB, name, version, tag string, modules map[string]string, requires ...string) pyFile {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	under := strings.ReplaceAll(name, "-", "_")
	info := under + "-" + version + ".dist-info/"
	record := ""
	add := func(path, text string) {
		w, err := z.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		sum := sha256.Sum256([]byte(text))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum[:]), len(text))
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		add(path, modules[path])
	}
	dependencies := ""
	for _, one := range requires {
		dependencies += "Requires-Dist: " + one + "\n"
	}
	add(info+"METADATA", "Metadata-Version: 2.1\nName: "+name+"\nVersion: "+version+"\nRequires-Python: >=3.8\nClassifier: Topic :: System\nClassifier: Topic :: Utilities\n"+dependencies+"\nText.\n")
	add(info+"WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: "+tag+"\n")
	add(info+"RECORD", record+info+"RECORD,,\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return pyFile{fmt.Sprintf("%s-%s-%s.whl", under, version, tag), b.Bytes()}
}

// kubeDescriptor is a plugin of a back end alone.
func kubeDescriptor(version string) string {
	return plain("KubePlugin", version, "Launch a cluster") + "backend: kube-back\nbackend_component: kube_back.Plugin\n"
}

// kubeWheel is the back end of KubePlugin, with its descriptor in it.
func kubeWheel(t testing.TB, version, says string) pyFile {
	t.Helper()
	return pyWheel(t, "kube-back", version, "py3-none-any", map[string]string{
		"kube_back/__init__.py":            fmt.Sprintf("class Plugin:\n    def deploy(self):\n        return %q\n", says),
		"kube_back/" + descriptorInPackage: kubeDescriptor(version),
	})
}

func openFiles(t testing.TB) storage.Store {
	t.Helper()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}
