package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"appstore/storage"
)

func testPutReplaces(t *testing.T, a, b storage.Store) {
	for i, size := range []int{100, 3000, 0, 10} {
		data := noise(size)
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		put(t, writer, "k/v", data)
		wantObject(t, reader, "k/v", data)
	}
	wantKeys(t, a, "", "", "k/v")
}

// sizes of objects whose writing fails: smaller and larger than the buffers on
// the way.
var failingSizes = []int{1, 10, 100_000, 3 << 20}

// failPut puts an object over nothing and over another one, and checks that it
// fails with want and leaves things as they were.
func failPut(t *testing.T, s storage.Store, name string, want error, do func(key string) error) {
	t.Helper()
	absent, present := name+"/absent", name+"/present"
	before := noise(50)
	put(t, s, present, before)
	for _, key := range []string{absent, present} {
		wantErr(t, key, do(key), want)
	}
	wantObject(t, s, present, before)
	_, _, err := s.Get(t.Context(), absent, storage.Read{})
	wantErr(t, "get "+absent, err, storage.ErrNotExist)
	wantKeys(t, s, name+"/", "", present)
}

func testPutWrongSize(t *testing.T, a, _ storage.Store) {
	for _, size := range failingSizes {
		for _, wrong := range []int{size - 1, size + 1, 2*size + 1, 0} {
			failPut(t, a, fmt.Sprintf("%d-not-%d", size, wrong), storage.ErrInvalid, func(key string) error {
				return a.Put(t.Context(), key, bytes.NewReader(noise(size)), int64(wrong))
			})
		}
	}
	for _, size := range []int64{-1, storage.MaxPut + 1} {
		wantErr(t, fmt.Sprint("put of size ", size), a.Put(t.Context(), "k", bytes.NewReader(nil), size), storage.ErrInvalid)
	}
}

// breaking calls fail when n bytes have been read, and returns its error if
// there is one. It notices reads after done.
type breaking struct {
	*bytes.Reader
	n    int
	fail func() error

	mu   sync.Mutex
	done bool
	late bool
}

func (r *breaking) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = r.late || r.done
	left := r.n - (int(r.Size()) - r.Len())
	if left <= 0 {
		if err := r.fail(); err != nil {
			return 0, err
		}
		return r.Reader.Read(p)
	}
	return r.Reader.Read(p[:min(left, len(p))])
}

func (r *breaking) finish(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = true
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.late {
			t.Error("the reader was used after Put had returned")
		}
	})
}

func testPutReaderFails(t *testing.T, a, _ storage.Store) {
	broken := errors.New("broken reader")
	for _, size := range failingSizes {
		for _, good := range []int{0, size / 2, size - 1, size} {
			failPut(t, a, fmt.Sprintf("%d-of-%d", good, size), broken, func(key string) error {
				r := &breaking{Reader: bytes.NewReader(noise(size)), n: good, fail: func() error { return broken }}
				defer r.finish(t)
				return a.Put(t.Context(), key, r, int64(size))
			})
		}
	}
}

func testPutCancelled(t *testing.T, a, _ storage.Store) {
	for _, size := range failingSizes {
		for _, good := range []int{0, size / 2} {
			failPut(t, a, fmt.Sprintf("%d-of-%d", good, size), context.Canceled, func(key string) error {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := &breaking{Reader: bytes.NewReader(noise(size)), n: good, fail: func() error { cancel(); return nil }}
				// One read is under way when the context ends; the next one
				// must not come to the end.
				r.n = min(good, size-1)
				defer r.finish(t)
				return a.Put(ctx, key, oneByte{r}, int64(size))
			})
		}
	}
}

// oneByte reads one byte at a time once its reader has broken.
type oneByte struct{ *breaking }

func (r oneByte) Read(p []byte) (int, error) {
	if int(r.Size())-r.Len() >= r.n && len(p) > 1 {
		p = p[:1]
	}
	return r.breaking.Read(p)
}

func testPutOffset(t *testing.T, a, b storage.Store) {
	data := noise(1000)
	r := bytes.NewReader(data)
	if _, err := r.Seek(300, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), "k", r, 700); err != nil {
		t.Fatal(err)
	}
	wantObject(t, b, "k", data[300:])
}

// testPutAtomic replaces an object again and again, and reads it meanwhile.
func testPutAtomic(t *testing.T, a, b storage.Store) {
	versions := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_000)}
	put(t, a, "k", versions[0])
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			data := versions[i%2]
			if err := a.Put(t.Context(), "k", bytes.NewReader(data), int64(len(data))); err != nil {
				t.Errorf("put: %v", err)
			}
		}
	}()
	for {
		select {
		case <-done:
			return
		default:
		}
		data, info, err := read(t.Context(), b, "k", storage.Read{})
		if err != nil {
			// A server may break a reader off, but not end it early.
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("get: %v", err)
			}
			continue
		}
		if int64(len(data)) != info.Size || !bytes.Equal(data, versions[0]) && !bytes.Equal(data, versions[1]) {
			t.Fatalf("get: %d bytes, size %d: no version that was put", len(data), info.Size)
		}
	}
}

