package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"appstore/storage"
	"appstore/storage/files"
)

var update = flag.Bool("update", false, "write golden files anew")

func open(t *testing.T) (*Journal, *files.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := files.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s, "catalog"), s, dir
}

func events(texts ...string) (all []Event) {
	for _, text := range texts {
		data, _ := json.Marshal(text)
		all = append(all, Event{Kind: "noted", Format: 1, Data: data})
	}
	return all
}

func appendN(t *testing.T, j *Journal, n int) (head Head) {
	t.Helper()
	for i := range n {
		e, err := j.Append(t.Context(), head, time.Now(), events(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		head = e.Head()
	}
	return head
}

func TestAfterGivesEveryEntryInOrder(t *testing.T) {
	j, _, _ := open(t)
	head := appendN(t, j, 70) // more than one round of read-ahead
	var last Head
	n := 0
	for e, err := range j.After(t.Context(), Head{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position != uint64(n+1) || e.Previous != last.Digest || string(e.Events[0].Data) != fmt.Sprintf("%q", fmt.Sprint(n)) {
			t.Fatalf("entry %d: %+v", n+1, e)
		}
		last = e.Head()
		n++
	}
	if n != 70 || last != head {
		t.Fatalf("%d entries up to %v; want 70 up to %v", n, last, head)
	}
	for e := range j.After(t.Context(), head) {
		t.Fatalf("an entry after the end: %+v", e)
	}
}

func TestAppendLosesToAnotherWriter(t *testing.T) {
	j, s, _ := open(t)
	head := appendN(t, j, 3)
	if _, err := New(s, "catalog").Append(t.Context(), head, time.Now(), events("theirs")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), head, time.Now(), events("ours")); !errors.Is(err, ErrLost) {
		t.Fatalf("got %v, want ErrLost", err)
	}
}

func TestRacingWritersMakeOneChain(t *testing.T) {
	j, s, _ := open(t)
	const writers, each = 8, 20
	var g sync.WaitGroup
	for w := range writers {
		g.Go(func() {
			j := New(s, "catalog")
			var head Head
			for i := 0; i < each; {
				for e, err := range j.After(t.Context(), head) {
					if err != nil {
						t.Error(err)
						return
					}
					head = e.Head()
				}
				e, err := j.Append(t.Context(), head, time.Now(), events(fmt.Sprintf("%d.%d", w, i)))
				if errors.Is(err, ErrLost) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				head = e.Head()
				i++
			}
		})
	}
	g.Wait()
	seen := map[string]bool{}
	head, err := j.Verify(t.Context(), func(e Entry) { seen[string(e.Events[0].Data)] = true })
	if err != nil || head.Position != writers*each || len(seen) != writers*each {
		t.Fatalf("position %d with %d different entries, %v; want %d", head.Position, len(seen), err, writers*each)
	}
}

// lossy is a store whose answers to Create are lost: before the write
// happened, or after.
type lossy struct {
	storage.Store
	lose func(try int) (before, after bool)
	try  int
}

func (l *lossy) Create(ctx context.Context, key string, data []byte) error {
	before, after := l.lose(l.try)
	l.try++
	if before {
		return fmt.Errorf("cut: %w", storage.ErrUnknown)
	}
	if err := l.Store.Create(ctx, key, data); err != nil || !after {
		return err
	}
	return fmt.Errorf("cut: %w", storage.ErrUnknown)
}

func TestAppendFindsOutAboutALostAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(int) (bool, bool)
	}{
		{"after the write", func(try int) (bool, bool) { return false, try == 0 }},
		{"before the write", func(try int) (bool, bool) { return try == 0, false }},
		{"before, then after", func(try int) (bool, bool) { return try == 0, try == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, s, _ := open(t)
			j := New(&lossy{Store: s, lose: c.lose}, "catalog")
			e, err := j.Append(t.Context(), Head{}, time.Now(), events("once"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := j.Read(t.Context(), 1)
			if err != nil || got.Batch != e.Batch || got.Digest != e.Digest {
				t.Fatalf("stored %+v, %v; appended %+v", got, err, e)
			}
		})
	}
	t.Run("before the write, and another writer is faster", func(t *testing.T) {
		_, s, _ := open(t)
		l := &lossy{Store: s}
		l.lose = func(try int) (bool, bool) {
			if try == 0 {
				if _, err := New(s, "catalog").Append(t.Context(), Head{}, time.Now(), events("theirs")); err != nil {
					t.Error(err)
				}
			}
			return try == 0, false
		}
		if _, err := New(l, "catalog").Append(t.Context(), Head{}, time.Now(), events("ours")); !errors.Is(err, ErrLost) {
			t.Fatalf("got %v, want ErrLost", err)
		}
	})
	t.Run("for ever", func(t *testing.T) {
		_, s, _ := open(t)
		j := New(&lossy{Store: s, lose: func(int) (bool, bool) { return true, false }}, "catalog")
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := j.Append(ctx, Head{}, time.Now(), events("x")); !errors.Is(err, storage.ErrUnknown) {
			t.Fatalf("got %v, want ErrUnknown", err)
		}
	})
}

func TestVerifyFindsDamage(t *testing.T) {
	path := func(dir string, n int) string {
		return filepath.Join(dir, "objects", "journal", "catalog", "000000000", fmt.Sprintf("%03d", n))
	}
	for name, damage := range map[string]func(t *testing.T, dir string){
		"altered": func(t *testing.T, dir string) {
			data, err := os.ReadFile(path(dir, 3))
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.Replace(data, []byte(`"2"`), []byte(`"9"`), 1)
			if err := os.WriteFile(path(dir, 3), data, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"missing": func(t *testing.T, dir string) {
			if err := os.Remove(path(dir, 3)); err != nil {
				t.Fatal(err)
			}
		},
		"swapped": func(t *testing.T, dir string) {
			data, err := os.ReadFile(path(dir, 2))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path(dir, 3), data, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"garbage": func(t *testing.T, dir string) {
			if err := os.WriteFile(path(dir, 3), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, _, dir := open(t)
			head := appendN(t, j, 5)
			if got, err := j.Verify(t.Context(), func(Entry) {}); err != nil || got != head {
				t.Fatalf("the whole journal: %v, %v", got, err)
			}
			damage(t, dir)
			_, err := j.Verify(t.Context(), func(Entry) {})
			if !errors.Is(err, ErrChain) {
				t.Fatalf("got %v, want ErrChain", err)
			}
			// An altered entry is named by the one that follows it.
			if !strings.Contains(err.Error(), "entry 3") && !strings.Contains(err.Error(), "entry 4") {
				t.Errorf("the error does not name the place: %v", err)
			}
		})
	}
}

func TestContains(t *testing.T) {
	j, _, _ := open(t)
	head := appendN(t, j, 2)
	for _, c := range []struct {
		head Head
		want bool
	}{
		{Head{}, true},
		{head, true},
		{Head{Position: 2, Digest: "other"}, false},
		{Head{Position: 3, Digest: head.Digest}, false},
	} {
		if got, err := j.Contains(t.Context(), c.head); got != c.want || err != nil {
			t.Errorf("%v: %v, %v; want %v", c.head, got, err, c.want)
		}
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	j, s, _ := open(t)
	if err := s.Create(t.Context(), j.key(1), []byte(`{"format":2,"position":1,"what":"the future"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Read(t.Context(), 1); !errors.Is(err, ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

// TestGoldenEntry holds the bytes of entries: what was written once is read for ever.
func TestGoldenEntry(t *testing.T) {
	golden := filepath.Join("testdata", "entry.format1.json")
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	e := Entry{Format: 1, Position: 7, Previous: strings.Repeat("ab", 32), Batch: "BATCH", Time: at, Events: events("fact")}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("entries are encoded as\n%s\ninstead of\n%s", data, want)
	}
	got, err := New(nil, "catalog").decode(7, want)
	if err != nil || got.Batch != "BATCH" || got.Digest != digest(want) || !got.Time.Equal(at) {
		t.Errorf("read back as %+v, %v", got, err)
	}
}

func TestSnapshotsKeepTheNewest(t *testing.T) {
	j, s, _ := open(t)
	if _, err := j.LatestSnapshot(t.Context()); !errors.Is(err, storage.ErrNotExist) {
		t.Fatalf("without a snapshot: %v, want ErrNotExist", err)
	}
	var head Head
	for range 5 {
		e, err := j.Append(t.Context(), head, time.Now(), nil)
		if err != nil {
			t.Fatal(err)
		}
		head = e.Head()
	}
	for _, n := range []uint64{1, 3, 2, 7, 5, 4} { // 7 is of a history that was lost
		text := fmt.Sprint(n)
		if err := j.SaveSnapshot(t.Context(), n, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := j.LatestSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil || b.String() != "5" {
		t.Errorf("the newest is %q, %v", b.String(), err)
	}
	n := 0
	for _, err := range s.List(t.Context(), "snapshots/", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != keepSnapshots {
		t.Errorf("%d snapshots are kept, want %d", n, keepSnapshots)
	}
}

func TestIdentity(t *testing.T) {
	_, s, _ := open(t)
	a, err := Identity(t.Context(), s)
	if err != nil || a == "" {
		t.Fatal(a, err)
	}
	if b, err := Identity(t.Context(), s); b != a || err != nil {
		t.Errorf("a second look gives %q, %v; want %q", b, err, a)
	}
	_, other, _ := open(t)
	if err := other.Create(t.Context(), "appstore.json", []byte(`{"layout":99,"store":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := Identity(t.Context(), other); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer layout: %v, want ErrNewer", err)
	}
}

// stalled gives objects whose content never comes.
type stalled struct{ storage.Store }

func (s stalled) Get(ctx context.Context, _ string, _ storage.Read) (io.ReadCloser, storage.Info, error) {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(fmt.Errorf("%w: %w", storage.ErrUnavailable, ctx.Err())) })
	return r, storage.Info{Size: 10}, nil
}

// One answer that stalls does not hold up whoever follows the journal.
func TestStalledAnswer(t *testing.T) {
	defer func(was time.Duration) { readTimeout = was }(readTimeout)
	readTimeout = 50 * time.Millisecond
	j := New(stalled{}, "catalog")
	if _, err := j.Read(t.Context(), 1); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("reading: %v", err)
	}
	for _, err := range j.After(t.Context(), Head{}) {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("following: %v", err)
		}
	}
	if _, err := ReadIdentity(t.Context(), stalled{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("the identity: %v", err)
	}
}
