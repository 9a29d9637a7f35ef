package shelf

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestShelf(t *testing.T) {
	s := New[int](1000, func(int) int { return 99 }) // and a byte of the key: ten of them
	made := 0
	get := func(key string, mark int) int {
		t.Helper()
		v, err := s.Get(key, mark, func() (int, error) { made++; return made, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for range 2 {
		if get("a", 1) != 1 {
			t.Error("what is kept is not used")
		}
	}
	for range 2 {
		if get("a", 2) != 2 {
			t.Error("what was made at another mark is used, or a new one is not kept")
		}
	}
	if v, mark, ok := s.Peek("a"); v != 2 || mark != 2 || !ok {
		t.Errorf("Peek gives %d, %d, %v", v, mark, ok)
	}
	broken := errors.New("broken")
	if _, err := s.Get("d", 1, func() (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if v, err := s.Get("d", 1, func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Error("a failure is kept")
	}
	func() {
		defer func() { _ = recover() }()
		s.Get("e", 1, func() (int, error) { panic("once") })
	}()
	if v, err := s.Get("e", 1, func() (int, error) { return 9, nil }); v != 9 || err != nil {
		t.Error("a panic is kept")
	}
}

// What is kept stays within the bound, and what is used often stays when
// everything else goes by once.
func TestShelfBound(t *testing.T) {
	s := New[int](1000, func(v int) int { return v })
	hot := 0
	for i := range 5000 {
		s.Get("hot", 1, func() (int, error) { hot++; return 100, nil })
		s.Get(fmt.Sprint(i), 1, func() (int, error) { return 100, nil })
		if size := s.kept.WeightedSize(); size > 1000 {
			t.Fatalf("%d bytes are kept of 1000", size)
		}
	}
	if hot > 50 {
		t.Errorf("what was asked for all the time was made %d times", hot)
	}
	s.Put("huge", 1, 1001)
	if _, _, ok := s.Peek("huge"); ok {
		t.Error("what is larger than the shelf is kept")
	}
}

// Many who ask at the same time make a thing once.
func TestShelfTogether(t *testing.T) {
	s := New[int](1<<20, func(int) int { return 10 })
	var made atomic.Int64
	start := make(chan struct{})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			<-start
			for j := range 50 {
				v, err := s.Get(fmt.Sprint(j), 1, func() (int, error) { made.Add(1); return j, nil })
				if err != nil || v != j {
					t.Errorf("%d: %d, %v", j, v, err)
				}
			}
		})
	}
	close(start)
	all.Wait()
	if made.Load() != 50 {
		t.Errorf("50 things were made %d times", made.Load())
	}
}