func testCreateExists(t *testing.T, a, b storage.Store) {
	first := noise(100)
	create(t, a, "created", first)
	put(t, a, "put", first)
	for _, key := range []string{"created", "put"} {
		for name, s := range map[string]storage.Store{"same": a, "other": b} {
			wantErr(t, name+" client", s.Create(t.Context(), key, noise(100)), storage.ErrExist)
			// Equal bytes do not make it the caller's own write.
			wantErr(t, name+" client, same bytes", s.Create(t.Context(), key, first), storage.ErrExist)
		}
		wantObject(t, b, key, first)
	}
}

func testCreateRace(t *testing.T, a, b storage.Store) {
	const racers = 16
	for round := range 20 {
		key := fmt.Sprintf("race/%d", round)
		var (
			wg    sync.WaitGroup
			start = make(chan struct{})
			errs  [racers]error
			data  [racers][]byte
		)
		for i := range racers {
			data[i] = noise(100 + i)
			if round%2 == 1 {
				data[i] = data[0] // and equal bytes change nothing
			}
			s := a
			if i%2 == 1 {
				s = b
			}
			wg.Go(func() {
				<-start
				errs[i] = s.Create(t.Context(), key, data[i])
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err != nil:
				wantErr(t, "a loser", err, storage.ErrExist)
			case winner >= 0:
				t.Errorf("round %d: racers %d and %d have both won", round, winner, i)
			default:
				winner = i
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody has won", round)
		}
		wantObject(t, a, key, data[winner])
		wantObject(t, b, key, data[winner])
	}
}

func testCreateBound(t *testing.T, a, b storage.Store) {
	largest := noise(storage.MaxCreate)
	create(t, a, "largest", largest)
	wantObject(t, b, "largest", largest)
	wantErr(t, "again", b.Create(t.Context(), "largest", largest), storage.ErrExist)
	wantErr(t, "one byte more", a.Create(t.Context(), "larger", make([]byte, storage.MaxCreate+1)), storage.ErrInvalid)
	wantKeys(t, a, "", "", "largest")
}

// lists tells whether a list of everything has the key.
func lists(t *testing.T, s storage.Store, key string) bool {
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Key == key {
			return true
		}
	}
	return false
}

// testKeyAndFolder writes keys that are folders of others, which a store may
// refuse, but not answer by harming what is there.
func testKeyAndFolder(t *testing.T, a, b storage.Store) {
	data := noise(100)
	create(t, a, "a/b", data)
	want := []string{"a/b"}
	for _, key := range []string{"a", "a/b/c"} {
		for verb, err := range map[string]error{
			"create": a.Create(t.Context(), key, data),
			"put":    a.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))),
		} {
			switch {
			case err != nil:
				wantErr(t, verb+" "+key, err, storage.ErrInvalid)
			case !slices.Contains(want, key):
				want = append(want, key)
			}
		}
	}
	slices.Sort(want)
	// What takes both may be unable to list what lies below another, but all else.
	listed := slices.DeleteFunc(slices.Clone(want), func(key string) bool {
		below := slices.ContainsFunc(want, func(k string) bool { return strings.HasPrefix(key, k+"/") })
		return below && !lists(t, b, key)
	})
	wantKeys(t, b, "", "", listed...)
	for _, key := range want {
		wantObject(t, b, key, data)
	}
	for _, key := range []string{"a", "a/b/c"} {
		if !slices.Contains(want, key) {
			_, _, err := b.Get(t.Context(), key, storage.Read{})
			wantErr(t, "get "+key, err, storage.ErrNotExist)
		}
	}
}

func testDelete(t *testing.T, a, b storage.Store) {
	for _, key := range []string{"d/1", "d/2", "e/f/g"} {
		create(t, a, key, noise(10))
	}
	for range 2 { // absent is no error
		for _, key := range []string{"d/1", "e/f/g", "never/was", "d/2/below"} {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Errorf("delete %q: %v", key, err)
			}
		}
	}
	_, _, err := a.Get(t.Context(), "d/1", storage.Read{})
	wantErr(t, "get", err, storage.ErrNotExist)
	wantKeys(t, a, "", "", "d/2")
	// The beginning of a key is not the key.
	if err := a.Delete(t.Context(), "d"); err != nil {
		t.Errorf("delete %q: %v", "d", err)
	}
	wantKeys(t, b, "", "", "d/2")
}

func testConcurrency(t *testing.T, a, b storage.Store) {
	var wg sync.WaitGroup
	for worker := range 12 {
		s := a
		if worker%2 == 1 {
			s = b
		}
		wg.Go(func() {
			for i := range 12 {
				// Folders come and go under the feet of the others.
				key := fmt.Sprintf("c/%d/x/%d", i%3, worker*100+i)
				data := noise(200)
				var err error
				if i%2 == 0 {
					err = s.Create(t.Context(), key, data)
				} else {
					err = s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)))
				}
				if err != nil {
					t.Errorf("write %q: %v", key, err)
					return
				}
				got, _, err := read(t.Context(), s, key, storage.Read{})
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("read %q: %d bytes, %v", key, len(got), err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("delete %q: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	wantKeys(t, a, "", "")
}
