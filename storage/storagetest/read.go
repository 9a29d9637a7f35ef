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
	"time"

	"appstore/storage"
)

func testRoundTrip(t *testing.T, a, b storage.Store) {
	for _, size := range []int{0, 1, 4096, 65_536, 65_537, 20 << 20} {
		data := noise(size)
		key := fmt.Sprintf("size/%d", size)
		put(t, a, key, data)
		wantObject(t, b, key, data)
		if size <= storage.MaxCreate {
			create(t, a, key+"c", data)
			wantObject(t, b, key+"c", data)
		}
	}
}

func testRanges(t *testing.T, a, b storage.Store) {
	data := noise(1000)
	put(t, a, "k", data)
	put(t, a, "empty", nil)
	for _, test := range []struct {
		offset, length int64
		want           []byte
	}{
		{0, 0, data},
		{0, 1, data[:1]},
		{0, 1000, data},
		{0, 1001, data},
		{10, 0, data[10:]},
		{10, 20, data[10:30]},
		{999, 0, data[999:]},
		{999, 1, data[999:]},
		{990, 5000, data[990:]},
		{1, 1<<63 - 1, data[1:]},
	} {
		got, info, err := read(t.Context(), b, "k", storage.Read{Offset: test.offset, Length: test.length})
		if err != nil || !bytes.Equal(got, test.want) {
			t.Errorf("%d+%d: %d bytes, %v; want %d", test.offset, test.length, len(got), err, len(test.want))
		}
		if info.Key != "k" || info.Size != 1000 || info.Modified.IsZero() {
			t.Errorf("%d+%d: info %+v", test.offset, test.length, info)
		}
	}
	for _, o := range []storage.Read{{}, {Length: 10}} {
		got, info, err := read(t.Context(), b, "empty", o)
		if err != nil || len(got) > 0 || info.Size != 0 {
			t.Errorf("empty %+v: %d bytes, %+v, %v", o, len(got), info, err)
		}
	}
	for key, reads := range map[string][]storage.Read{
		"k":     {{Offset: 1000}, {Offset: 1001}, {Offset: 1000, Length: 1}, {Offset: 1 << 40}, {Offset: -1}, {Length: -1}, {Offset: 5, Length: -1}},
		"empty": {{Offset: 1}, {Offset: 1, Length: 1}},
	} {
		for _, o := range reads {
			_, _, err := read(t.Context(), b, key, o)
			wantErr(t, fmt.Sprintf("%s %+v", key, o), err, storage.ErrInvalid)
		}
	}
}

func testNotExist(t *testing.T, a, _ storage.Store) {
	create(t, a, "here/too", noise(10))
	for _, key := range []string{"absent", "absent/below", "here", "here/to", "here/too1", "here/too/below"} {
		for _, o := range []storage.Read{{}, {Offset: 1}, {Length: 1}} {
			// From Get itself, not from the reader.
			_, _, err := a.Get(t.Context(), key, o)
			wantErr(t, fmt.Sprintf("get %q %+v", key, o), err, storage.ErrNotExist)
		}
		if err := a.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	wantKeys(t, a, "absent", "")
	wantKeys(t, a, "absent/", "")
	wantKeys(t, a, "here/too/", "")
}

func testInvalidKeys(t *testing.T, a, _ storage.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "A", "a b", "a\x00", "a\\b", "a\nb", "ä", "a:b", "a%2fb", "a?b", "a+b",
		strings.Repeat("a/", 200) + "a", strings.Repeat("a", storage.MaxSegment+1),
	} {
		_, _, err := a.Get(t.Context(), key, storage.Read{})
		wantErr(t, fmt.Sprintf("get %q", key), err, storage.ErrInvalid)
		wantErr(t, fmt.Sprintf("put %q", key), a.Put(t.Context(), key, bytes.NewReader(nil), 0), storage.ErrInvalid)
		wantErr(t, fmt.Sprintf("create %q", key), a.Create(t.Context(), key, nil), storage.ErrInvalid)
		wantErr(t, fmt.Sprintf("delete %q", key), a.Delete(t.Context(), key), storage.ErrInvalid)
	}
	wantKeys(t, a, "", "")
}

