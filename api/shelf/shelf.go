// Package shelf keeps what was made of something that changes, for as long as
// it holds: finished pages, packuments, decoded releases. Whoever made a thing
// gives it a mark, which names the state that it was made of; it is used while
// the mark stays the same. What is kept is bounded in bytes.
//
// Which things go when there is no more room, the library decides (W-TinyLFU: by
// how often and how recently they were asked for), so that going once through
// everything pushes nothing out that is in use.
package shelf

import (
	"fmt"
	"math"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
)

// Shelf keeps values under a key. Its methods may be called from many
// goroutines. Read the mark before what the value is made of: a change between
// the two then makes the value look older than it is, never newer.
type Shelf[M comparable, V any] struct {
	kept   *otter.Cache[string, marked[M, V]]
	making singleflight.Group
}

type marked[M comparable, V any] struct {
	mark  M
	value V
}

// New makes a shelf for at most so many bytes; size tells about how many a
// value takes. A value that alone takes more is not kept.
func New[M comparable, V any](most int, size func(V) int) *Shelf[M, V] {
	return &Shelf[M, V]{kept: otter.Must(&otter.Options[string, marked[M, V]]{
		MaximumWeight: uint64(most),
		Weigher: func(key string, m marked[M, V]) uint32 {
			return uint32(min(len(key)+size(m.value), math.MaxUint32))
		},
		// Maintenance within the call: a shelf is never over its bound, and has
		// no goroutines.
		Executor: func(task func()) { task() },
	})}
}

// Get gives what is kept under the key at the mark, or makes and keeps it: once,
// however many ask at the same time. Failures are not kept.
func (s *Shelf[M, V]) Get(key string, mark M, maker func() (V, error)) (V, error) {
	if v, at, ok := s.Peek(key); ok && at == mark {
		return v, nil
	}
	v, err, _ := s.making.Do(fmt.Sprint(key, "\x00", mark), func() (any, error) {
		if v, at, ok := s.Peek(key); ok && at == mark {
			return v, nil // made just before
		}
		v, err := maker()
		if err == nil {
			s.Put(key, mark, v)
		}
		return v, err
	})
	if err != nil {
		var none V
		return none, err
	}
	return v.(V), nil
}

// Peek gives what is kept under the key, whatever its mark.
func (s *Shelf[M, V]) Peek(key string) (value V, mark M, ok bool) {
	m, ok := s.kept.GetIfPresent(key)
	return m.value, m.mark, ok
}

// Put keeps a value in the place of what was there.
func (s *Shelf[M, V]) Put(key string, mark M, value V) {
	s.kept.Set(key, marked[M, V]{mark, value})
}
