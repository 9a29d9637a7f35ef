package schema

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func version(t testing.TB, s string) Version {
	t.Helper()
	v, err := ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	if v.String() != s {
		t.Fatalf("%s is written %s", s, v)
	}
	return v
}

// The order of semver.org, clause 11, and of numbers that text would sort wrongly.
var ordered = []string{
	"0.0.0-0", "0.0.0", "0.0.1", "0.9.0", "0.10.0", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-18446744073709551615", "1.0.0--", "1.0.0-0a",
	"1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-alpha-", "1.0.0-alpha0", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
	"1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "18446744073709551615.0.0",
}

func TestOrder(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			v, w := version(t, a), version(t, b)
			want := min(max(i-j, -1), 1)
			if got := v.Compare(w); got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
			if got := bytes.Compare(v.Key(), w.Key()); got != want {
				t.Errorf("the keys of %s and %s compare as %d, want %d", a, b, got, want)
			}
		}
	}
}

// A made version: identifiers of few letters, so that near ones are frequent.
func made(r *rand.Rand) string {
	number := func() string { return strconv.FormatUint(r.Uint64()>>(64-r.IntN(8)*8-1), 10) }
	small := func() string { return strconv.Itoa(r.IntN(3)) }
	s := small() + "." + small() + "." + small()
	if r.IntN(4) == 0 {
		s = number() + ".0.0"
	}
	for i := range r.IntN(4) {
		s += map[bool]string{true: "-", false: "."}[i == 0]
		if r.IntN(2) == 0 {
			s += number()
		} else {
			for range 1 + r.IntN(3) {
				s += string("-09AZaz"[r.IntN(7)])
			}
		}
	}
	return s
}

func TestKeyOrdersAsCompare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var versions []Version
	for len(versions) < 1000 {
		if v, err := ParseVersion(made(r)); err == nil {
			versions = append(versions, v)
		}
	}
	for _, v := range versions {
		for _, w := range versions {
			c := v.Compare(w)
			if k := bytes.Compare(v.Key(), w.Key()); k != c {
				t.Fatalf("%s and %s compare as %d, their keys as %d", v, w, c, k)
			}
			if (c == 0) != (v == w) {
				t.Fatalf("%s and %s: Compare is %d, == is %v", v, w, c, v == w)
			}
		}
	}
}

func TestParseVersionRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3+a", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3-a_b", " 1.2.3", "1.2.3 ", "1.2.3\n", "latest", "1.x",
		"18446744073709551616.0.0", "1.0.0-18446744073709551616", "1.2.3-" + strings.Repeat("a", 25), "-1.2.3", "１.0.0",
	} {
		if v, err := ParseVersion(s); err == nil {
			t.Errorf("%q is %s", s, v)
		}
	}
	if _, err := ParseVersion("1.2.3-" + strings.Repeat("a", 24)); err != nil {
		t.Errorf("30 characters: %v", err)
	}
}

