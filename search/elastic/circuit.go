package elastic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"appstore/search"
)

// Pauses between probes while the cluster is down, doubled from first to last.
const (
	firstProbe = 100 * time.Millisecond
	lastProbe  = 2 * time.Second
	// slowCalls in a row that were given up mean down.
	slowCalls = 3
)

// circuit remembers that the cluster is down, so that nobody waits to find
// out. While it is open all calls fail at once; one probe in the background,
// and no caller, finds out when the cluster is back.
type circuit struct {
	probe   func(context.Context) error
	changed func(open bool, cause error)
	ctx     context.Context // of the probe; ended by close
	stop    context.CancelFunc
	probing sync.WaitGroup

	mu    sync.Mutex
	cause error // nil while closed
	slow  int
}

func newCircuit(probe func(context.Context) error, changed func(bool, error)) *circuit {
	c := &circuit{probe: probe, changed: changed}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// allow returns ErrUnavailable while the circuit is open.
func (c *circuit) allow() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return fmt.Errorf("%w: the index is closed", search.ErrUnavailable)
	}
	if c.cause != nil {
		return unavailable(c.cause)
	}
	return nil
}

// succeeded is told of every answer.
func (c *circuit) succeeded() {
	c.mu.Lock()
	c.slow = 0
	c.mu.Unlock()
}

// gaveUp is told that a deadline, the caller's or ours, passed without an answer.
func (c *circuit) gaveUp(cause error) {
	c.mu.Lock()
	c.slow++
	down := c.slow >= slowCalls
	c.mu.Unlock()
	if down {
		c.open(cause)
	}
}

// open makes all calls fail until a probe succeeds.
func (c *circuit) open(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil || c.ctx.Err() != nil {
		return
	}
	c.cause, c.slow = cause, 0
	c.changed(true, cause)
	c.probing.Go(c.waitUntilUp)
}

func (c *circuit) waitUntilUp() {
	for pause := firstProbe; ; pause = min(2*pause, lastProbe) {
		select {
		case <-c.ctx.Done():
			return
		case <-time.After(jitter(pause)):
		}
		err := c.probe(c.ctx)
		c.mu.Lock()
		if err == nil {
			c.cause = nil
			c.changed(false, nil)
			c.mu.Unlock()
			return
		}
		c.cause = err
		c.mu.Unlock()
	}
}

func (c *circuit) close() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.probing.Wait()
}

// unavailable is an ErrUnavailable with its cause.
func unavailable(cause error) error {
	if errors.Is(cause, search.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: elasticsearch: %w", search.ErrUnavailable, cause)
}

// jitter is d, up to half more or less.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d)
}
