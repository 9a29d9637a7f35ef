// Package storagetest is the conformance suite of storage.Store. What the
// comments of the contract promise is tested here, for every implementation
// the same way.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"appstore/storage"
)

// Run runs the suite. open returns two clients of the same new and empty
// store, as independent of each other as the implementation allows; where it
// allows one only, the same twice.
func Run(t *testing.T, open func(t *testing.T) (a, b storage.Store)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, a, b storage.Store)
	}{
		{"RoundTrip", testRoundTrip},
		{"Ranges", testRanges},
		{"NotExist", testNotExist},
		{"InvalidKeys", testInvalidKeys},
		{"OddKeys", testOddKeys},
		{"PutReplaces", testPutReplaces},
		{"PutWrongSize", testPutWrongSize},
		{"PutReaderFails", testPutReaderFails},
		{"PutCancelled", testPutCancelled},
		{"PutFromWhereTheReaderStands", testPutOffset},
		{"PutIsNeverSeenHalf", testPutAtomic},
		{"ReaderKeepsItsVersion", testReaderKeepsVersion},
		{"CreateKeepsWhatIsThere", testCreateExists},
		{"CreateRace", testCreateRace},
		{"CreateBound", testCreateBound},
		{"KeyAndFolder", testKeyAndFolder},
		{"Delete", testDelete},
		{"Cancelled", testCancelled},
		{"ListOrder", testListOrder},
		{"ListPaging", testListPaging},
		{"ListOddBounds", testListOddBounds},
		{"ListCancelled", testListCancelled},
		{"ListWhileDeleting", testListWhileDeleting},
		{"Concurrency", testConcurrency},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := open(t)
			test.run(t, a, b)
		})
	}
}

// RunDown tests what a store answers whose server does not: ErrUnavailable
// from every method, within a few seconds.
func RunDown(t *testing.T, s storage.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, _, getErr := s.Get(ctx, "k", storage.Read{})
	var listErr error
	for _, listErr = range s.List(ctx, "", "") {
		break
	}
	for verb, err := range map[string]error{
		"get":    getErr,
		"list":   listErr,
		"put":    s.Put(ctx, "k", bytes.NewReader([]byte("x")), 1),
		"create": s.Create(ctx, "k", []byte("x")),
		"delete": s.Delete(ctx, "k"),
	} {
		wantErr(t, verb, err, storage.ErrUnavailable)
	}
}

// kinds are the errors of the contract, which exclude each other.
var kinds = []error{storage.ErrNotExist, storage.ErrExist, storage.ErrUnavailable, storage.ErrUnknown, storage.ErrInvalid}

// wantErr checks that err is want and none of the other kinds.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
		return
	}
	for _, kind := range kinds {
		if kind != want && errors.Is(err, kind) {
			t.Errorf("%s: error %v is also %v", what, err, kind)
		}
	}
}

// read gets an object or a part of it.
func read(ctx context.Context, s storage.Store, key string, o storage.Read) ([]byte, storage.Info, error) {
	r, info, err := s.Get(ctx, key, o)
	if err != nil {
		if r != nil {
			return nil, info, errors.Join(err, errors.New("and there is a reader"))
		}
		return nil, info, err
	}
	data, err := io.ReadAll(r)
	return data, info, errors.Join(err, r.Close())
}

// wantObject checks that key holds data.
func wantObject(t *testing.T, s storage.Store, key string, data []byte) {
	t.Helper()
	got, info, err := read(t.Context(), s, key, storage.Read{})
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return
	}
	if !bytes.Equal(got, data) {
		t.Errorf("get %q: %d bytes %.20q, want %d bytes %.20q", key, len(got), got, len(data), data)
	}
	if info.Key != key || info.Size != int64(len(data)) {
		t.Errorf("get %q: info %+v, want size %d", key, info, len(data))
	}
	if age := time.Since(info.Modified); age < -5*time.Second || age > time.Hour {
		t.Errorf("get %q: modified %v, which is %v ago", key, info.Modified, age)
	}
}

// wantKeys checks that List gives these keys.
func wantKeys(t *testing.T, s storage.Store, prefix, after string, want ...string) {
	t.Helper()
	var got []string
	for info, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Errorf("list %q after %q: %v", prefix, after, err)
			return
		}
		got = append(got, info.Key)
	}
	if len(got) != len(want) {
		t.Errorf("list %q after %q: %d keys %.10q, want %d %.10q", prefix, after, len(got), got, len(want), want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("list %q after %q: key %d is %q, want %q", prefix, after, i, got[i], want[i])
			return
		}
	}
}

func put(t *testing.T, s storage.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func create(t *testing.T, s storage.Store, key string, data []byte) {
	t.Helper()
	if err := s.Create(t.Context(), key, data); err != nil {
		t.Fatalf("create %q: %v", key, err)
	}
}

// noise gives n bytes that differ from call to call.
func noise(n int) []byte {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	data := make([]byte, n)
	rand.NewChaCha8(seed).Read(data)
	return data
}
