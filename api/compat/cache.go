package compat

import "sync"

// cache keeps values of at most so many bytes in all. When it is full it drops
// any others: the whole catalogue is gone through in the same order each time,
// where dropping the oldest would drop just what is needed next.
type cache[K comparable, V any] struct {
	most int // bytes
	mu   sync.Mutex
	kept map[K]sized[V]
	size int
}

type sized[V any] struct {
	value V
	size  int
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.kept[key]
	return s.value, ok
}

// put keeps a value of about size bytes.
func (c *cache[K, V]) put(key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.most {
		return
	}
	c.size -= c.kept[key].size
	delete(c.kept, key)
	for k, s := range c.kept {
		if c.size+size <= c.most {
			break
		}
		c.size -= s.size
		delete(c.kept, k)
	}
	if c.kept == nil {
		c.kept = map[K]sized[V]{}
	}
	c.kept[key] = sized[V]{value, size}
	c.size += size
}
