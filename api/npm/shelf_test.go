package npm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestShelf(t *testing.T) {
	s := Shelf[int]{Most: 100}
	made := 0
	get := func(key string, position uint64, size int64) int {
		v, err := s.Get(key, position, func() (int, int64, error) { made++; return made, size, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for range 2 {
		if get("a", 1, 40) != 1 {
			t.Error("what is kept is not used")
		}
	}
	if get("a", 2, 40) != 2 {
		t.Error("what was made at another position is used")
	}
	get("b", 1, 40)
	get("a", 2, 40)
	get("c", 1, 40) // pushes b out, which was not asked for longest
	if get("a", 2, 40) != 2 || get("b", 1, 40) != 5 {
		t.Error("the wrong one was pushed out")
	}
	once := get("huge", 1, 101)
	if again := get("huge", 1, 101); again == once {
		t.Error("what is larger than the shelf is kept")
	}
	broken := errors.New("broken")
	if _, err := s.Get("d", 1, func() (int, int64, error) { return 0, 0, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := s.Get("d", 1, func() (int, int64, error) { return 1, 1, nil }); err != nil {
		t.Error("a failure is kept")
	}
	func() {
		defer func() { _ = recover() }()
		s.Get("e", 1, func() (int, int64, error) { panic("once") })
	}()
	if v, err := s.Get("e", 1, func() (int, int64, error) { return 9, 1, nil }); v != 9 || err != nil {
		t.Error("a panic is kept")
	}
	if s.bytes > s.Most {
		t.Errorf("%d bytes are kept", s.bytes)
	}
}

// Many who ask at the same time make a thing once, and the bytes add up.
func TestShelfTogether(t *testing.T) {
	s := Shelf[int]{Most: 1000}
	var made atomic.Int64
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 50 {
				_, err := s.Get(fmt.Sprint(j), uint64(i/32), func() (int, int64, error) { made.Add(1); return j, 30, nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var sum int64
	for e := s.order.Front(); e != nil; e = e.Next() {
		sum += e.Value.(*kept[int]).size
	}
	if sum != s.bytes || sum > s.Most || len(s.byKey) != s.order.Len() {
		t.Errorf("%d bytes are counted, %d are there, in %d of %d", s.bytes, sum, s.order.Len(), len(s.byKey))
	}
}
