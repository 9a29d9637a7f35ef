package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"appstore/schema"
)

func TestBudget(t *testing.T) {
	b := budget{packed: MaxUnpacked}
	if err := b.add(MaxUnpacked); err != nil {
		t.Errorf("the limit itself is refused: %v", err)
	}
	if err := b.add(1); err == nil || err.Code != "bomb-total" {
		t.Errorf("above the limit: %v", err)
	}
	b = budget{packed: 100}
	if err := b.add(FreeUnpacked); err != nil {
		t.Errorf("a small file that compresses well is refused: %v", err)
	}
}

// TestMemory measures the peak of the heap while the largest directories that
// are allowed are read.
func TestMemory(t *testing.T) {
	const most = 8 << 20
	var all []file
	for i := range MaxEntries - 10 {
		all = append(all, file{fmt.Sprintf("kube/%d/%s", i/4, strings.Repeat("n", 40)+fmt.Sprint(i)), ""})
	}
	// The files are on the disk, so that the heap is small and so its garbage.
	dir := t.TempDir()
	keep := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wheel := keep("wheel", honest(all...).bytes())
	var tarball []byte
	for i := range MaxEntries - 10 {
		tarball = append(tarball, tarHead(fmt.Sprintf("kube-1.0.0/%d/%d", i/4, i), '0', 0)...)
	}
	sdist := keep("sdist", sdistWith(tarball))
	bomb := keep("bomb", sdistWith(tarPart("kube-1.0.0/zeros", '0', strings.Repeat("\x00", FreeUnpacked))))
	meta := keep("meta", with(metadata+strings.Repeat("text\n", (MaxMetadata-len(metadata))/5), wheelText, same).bytes())
	all, tarball = nil, nil

	for _, c := range []struct {
		what, name, path, code string
	}{
		{"many files in a wheel", wheelFile, wheel, ""},
		{"many files in an sdist", sdistFile, sdist, ""},
		{"a bomb", sdistFile, bomb, "bomb-ratio"},
		{"much metadata", wheelFile, meta, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			f, err := os.Open(c.path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			stat, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			defer debug.SetGCPercent(debug.SetGCPercent(10)) // what is garbage does not count
			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			var peak atomic.Uint64
			stop, done := make(chan bool), make(chan bool)
			go func() {
				defer close(done)
				for {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak.Store(max(peak.Load(), m.HeapAlloc))
					select {
					case <-stop:
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			}()
			_, err = Inspect(c.name, f, stat.Size())
			close(stop)
			<-done
			var bad *Error
			if errors.As(err, &bad) && bad.Code != c.code || err == nil && c.code != "" {
				t.Fatalf("the outcome is %v", err)
			}
			used := int64(peak.Load()) - int64(before.HeapAlloc)
			t.Logf("%.1f MB for a file of %.1f MB", float64(used)/(1<<20), float64(stat.Size())/(1<<20))
			if used > most {
				t.Errorf("it took %d bytes of memory; at most %d are allowed", used, most)
			}
		})
	}
}

// broken fails to read behind some place.
type broken struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("input/output error")

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > b.from {
		return 0, errDisk
	}
	return b.ReaderAt.ReadAt(p, at)
}

// TestUnreadable: a failure to read is no fault of the file, wherever it
// happens, and is no pass.
func TestUnreadable(t *testing.T) {
	for name, data := range map[string][]byte{wheelFile: honest().bytes(), sdistFile: sdistWith(), "kube.tgz": npmWith(packageJSON)} {
		for from := range len(data) {
			info, err := Inspect(name, broken{bytes.NewReader(data), int64(from)}, int64(len(data)))
			var bad *Error
			if !errors.Is(err, errDisk) || errors.As(err, &bad) {
				t.Fatalf("%s, unreadable from byte %d: %v", name, from, err)
			}
			errored := 0
			for _, c := range info.Checks {
				if c.Verdict == Errored {
					errored++
				}
				if c.Verdict == Fail {
					t.Fatalf("%s, unreadable from byte %d: %+v", name, from, c)
				}
			}
			if errored != 1 {
				t.Fatalf("%s, unreadable from byte %d: %+v", name, from, info.Checks)
			}
		}
		// The caller's size is wrong.
		if _, err := Inspect(name, bytes.NewReader(data), int64(len(data))+10); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, shorter than said: %v", name, err)
		}
	}
}

