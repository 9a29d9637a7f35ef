package artifact

import "testing"

func TestSameVersion(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"1.0", "1.0", true},
		{"1.0-alpha.1", "1.0a1", true},
		{"v1.0+Local-1", "1.0+local.1", true},
		{"1.0", "1.0.1", false},
		{"1.0a1", "1.0b1", false},
		{"", "", false},
		{"x", "x", false},
	} {
		if got := SameVersion(c.a, c.b); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
