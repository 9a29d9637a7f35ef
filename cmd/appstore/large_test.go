package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"appstore/api/client"
)

const (
	largeSize   = 500 << 20
	largeMemory = 64 << 20 // bytes that the server's process may have had in memory
)

// largeWheel writes a wheel of 500 MB that can't be compressed.
func largeWheel(t *testing.T, folder string) string {
	t.Helper()
	name := filepath.Join(folder, "large-1.0.0-py3-none-any.whl")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.NoCompression) })
	record := ""
	add := func(path string, content io.Reader) {
		w, err := z.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, sum), content)
		if err != nil {
			t.Fatal(err)
		}
		record += fmt.Sprintf("%s,sha256=%s,%d\n", path, base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), n)
	}
	add("large.py", bytes.NewReader([]byte("class Plugin:\n    pass\n")))
	add("large_data/model.bin", io.LimitReader(rand.NewChaCha8([32]byte{}), largeSize))
	const info = "large-1.0.0.dist-info/"
	add(info+"METADATA", bytes.NewReader([]byte("Metadata-Version: 2.1\nName: large\nVersion: 1.0.0\n\n")))
	add(info+"WHEEL", bytes.NewReader([]byte("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")))
	record += info + "RECORD,,\n"
	add(info+"RECORD", bytes.NewReader([]byte(record)))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peak is the most memory that the server has had so far, in bytes.
func (s *serverProcess) peak(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil && os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("the server's memory is NOT checked: %v", err)
	}
	m := peakLine.FindSubmatch(text)
	if m == nil {
		t.Fatalf("no VmHWM in %s", text)
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestLargeArtifact publishes a wheel of 500 MB, after an upload that breaks off,
// and fetches it, while the server stays below 64 MB of memory.
func TestLargeArtifact(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: artifacts of 500 MB are NOT checked")
	}
	wheel := largeWheel(t, t.TempDir())
	t.Run("files+bleve", func(t *testing.T) { publishLarge(t, wheel, nil) })
	t.Run("s3+elastic", func(t *testing.T) {
		publishLarge(t, wheel, realEngines(t, "artifacts of 500 MB over S3 and Elasticsearch"))
	})
}

func publishLarge(t *testing.T, wheel string, env map[string]string) {
	data := filepath.Join(t.TempDir(), "data")
	var vars []string
	for k, v := range env {
		vars = append(vars, k+"="+v)
	}
	server := startProcess(t, data, vars...)
	c := client.New(server.url, "of-the-test")
	source, err := client.FileAt(wheel)
	if err != nil {
		t.Fatal(err)
	}
	descriptor := []byte("name: Large\nversion: 1.0.0\nbackend: large\nbackend_component: large.Plugin\n")

	broken, breakOff := context.WithCancel(t.Context())
	_, err = c.Publish(broken, "Large", descriptor, []client.FileSource{source}, func(sent, total int64) {
		if sent > total/4 {
			breakOff()
		}
	})
	if err == nil {
		t.Fatal("the upload did not break off")
	}
	if large := largeFiles(t, data); len(large) > 0 {
		t.Errorf("the upload that broke off left %v", large)
	}

	p, err := c.Publish(t.Context(), "Large", descriptor, []client.FileSource{source}, nil)
	if err != nil || !p.Created {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := c.Download(t.Context(), &p.Release, p.Release.Files[0], io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	most := server.peak(t)
	t.Logf("at most %d MB", most>>20)
	if most > largeMemory {
		t.Errorf("the server had %d MB in memory, at most %d are allowed", most>>20, int64(largeMemory)>>20)
	}
}

// largeFiles are those of over a megabyte in a folder; the index's and the
// catalogue's space is no upload.
func largeFiles(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "catalogue.db" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 1<<20 {
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
