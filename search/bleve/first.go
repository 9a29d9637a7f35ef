package bleve

import "slices"

// first keeps the first n of what is added, by compare. It sorts each time
// that 2n are there, and takes no more of what comes behind the n-th then.
type first[T any] struct {
	n       int
	compare func(a, b T) int
	items   []T
	full    bool // items[n-1] is the last that may be among the first
}

func (f *first[T]) add(item T) {
	if f.full && f.compare(item, f.items[f.n-1]) >= 0 {
		return
	}
	f.items = append(f.items, item)
	if len(f.items) == 2*f.n {
		f.cut()
		f.full = true
	}
}

func (f *first[T]) cut() {
	slices.SortFunc(f.items, f.compare)
	f.items = f.items[:min(len(f.items), f.n)]
}

// sorted are the first n, in order.
func (f *first[T]) sorted() []T {
	f.cut()
	if f.items == nil {
		return []T{}
	}
	return f.items
}
