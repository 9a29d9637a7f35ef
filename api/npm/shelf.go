package npm

import (
	"container/list"
	"errors"
	"sync"
)

// Shelf keeps what was made of packages, each as long as the position that it
// was made at holds, and at most Most bytes of all. What was not asked for
// longest goes first.
type Shelf[T any] struct {
	Most int64 // bytes

	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // of *kept[T]: the last used first
	bytes int64
}

type kept[T any] struct {
	key      string
	position uint64
	size     int64

	make  sync.Once
	value T
	err   error
}

// Get gives what is kept under the key, or makes it: once, however many ask at
// the same time. The maker tells its size in bytes. Failures are not kept.
func (s *Shelf[T]) Get(key string, position uint64, maker func() (T, int64, error)) (T, error) {
	s.mu.Lock()
	if s.byKey == nil {
		s.byKey = map[string]*list.Element{}
	}
	e := s.byKey[key]
	if e != nil && e.Value.(*kept[T]).position != position {
		s.drop(e)
		e = nil
	}
	if e == nil {
		e = s.order.PushFront(&kept[T]{key: key, position: position})
		s.byKey[key] = e
	} else {
		s.order.MoveToFront(e)
	}
	s.mu.Unlock()

	k := e.Value.(*kept[T])
	k.make.Do(func() {
		var size int64
		k.err = errNotMade // what those who wait get if maker panics
		defer func() { s.keep(e, size) }()
		k.value, size, k.err = maker()
	})
	return k.value, k.err
}

var errNotMade = errors.New("npm: what was asked for could not be made")

// keep counts what was made, and makes room for it.
func (s *Shelf[T]) keep(e *list.Element, size int64) {
	k := e.Value.(*kept[T])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[k.key] != e {
		return // pushed out meanwhile
	}
	if k.err != nil || size > s.Most {
		s.drop(e)
		return
	}
	k.size = size
	for s.bytes += size; s.bytes > s.Most; {
		s.drop(s.order.Back())
	}
}

func (s *Shelf[T]) drop(e *list.Element) {
	k := s.order.Remove(e).(*kept[T])
	delete(s.byKey, k.key)
	s.bytes -= k.size
}

// Peek gives what was kept under the key at any position.
func (s *Shelf[T]) Peek(key string) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key]
	if e == nil || e.Value.(*kept[T]).size == 0 {
		return value, false // none, or it is being made
	}
	return e.Value.(*kept[T]).value, true
}
