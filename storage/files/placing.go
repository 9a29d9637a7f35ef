package files

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// placing is which objects are being put in their place: those that can be
// seen already, or soon, while the fsync of their folder is still to come.
type placing struct {
	count atomic.Int64 // of all of them: what most reads look at, and no more

	mu sync.Mutex
	of map[string][]chan struct{} // by key: closed at the end of each writer
}

// begin notes that the object is about to be placed. The writer calls the
// function it returns when that is durable, or has failed, or the store broken.
func (p *placing) begin(key string) (end func()) {
	done := make(chan struct{})
	p.count.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string][]chan struct{}{}
	}
	p.of[key] = append(p.of[key], done)
	return func() {
		close(done)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.of[key] = slices.DeleteFunc(p.of[key], func(c chan struct{}) bool { return c == done })
		if len(p.of[key]) == 0 {
			delete(p.of, key)
		}
		p.count.Add(-1)
	}
}

// wait waits for those who place the object now, until ctx ends.
func (p *placing) wait(ctx context.Context, key string) error {
	if p.count.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	writers := slices.Clone(p.of[key])
	p.mu.Unlock()
	for _, done := range writers {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settled waits until an object that has been seen is durable. Its error is
// that of ctx, or why the store is broken.
func (s *Store) settled(ctx context.Context, key string) error {
	if err := s.placing.wait(ctx, key); err != nil {
		return err
	}
	return s.broken()
}
