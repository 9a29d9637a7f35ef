package bleve

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever is added in whatever order, the first n come out in order.
func TestFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		f := first[int]{n: 1 + rnd.IntN(8), compare: cmp.Compare[int]}
		all := []int{}
		for range rnd.IntN(60) {
			i := rnd.IntN(40)
			all = append(all, i)
			f.add(i)
		}
		slices.Sort(all)
		if got, want := f.sorted(), all[:min(len(all), f.n)]; !slices.Equal(got, want) || got == nil {
			t.Fatalf("the first %d of %v are %v", f.n, all, got)
		}
	}
}

// Keys that begin with prefix are before after(prefix), all larger ones not.
func TestAfter(t *testing.T) {
	for prefix, want := range map[string]string{"": "", "a": "b", "gal": "gam", "a\xff": "b", "\xff\xff": "", "é": "ê"} {
		got := after([]byte(prefix))
		if string(got) != want {
			t.Errorf("after %q comes %q, want %q", prefix, got, want)
		}
		if want != "" && (bytes.Compare([]byte(prefix+"\xff\xff"), got) >= 0 || bytes.HasPrefix(got, []byte(prefix))) {
			t.Errorf("%q is not after all that begins with %q", got, prefix)
		}
	}
}