func testOddKeys(t *testing.T, a, b storage.Store) {
	keys := []string{
		"a", "-", "~", "_", "@", "@s/n", "...", "..a", "a..", ".a", "-rf", "a.b-c_d~e@f", "0", "~root/x", "lock", "temp/x", "objects/y",
		"con", "nul.txt", "a.tmp", ".git/config", "x/.../y", strings.Repeat("s", storage.MaxSegment),
		strings.Repeat("d/", 199) + "ee",
		strings.Repeat("l", 255) + "/" + strings.Repeat("m", storage.MaxKey-256),
	}
	for i, key := range keys {
		data := []byte(key)
		if i%2 == 0 {
			create(t, a, key, data)
		} else {
			put(t, a, key, data)
		}
	}
	for _, key := range keys {
		wantObject(t, b, key, []byte(key))
	}
	slices.Sort(keys)
	wantKeys(t, b, "", "", keys...)
	for _, key := range keys {
		wantKeys(t, b, key, "", slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, key) })...)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	wantKeys(t, a, "", "")
}

// testReaderKeepsVersion replaces and deletes objects under their readers, for
// which a store may wait.
func testReaderKeepsVersion(t *testing.T, a, b storage.Store) {
	old := bytes.Repeat([]byte("old!"), 2<<20)
	for _, change := range []string{"replace", "delete"} {
		put(t, a, change, old)
		r, _, err := b.Get(t.Context(), change, storage.Read{})
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 1000)
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatal(err)
		}
		changed := make(chan error, 1)
		go func() {
			if change == "replace" {
				changed <- a.Put(t.Context(), change, bytes.NewReader(bytes.Repeat([]byte("NEW!"), 2<<20)), 8<<20)
			} else {
				changed <- a.Delete(t.Context(), change)
			}
		}()
		select {
		case err := <-changed:
			changed <- err
		case <-time.After(2 * time.Second):
		}
		rest, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			wantErr(t, change, err, storage.ErrUnavailable)
		} else if !bytes.Equal(append(head, rest...), old) {
			t.Errorf("%s: the reader gave something else than the version it began with", change)
		}
		if err := <-changed; err != nil {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func testCancelled(t *testing.T, a, _ storage.Store) {
	put(t, a, "here", noise(10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := a.Get(ctx, "here", storage.Read{})
	for verb, err := range map[string]error{
		"get":    getErr,
		"put":    a.Put(ctx, "new", bytes.NewReader(nil), 0),
		"create": a.Create(ctx, "new", nil),
		"delete": a.Delete(ctx, "here"),
	} {
		wantErr(t, verb, err, context.Canceled)
	}
	wantKeys(t, a, "", "", "here")
}

func testListOrder(t *testing.T, a, b storage.Store) {
	keys := []string{
		"a-b", "a.b", "a/b", "a0", "a_b", "a~b",
		"b/-", "b/a-/x", "b/a.x/y", "b/a/x", "b/a/y/z", "b/a0/x",
		"c", "c-", "c-/a", "c.d/e",
		"d/0/1", "d/00/1", "d/1/1", "d/10/1",
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "c-" }) // the folder of c-/a
	slices.Sort(keys)
	for _, i := range []int{3, 1, 2} { // written in no order
		for j := i % 3; j < len(keys); j += 3 {
			create(t, a, keys[j], make([]byte, j))
		}
	}
	i := 0
	for info, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if j := slices.Index(keys, info.Key); info.Size != int64(j) || info.Modified.IsZero() {
			t.Errorf("info %+v, want size %d", info, j)
		}
		i++
	}
	prefixes := []string{"", "a", "a-", "a/", "a/b", "a/bc", "b", "b/", "b/a", "b/a/", "b/a/y", "b/a/y/z", "c", "c-", "d/1", "d/1/", "d/1/1", "zzz"}
	afters := append([]string{"", "a/", "a", "b/a", "b/a/", "b/a/y/", "c.", "d/0", "d/0/", "zz", "~~", "0"}, keys...)
	for _, prefix := range prefixes {
		for _, after := range afters {
			want := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !strings.HasPrefix(k, prefix) || k <= after })
			wantKeys(t, b, prefix, after, want...)
		}
	}
}

