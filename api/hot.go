package api

import (
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Bounds of the answers that are kept.
const (
	// keepFor is how long an answer is used at most. It is short because the
	// registry stops speaking for what may have moved when it can't read the
	// journal (its truth 4), and that must show here too.
	keepFor   = time.Second
	keepBytes = 32 << 20 // of all bodies
)

// kept are hot answers as finished bytes, with their ETag and compressed form.
// What was made at another position of the journal is not used, so a change is
// seen as soon as the catalogue has it. Searches are not kept: the index has a
// position of its own.
type kept struct {
	mu      sync.Mutex
	answers map[string]keptAnswer
	bytes   int
}

type keptAnswer struct {
	*answer
	position uint64
	until    time.Time
}

func (k *kept) get(key string, position uint64) *answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.answers[key]
	if !ok || a.position != position || time.Now().After(a.until) {
		return nil
	}
	return a.answer
}

func (k *kept) put(key string, position uint64, a *answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := len(key) + 2*len(a.body) // with the compressed form
	if size > keepBytes/8 {
		return
	}
	if k.bytes += size; k.bytes > keepBytes || k.answers == nil {
		// All at once: they are a second old at most anyway.
		k.answers, k.bytes = map[string]keptAnswer{}, size
	}
	k.answers[key] = keptAnswer{a, position, time.Now().Add(keepFor)}
}

// hotPosition is where the context has the position that the answer is made
// at, read before the handler reads anything else.
const hotPosition = "position"

func hotKey(c echo.Context) string { return c.Request().URL.RequestURI() }

// hot answers a read from what is kept, else lets the handler make it and
// keeps that.
func (s *server) hot(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		position := s.Registry.Position()
		if a := s.kept.get(hotKey(c), position); a != nil {
			return a.write(c)
		}
		c.Set(hotPosition, position)
		return next(c)
	}
}
