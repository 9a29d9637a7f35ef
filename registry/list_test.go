package registry

import (
	"slices"
	"testing"
	"time"
)

// Every plugin comes once, in the order of the names, also when the names begin
// alike; a replica that can't read the journal says so.
func TestPlugins(t *testing.T) {
	r := newPlace(t).replica("a")
	want := []string{"a", "a-b", "a0", "b", "zebra"}
	for _, name := range []string{"zebra", "A_b", "b", "a", "a0"} {
		mustPublish(t, r, upload(plain(name, "1.0.0", "Text")))
	}
	if _, err := r.Yank(t.Context(), "b", "1.0.0", true, "broken", "test"); err != nil {
		t.Fatal(err)
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		var have []string
		for after, round := "", 0; round == 0 || after != ""; round++ {
			page, next, err := r.Plugins(t.Context(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit || len(page) == 0 {
				t.Fatalf("limit %d: a page of %d", limit, len(page))
			}
			for _, p := range page {
				have = append(have, p.Name)
				if hidden := p.Live == 0; hidden != (p.Name == "b") {
					t.Errorf("%s has %d live releases", p.Name, p.Live)
				}
			}
			after = next
		}
		if !slices.Equal(have, want) {
			t.Errorf("limit %d: %v, want %v", limit, have, want)
		}
	}
	for _, limit := range []int{0, -1, MaxPage + 1} {
		_, _, err := r.Plugins(t.Context(), "", limit)
		wantCode(t, err, InvalidRequest)
	}
	if page, next, err := r.Plugins(t.Context(), "zebra", 1); len(page) > 0 || next != "" || err != nil {
		t.Errorf("after the last: %v, %q, %v", page, next, err)
	}
	r.closeOnce() // so that nothing reads the journal
	r.seen.Store(time.Now().Add(-staleAfter - time.Second).UnixNano())
	_, _, err := r.Plugins(t.Context(), "", 1)
	wantCode(t, err, Stale)
}
