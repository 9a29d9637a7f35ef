package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/sync/errgroup"

	"appstore/api"
	"appstore/registry"
)

// BenchmarkCompatFile makes CloudLaunch's file of 2,000 plugins with three releases
// each: at a new server, after one plugin changed, and when nothing did.
func BenchmarkCompatFile(b *testing.B) {
	p := embedded(b)
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(64) // so that the journal groups them
	for i := range 6000 {
		g.Go(func() error {
			d := launched(fmt.Sprintf("bench-%d", i/3), fmt.Sprintf("1.%d.0", i%3), "A benchmark") + "default_config: {nodes: {count: 3, kind: large}}\n"
			_, err := p.reg.Publish(ctx, registry.Upload{Descriptor: []byte(d), By: "bench"})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	fresh := func() http.Handler {
		h, err := api.New(api.Options{Registry: p.reg, Index: openBleve(b), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	get := func(h http.Handler) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, compatFile, nil))
		if w.Code != http.StatusOK || w.Body.Len() < 2000*3*100 {
			b.Fatal(w.Code, w.Body.Len())
		}
		b.SetBytes(int64(w.Body.Len()))
	}
	b.Run("new server", func(b *testing.B) {
		for b.Loop() {
			get(fresh())
		}
	})
	h := fresh()
	get(h)
	b.Run("after a change", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := p.reg.SetChannel(b.Context(), "bench-7", "stable", fmt.Sprintf("1.%d.0", i%3), "bench"); err != nil {
				b.Fatal(err)
			}
			get(h)
		}
	})
	b.Run("hot", func(b *testing.B) {
		for b.Loop() {
			get(h)
		}
	})
}
