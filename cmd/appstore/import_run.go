package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"appstore/api/client"
)

// importWorkers is how many plugins are imported at once: enough to share
// entries of the journal, few enough to leave a server to others.
const importWorkers = 8

// importer brings plans into an AppStore.
type importer struct {
	c    *client.Client
	bad  func(line string) // told of each problem, as it is found
	step func()            // told after each step

	mu    sync.Mutex
	count tally

	// files counts the releases with files that were published: each may be
	// what another release waits for.
	files atomic.Int64
}

// plan is what there is to do for one plugin, step by step.
type plan struct {
	releases int // that it looks at
	steps    []step

	waits   error // why the first step can't be done yet
	waiting int64 // importer.files when it was tried
}

// step does one thing for a plugin, unless it is done already. Its error says
// where in the source the mistake is.
type step func(context.Context) error

// placed is an error with its place in the source, "file:line:column".
type placed struct {
	place string
	err   error
}

func (e *placed) Error() string { return e.place + ": " + e.err.Error() }
func (e *placed) Unwrap() error { return e.err }

// run imports everything; it returns the error that stopped it, and nil when
// there were only problems.
func (im *importer) run(ctx context.Context, from []string) error {
	var plans []*plan
	for _, source := range from {
		more, err := im.read(ctx, source)
		if err != nil {
			return err
		}
		plans = append(plans, more...)
	}
	im.change(func(t *tally) {
		for _, p := range plans {
			if t.releases += p.releases; p.releases > 0 {
				t.Plugins++
			}
		}
	})
	return im.work(ctx, plans)
}

// work does the steps of all plans: several plugins at once, each plugin's in
// their order. A release that uses a package which is not stored waits until
// another release with files is published; when nothing more can come, it is a
// problem.
func (im *importer) work(ctx context.Context, plans []*plan) error {
	for len(plans) > 0 {
		published := im.files.Load()
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(importWorkers)
		tried := false
		for _, p := range plans {
			if p.waits == nil || p.waiting < published {
				tried = true
				g.Go(func() error { return im.advance(ctx, p) })
			}
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if !tried {
			p := plans[0]
			im.problem(p.waits)
			p.waits, p.steps = nil, p.steps[1:]
		}
		plans = slices.DeleteFunc(plans, func(p *plan) bool { return len(p.steps) == 0 })
	}
	return nil
}

// advance does the steps of one plan until one has to wait.
func (im *importer) advance(ctx context.Context, p *plan) error {
	for len(p.steps) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		published := im.files.Load()
		err := p.steps[0](ctx)
		var answer *client.Error
		switch {
		case err == nil:
		case stops(err):
			return err
		case errors.As(err, &answer) && answer.Code == "missing-file":
			p.waits, p.waiting = err, published
			return nil
		default:
			im.problem(err)
		}
		p.waits, p.steps = nil, p.steps[1:]
		im.step()
	}
	return nil
}

// stops tells an error that every other release would meet, too.
func stops(err error) bool {
	var answer *client.Error
	var unreachable *client.Unreachable
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &unreachable):
		return true
	case errors.As(err, &answer):
		return answer.Status >= 500 || answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden || answer.Code == ""
	}
	return false
}

// problem reports what is wrong with a part of the source.
func (im *importer) problem(err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			im.problem(one)
		}
		return
	}
	var answer *client.Error
	var at *placed
	if errors.As(err, &answer) && errors.As(err, &at) && len(answer.Problems) > 0 {
		for _, p := range answer.Problems {
			im.problemLine(problemLine(at.place, p))
		}
		return
	}
	im.problemLine(plain(err.Error()))
}

func (im *importer) problemLine(line string) {
	im.change(func(t *tally) { t.Problems = append(t.Problems, line) })
	im.bad(line)
}

func (im *importer) change(f func(*tally)) {
	im.mu.Lock()
	defer im.mu.Unlock()
	f(&im.count)
}

func (im *importer) tally() tally {
	im.mu.Lock()
	defer im.mu.Unlock()
	t := im.count
	t.Problems = append([]string{}, t.Problems...)
	return t
}
