package artifact

import (
	"testing"

	"appstore/schema"
)

func TestVersionKey(t *testing.T) {
	for _, same := range [][]string{
		{"1.0a1", "1.0-alpha1", "1.0.0.alpha.1", "v1A1", "1.0_a1"},
		{"1", "1.0", "1.0.0", "01.00", "v1"},
		{"10", "10.0"},
		{"1.0.post1", "1-1", "1.0-r1", "1.0.0.rev1"},
		{"1.0.dev", "1.dev0", "1-DEV0"},
		{"2!1.0", "2!1"},
		{"1.0+ubuntu.1", "1+ubuntu-1", "1.0.0+Ubuntu_1"},
		{"1.0rc1.post2.dev3+a.0", "1c1-2.dev3+a.0"},
		{"0", "0.0"},
	} {
		for _, v := range same {
			if got, want := VersionKey(schema.PyPI, v), VersionKey(schema.PyPI, same[0]); got != want {
				t.Errorf("%s and %s are one version; their keys are %q and %q", v, same[0], got, want)
			}
		}
	}
	seen := map[string]string{}
	for _, v := range []string{"1", "10", "1.0.1", "1.1", "1!1", "1a1", "1a10", "1b1", "1rc1", "1.post1", "1.post10", "1.dev1", "1a1.dev1", "1+a", "1+a.0", "1+0", "no version", "No version"} {
		key := VersionKey(schema.PyPI, v)
		if was, ok := seen[key]; ok {
			t.Errorf("%s and %s are not one version; both have the key %q", v, was, key)
		}
		seen[key] = v
	}
	if VersionKey(schema.NPM, "1.0.0+a") != VersionKey(schema.NPM, "1.0.0+b") || VersionKey(schema.NPM, "1.0.0-a") == VersionKey(schema.NPM, "1.0.0") {
		t.Error("npm's versions differ in what follows the +, or not in a pre-release")
	}
}