// testListPaging lists more than one page of the largest size that S3 knows.
func testListPaging(t *testing.T, a, b storage.Store) {
	const n = 2100
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("page/%02d/%04d", i/300, i))
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < n; i += 8 {
				if err := a.Create(t.Context(), keys[i], nil); err != nil {
					t.Errorf("create %q: %v", keys[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantKeys(t, b, "page/", "", keys...)
	wantKeys(t, b, "page/0", "", keys...)
	wantKeys(t, b, "", keys[999], keys[1000:]...)
	wantKeys(t, b, "page/", keys[1500], keys[1501:]...)
	wantKeys(t, b, "page/03/", keys[950], keys[951:1200]...)

	// A reader that stops early, and goes on later, gets each key once.
	var got []string
	for len(got) < n {
		before := len(got)
		after := ""
		if before > 0 {
			after = got[before-1]
		}
		for info, err := range b.List(t.Context(), "page/", after) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Key); len(got) == before+700 {
				break
			}
		}
		if len(got) == before {
			break
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("in pages of 700: %d keys, want %d", len(got), n)
	}
}

// testListOddBounds gives what is no key as prefix and after.
func testListOddBounds(t *testing.T, a, _ storage.Store) {
	create(t, a, "k/1", nil)
	create(t, a, "k/2", nil)
	long := strings.Repeat("k", 2000)
	for _, prefix := range []string{"/", "k//", "../", "k/../k/", "./", "k/./", "K", "k/1/2", ".", "..", "k/.", "k/..", "\x00", "\xff", "ä", "k/ ", long} {
		wantKeys(t, a, prefix, "")
	}
	for after, want := range map[string][]string{
		"\x00": {"k/1", "k/2"}, "K": {"k/1", "k/2"}, "k//": {"k/1", "k/2"}, "k/1\x00": {"k/2"}, "k/1/": {"k/2"}, "k/1\xff": {"k/2"},
		"k/1 x": {"k/2"}, "k/2 ": nil, "\xff": nil, "ä": nil, "../": {"k/1", "k/2"}, "..": {"k/1", "k/2"}, "k/..": {"k/1", "k/2"}, long: nil, "k/1" + strings.Repeat("z", 3000): {"k/2"},
	} {
		wantKeys(t, a, "", after, want...)
		wantKeys(t, a, "k/", after, want...)
	}
}

func testListCancelled(t *testing.T, a, _ storage.Store) {
	for i := range 5 {
		create(t, a, fmt.Sprintf("k/%d", i), nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs []error
	for _, err := range a.List(ctx, "", "") {
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("a list with an ended context gave the errors %v", errs)
	}
}

// A list that runs while objects come and go has those that stay, and no error.
func testListWhileDeleting(t *testing.T, a, b storage.Store) {
	put(t, a, "drafts/m/stays/content", []byte("x"))
	done := make(chan struct{})
	var g sync.WaitGroup
	for c := range 4 {
		g.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				key := fmt.Sprintf("drafts/%c/%d-%d/facts", 'a'+byte(i%26), c, i)
				if err := a.Create(t.Context(), key, []byte("x")); err != nil {
					t.Errorf("create: %v", err)
					return
				}
				if err := a.Delete(t.Context(), key); err != nil {
					t.Errorf("delete: %v", err)
					return
				}
			}
		})
	}
	for range 100 {
		stays := 0
		for info, err := range b.List(t.Context(), "drafts/", "") {
			if err != nil {
				t.Errorf("list: %v", err)
				break
			}
			if info.Key == "drafts/m/stays/content" {
				stays++
			}
		}
		if stays != 1 {
			t.Errorf("what stayed was listed %d times", stays)
			break
		}
	}
	close(done)
	g.Wait()
}
