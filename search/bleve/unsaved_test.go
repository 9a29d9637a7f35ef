package bleve

import (
	"context"
	"errors"
	"testing"
	"time"

	"appstore/search"
)

// A disk that takes nothing more makes Put fail as long as it lasts, with what
// callers retry; searches go on.
func TestDiskTakesNothing(t *testing.T) {
	x, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	put := func(name string, position uint64, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return x.Put(ctx, search.Mark{Position: position}, search.Doc{Name: name, Position: position})
	}
	if err := put("alpha", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := x.gen.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range maxUnsaved {
		x.gen.unsaved <- struct{}{}
	}
	if err := put("beta", 2, time.Second/2); !errors.Is(err, search.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put returns %v, want ErrUnavailable and the deadline", err)
	}
	r, err := x.Search(t.Context(), search.Query{})
	s, _ := x.State(t.Context())
	if err != nil || r.Total != 1 || s.Position != 1 {
		t.Errorf("meanwhile %v is found, %v, and State is %+v", r, err, s)
	}
	for range maxUnsaved {
		<-x.gen.unsaved
	}
	if err := put("beta", 2, time.Minute); err != nil {
		t.Errorf("when the disk works again: %v", err)
	}
}