// Rows as in npm's own fixtures: range, versions in it, versions not in it.
func TestRanges(t *testing.T) {
	for _, c := range []struct{ text, in, out string }{
		{"*", "0.0.0 1.2.3 99.0.0", "1.2.3-beta"},
		{"x", "0.0.0 1.2.3", "1.2.3-beta"},
		{"1.2.3", "1.2.3", "1.2.4 1.2.2 1.2.3-a"},
		{"=1.2.3", "1.2.3", "1.2.4"},
		{"1", "1.0.0 1.99.0", "0.9.9 2.0.0"},
		{"1.x", "1.0.0 1.99.0", "0.9.9 2.0.0 1.5.0-a"},
		{"1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"},
		{"1.2.x", "1.2.0 1.2.9", "1.1.9 1.3.0"},
		{"1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0"},
		{"^1.2", "1.2.0 1.9.9", "1.1.9 2.0.0 1.3.0-a 2.0.0-a"},
		{"^1.2.3", "1.2.3 1.8.1", "1.2.2 2.0.0 1.2.3-beta"},
		{"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2"},
		{"^0.0.3", "0.0.3", "0.0.4 0.1.0"},
		{"^0.0", "0.0.0 0.0.9", "0.1.0"},
		{"^0", "0.0.0 0.9.0", "1.0.0"},
		{"~1.2", "1.2.0 1.2.9", "1.3.0 1.1.0"},
		{"~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"},
		{"~1", "1.0.0 1.9.0", "2.0.0 0.9.0"},
		{"~0.0.1", "0.0.1 0.0.9", "0.1.0"},
		{">=1 <2", "1.0.0 1.9.9", "0.9.9 2.0.0 2.0.0-a"},
		{">=1.2.3 <1.3", "1.2.3 1.2.9", "1.3.0 1.3.1"},
		{">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9"},
		{">1", "2.0.0", "1.0.0 1.9.9"},
		{"<=1.2", "1.2.0 1.2.9 0.1.0", "1.3.0"},
		{"<1.2", "1.1.9", "1.2.0"},
		{">= 1.2.3", "1.2.3 2.0.0", "1.2.2"},
		{"1.2.3 - 2.3.4", "1.2.3 2.3.4 2.0.0", "1.2.2 2.3.5"},
		{"1.2 - 2.3", "1.2.0 2.3.9", "1.1.9 2.4.0"},
		{"<1 || >=2", "0.9.0 2.0.0", "1.0.0"},
		{"^1.2 || ^3", "1.2.0 3.9.0", "2.0.0"},
		{">=1.3.0-alpha", "1.3.0-alpha 1.3.0-beta 1.3.0 9.0.0", "1.4.0-beta 1.3.0-aaa"},
		{"^1.2.3-beta.2", "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.9.0", "1.2.3-beta.1 1.2.4-beta.2 2.0.0"},
		{"~1.2.3-beta.2", "1.2.3-beta.4 1.2.9", "1.2.4-beta.2 1.3.0"},
		{"1.0.0-rc.1", "1.0.0-rc.1", "1.0.0 1.0.0-rc.2"},
		{">=1.0.0-rc <1.0.0 || 3.x", "1.0.0-rc.1 3.0.0", "1.0.0 3.0.0-rc"},
		{">=1.0.0-a <=1.0.0-c", "1.0.0-b", "1.0.0-d 1.0.0"},
	} {
		r, err := ParseRange(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		for s := range strings.FieldsSeq(c.in) {
			if !r.Contains(version(t, s)) {
				t.Errorf("%q does not contain %s", c.text, s)
			}
		}
		for s := range strings.FieldsSeq(c.out) {
			if r.Contains(version(t, s)) {
				t.Errorf("%q contains %s", c.text, s)
			}
		}
	}
	for _, s := range []string{"", " ", "stable", ">>1", "1.2.3.4", "^", "||", "1 ||", "|| 1", "1 | 2", ">=a", "^1.2+x", "!=1", strings.Repeat("1 ", 60), "18446744073709551616"} {
		if r, err := ParseRange(s); err == nil {
			t.Errorf("%q is the range %+v", s, r)
		}
	}
}

func TestRefs(t *testing.T) {
	for s, want := range map[string]RefKind{
		"": RefNone, "1.2.3": RefVersion, "1.2.3-beta": RefVersion, "latest": RefChannel, "stable": RefChannel, "lts-2026": RefChannel,
		"a": RefChannel, "x": RefRange, "*": RefRange, "1": RefRange, "1.x": RefRange, "^1.2": RefRange, ">=1 <2": RefRange, "v1": RefRange,
	} {
		r, err := ParseRef(s)
		if err != nil || r.Kind != want || r.String() != s {
			t.Errorf("%q is %+v (error %v), want kind %d", s, r, err, want)
		}
	}
	for _, s := range []string{"Stable", "a_b", "-a", "1.2.3+x", "über", strings.Repeat("a", 31)} {
		if r, err := ParseRef(s); err == nil {
			t.Errorf("%q is %+v", s, r)
		}
	}
	for _, s := range []string{"", "latest", "x", "v1", "v1.2.3", "Beta", "a.b", "1", strings.Repeat("a", 31)} {
		if CheckChannel(s) == nil {
			t.Errorf("%q can be a channel", s)
		}
	}
	for _, s := range []string{"a", "stable", "beta-2", strings.Repeat("a", 30)} {
		if err := CheckChannel(s); err != nil {
			t.Error(err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string][2]string{
		"KubePlugin": {"kubeplugin", "kubepiugin"}, "a.-_b": {"a-b", "ab"}, "A_": {"a-", "a"}, "rna-seq": {"rna-seq", "maseq"},
		"k0ol1": {"k0ol1", "kooii"}, "bare_os": {"bare-os", "bareos"}, "mrn": {"mrn", "mm"}, "r-n": {"r-n", "m"},
	} {
		if n, s := Normalise(name), Skeleton(name); n != want[0] || s != want[1] {
			t.Errorf("%s: %s, %s; want %v", name, n, s, want)
		}
		if again := Normalise(Normalise(name)); again != Normalise(name) {
			t.Errorf("%s normalises twice to %s", name, again)
		}
	}
	good := []string{"a", "9", "A.b-c_d", strings.Repeat("a", 100), "a-"}
	bad := []string{"", "-a", ".a", "_a", "a b", "a/b", "ä", strings.Repeat("a", 101), "a\n", "<name>"}
	for _, s := range good {
		if err := CheckName(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range bad {
		if CheckName(s) == nil {
			t.Errorf("%q is a name", s)
		}
	}
	if a, b := NormalisePackage(PyPI, "Kube._Plugin"), NormalisePackage(NPM, "@a/b_c.d"); a != "kube-plugin" || b != "@a/b_c.d" {
		t.Errorf("packages are normalised to %s and %s", a, b)
	}
	for _, s := range []string{"npm @a/b", "npm a.b", "pypi a", "pypi A.b-c_9"} {
		eco, name, _ := strings.Cut(s, " ")
		if err := CheckPackage(eco, name); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"npm @a", "npm A", "npm .a", "npm _a", "npm @a/b/c", "npm ../x", "npm @./x", "pypi -a", "pypi a-", "pypi @a/b", "pypi ", "npm ", "oci a", "pypi a b"} {
		eco, name, _ := strings.Cut(s, " ")
		if CheckPackage(eco, name) == nil {
			t.Errorf("%q of %s is a name", name, eco)
		}
	}
}

func TestTemplate(t *testing.T) {
	for _, name := range []string{"KubePlugin", "a", "1.0", "yes", "null", "9-lives", "a.b_c", "0x1F", "1e5", "2026-01-02"} {
		d, problems := Parse(Template(name))
		if d == nil {
			t.Errorf("%s: %v", name, Problems(problems))
			continue
		}
		if d.Name != name || d.Interfaces["launch"].Backend == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if got := slices.Max([]int{len(Template("K"))}); got > 4096 {
		t.Errorf("the template has %d bytes", got)
	}
}
