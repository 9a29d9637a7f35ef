package searchtest

import (
	"context"
	"iter"
	"testing"

	"appstore/search"
)

// perfect answers as the reference does: what fails with it is a mistake in
// the query file, or in the plan, and of no engine.
type perfect struct {
	t    *testing.T
	docs []search.Doc
}

func (p *perfect) Search(_ context.Context, q search.Query) (*search.Result, error) {
	plan, err := search.Compile(q)
	if err != nil {
		return nil, err
	}
	found := reference(p.t, p.docs, q)
	return plan.Result(found, len(found), count(found)), nil
}

func (p *perfect) Put(context.Context, search.Mark, ...search.Doc) error { return nil }
func (p *perfect) Rebuild(context.Context, search.Mark, iter.Seq2[search.Doc, error]) error {
	return nil
}
func (p *perfect) State(context.Context) (search.State, error) { return search.State{}, nil }
func (p *perfect) Close() error                                { return nil }

func TestQueryFile(t *testing.T) {
	docs := Catalogue()
	runQueries(t, &perfect{t, docs}, docs, "made")
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Catalogue() {
		if seen[d.Name] || d.Name == "" || d.Spelling == "" || d.Updated.IsZero() || len(d.Interfaces) == 0 {
			t.Errorf("%q is there twice, or lacks something", d.Name)
		}
		seen[d.Name] = true
	}
	if len(seen) != 45 {
		t.Errorf("%d documents", len(seen))
	}
}