// TestCutAndFlipped: no file passes that was cut anywhere, nor a wheel with any
// byte changed that an installer reads.
func TestCutAndFlipped(t *testing.T) {
	for name, data := range map[string][]byte{wheelFile: honest().bytes(), sdistFile: sdistWith(), "kube.tgz": npmWith(packageJSON)} {
		for n := range len(data) {
			if _, err := inspect(name, data[:n]); err == nil {
				t.Errorf("%s passes, cut to %d of %d bytes", name, n, len(data))
			}
		}
	}
	data := honest().bytes()
	var free []int
	for i := range data {
		b := bytes.Clone(data)
		b[i] ^= 0x41
		if _, err := inspect(wheelFile, b); err == nil {
			free = append(free, i)
		}
	}
	// Versions, systems, times and attributes in headers: 2+4 bytes of a local
	// header, 4+4+2+4 of a central one.
	if entries := len(honest().all); len(free) > entries*(6+14) {
		t.Errorf("%d bytes can be changed unnoticed, more than the headers' times and versions: %v", len(free), free)
	}
}

// TestForgotten: a check that did not run refuses the file.
func TestForgotten(t *testing.T) {
	rep := newReport(Wheel)
	rep.pass(CheckFileName, CheckArchive)
	var bad *Error
	if err := rep.close(nil); !errors.As(err, &bad) || !strings.HasPrefix(bad.Code, "not-run") {
		t.Errorf("a report with checks that did not run is closed with %v", err)
	}
	for _, h := range hostileNames() {
		if checkOf(h.code) != CheckFileName {
			t.Errorf("%s belongs to %s", h.code, checkOf(h.code))
		}
	}
}

// FuzzInspect: whatever the file has, the outcome is an *Error with a code, or
// valid names with every check passed; soon, and the same again.
func FuzzInspect(f *testing.F) {
	names := []string{wheelFile, sdistFile, "kube.tgz"}
	for _, h := range hostileArchives() {
		if len(h.data) > 20_000 {
			continue
		}
		for kind, name := range names {
			if name == h.name {
				f.Add(uint8(kind), h.data)
			}
		}
	}
	f.Add(uint8(0), honest().bytes())
	f.Add(uint8(1), sdistWith())
	f.Add(uint8(2), npmWith(packageJSON))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		name := names[int(kind)%len(names)]
		began := time.Now()
		info, err := inspect(name, data)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes took %s", len(data), took)
		}
		again, err2 := inspect(name, data)
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || info.Package != again.Package {
			t.Errorf("twice the same gives %v and %v", err, err2)
		}
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Code == "" || bad.Message == "" || strings.HasPrefix(bad.Code, "not-run") {
				t.Errorf("the error is %v", err)
			}
			return
		}
		if err := schema.CheckPackage(info.Package.Ecosystem, info.Package.Name); err != nil {
			t.Errorf("accepted with the name %q: %v", info.Package.Name, err)
		}
		if info.Package.Version == "" || len(info.Package.Version) > 100 || strings.ContainsAny(info.Package.Version, " /\n<") {
			t.Errorf("accepted with the version %q", info.Package.Version)
		}
		for _, c := range info.Checks {
			if c.Verdict != Pass {
				t.Errorf("accepted with the check %+v", c)
			}
		}
	})
}

// BenchmarkInspect reads a wheel of 50 MB.
func BenchmarkInspect(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []file
	for i := range 250 {
		var text strings.Builder
		for text.Len() < 400<<10 { // half of it compresses
			fmt.Fprintf(&text, "%016x = value\n", random.Uint64())
		}
		all = append(all, file{fmt.Sprintf("kube/m%d.py", i), text.String()})
	}
	data := honest(all...).bytes()
	b.Logf("%d MB", len(data)>>20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := inspect(wheelFile, data); err != nil {
			b.Fatal(err)
		}
	}
}
