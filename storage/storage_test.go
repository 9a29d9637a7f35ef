package storage

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "a/b": true, "a-b.c_d~e@f/0": true, "...": true, "..a": true, "-": true,
		"": false, "/": false, "a/": false, "/a": false, "a//b": false, ".": false, "a/..": false, "../a": false, "A": false, "a b": false, "ä": false, "a\x00": false,
		strings.Repeat("s", MaxSegment):          true,
		strings.Repeat("s", MaxSegment+1):        false,
		strings.Repeat("a/", MaxKey/2-1) + "aa":  true,
		strings.Repeat("a/", MaxKey/2-1) + "aaa": false,
	} {
		err := CheckKey(key)
		if got := err == nil; got != want {
			t.Errorf("CheckKey(%q) = %v, want valid: %v", key, err, want)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("CheckKey(%q) = %v, which is not %v", key, err, ErrInvalid)
		}
	}
}

// FuzzValidPrefix: every beginning of a key is a valid prefix, and what is
// none begins no key.
func FuzzValidPrefix(f *testing.F) {
	f.Add("a/b", "c/d")
	f.Add("a/.", "x")
	f.Add("a/", "/b")
	f.Add("..", "/b")
	f.Fuzz(func(t *testing.T, prefix, rest string) {
		if CheckKey(prefix+rest) == nil && !ValidPrefix(prefix) {
			t.Errorf("%q is a key, and its beginning %q no valid prefix", prefix+rest, prefix)
		}
		if ValidPrefix(prefix) && CheckKey(prefix) != nil && CheckKey(prefix+"a") != nil {
			t.Errorf("no key begins with %q", prefix)
		}
	})
}
