// Command bench runs the AppStore and its peers side by side and prints ratios:
// Verdaccio as an npm registry, pypiserver as a Python package index.
//
//	go run ./bench                  all of it, some minutes
//	go run ./bench -rounds 1 -seconds 1
//
// Both are started here, on loopback, in temporary folders, with the same packages
// in them. Each measurement is taken in rounds, us and the peer in turn, so that a
// machine whose speed drifts slows both; the ratio is the median of the rounds'. The
// load comes from this process, on the same processors, and costs both the same.
//
// The peers are installed once, pinned, through npm and pip, into the cache folder
// (${XDG_CACHE_HOME:-~/.cache}/appstore/peers). It needs npm and python3.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each measurement")
	seconds := flag.Float64("seconds", 2, "length of each round, for each server")
	clients := flag.Int("clients", 8, "requests at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, rounds: *rounds, length: time.Duration(*seconds * float64(time.Second)), clients: *clients}
	err := errors.Join(b.run(), b.close())
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	ctx     context.Context
	rounds  int
	length  time.Duration
	clients int
	closers []func() error // the last first
}

func (b *bench) close() (err error) {
	for _, f := range slices.Backward(b.closers) {
		err = errors.Join(err, f())
	}
	return err
}

func (b *bench) run() error {
	dir, err := os.MkdirTemp("", "appstore-bench-")
	if err != nil {
		return err
	}
	b.closers = append(b.closers, func() error { return os.RemoveAll(dir) })
	us, err := b.startUs(dir)
	if err != nil {
		return err
	}
	if err := b.npm(us, dir); err != nil {
		return fmt.Errorf("npm: %w", err)
	}
	if err := b.pip(us, dir); err != nil {
		return fmt.Errorf("pip: %w", err)
	}
	return nil
}

// load is what is asked of one server: the n-th request.
type load func(n int) (*http.Request, error)

// persistent keeps its connections; as many as there are clients.
var persistent = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// compare measures both in turn and prints a line.
func (b *bench) compare(what, peer string, ours, theirs load) error {
	var us, them, ratios []float64
	for range b.rounds {
		x, err := b.rate(ours)
		if err != nil {
			return fmt.Errorf("%s, appstore: %w", what, err)
		}
		y, err := b.rate(theirs)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", what, peer, err)
		}
		us, them, ratios = append(us, x), append(them, y), append(ratios, x/y)
	}
	fmt.Printf("%-44s appstore %9.0f/s   %s %9.0f/s   ratio %.1f (%.1f to %.1f)\n",
		what, median(us), peer, median(them), median(ratios), slices.Min(ratios), slices.Max(ratios))
	return nil
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// rate is how many requests a second are answered, with 2xx each.
func (b *bench) rate(next load) (float64, error) {
	ctx, cancel := context.WithCancelCause(b.ctx)
	defer cancel(nil)
	var n, done atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range b.clients {
		all.Go(func() {
			for ctx.Err() == nil && time.Since(start) < b.length {
				req, err := next(int(n.Add(1)))
				if err == nil {
					err = send(req.WithContext(ctx))
				}
				if err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return 0, err
	}
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}

func send(req *http.Request) error {
	res, err := persistent.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, res.Status, text)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func get(url string, header ...string) load {
	return func(int) (*http.Request, error) {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		for i := 0; err == nil && i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return req, err
	}
}
