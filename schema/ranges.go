package schema

import (
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// MaxRange is the longest range, in characters.
const MaxRange = 100

// Range is a set of versions, written as npm writes them: ^1.2, ~1.2, >=1 <2,
// 1.x, 1.2 - 1.4, and alternatives with ||.
type Range struct {
	text string
	any  []alternative
}

// An alternative is what stands between two ||: all its comparators must hold.
type alternative struct {
	all *semver.Constraints
	pre [][3]uint64 // major, minor, patch of its comparators that name a pre-release
}

var (
	hyphenRange = regexp.MustCompile(`^\s*(\S+)\s+-\s+(\S+)\s*$`)
	comparator  = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+-[0-9A-Za-z.-]+`)
)

// ParseRange reads a range. The empty text is no range; "*" is the range of all.
func ParseRange(s string) (Range, error) {
	fail := func(why string) (Range, error) {
		return Range{}, errorf("bad-range", `write a range such as "^1.2", ">=1 <2" or "1.x"`, "%s %s", quote(s), why)
	}
	if len(s) > MaxRange {
		return Range{}, errorf("bad-range", "shorten it", "the range has over %d characters", MaxRange)
	}
	if strings.TrimSpace(s) == "" {
		return fail("is no range of versions")
	}
	r := Range{text: s}
	for part := range strings.SplitSeq(s, "||") {
		if strings.ContainsAny(part, "+!") { // build metadata has no order; npm has no "not"
			return fail("is no range of versions")
		}
		if m := hyphenRange.FindStringSubmatch(part); m != nil {
			part = ">=" + m[1] + " <=" + m[2]
		}
		if strings.TrimSpace(part) == "" {
			return fail("has an empty alternative beside ||")
		}
		if tooLargeNumber(part) {
			return fail("has a number over 18446744073709551615")
		}
		c, err := semver.NewConstraint(part)
		if err != nil {
			return fail("is no range of versions")
		}
		c.IncludePrerelease = true // admits decides instead
		a := alternative{all: c}
		for _, text := range comparator.FindAllString(part, -1) {
			if v, err := semver.StrictNewVersion(text); err == nil {
				a.pre = append(a.pre, [3]uint64{v.Major(), v.Minor(), v.Patch()})
			}
		}
		r.any = append(r.any, a)
	}
	return r, nil
}

// Contains reports whether v is in the range. A pre-release is in it only where
// npm's rule admits it: when a comparator of the same alternative names a
// pre-release of the same three numbers. So ^1.2.0 does not contain 1.3.0-beta,
// and >=1.3.0-alpha contains 1.3.0-beta but not 1.4.0-beta.
func (r Range) Contains(v Version) bool {
	for _, a := range r.any {
		if a.admits(v) && a.all.Check(v.semver()) {
			return true
		}
	}
	return false
}

func (a alternative) admits(v Version) bool {
	if v.pre == "" {
		return true
	}
	for _, p := range a.pre {
		if p == [3]uint64{v.Major, v.Minor, v.Patch} {
			return true
		}
	}
	return false
}

func (r Range) String() string { return r.text }

// Latest is the channel that is computed: the highest live version that is no
// pre-release, or the highest of all. It can be asked for, but not set.
const Latest = "latest"

var channelGrammar = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)

// CheckChannel says why s can't be the name of a channel that is set, or nil.
func CheckChannel(s string) error {
	const fix = `use a word such as "stable", "beta" or "lts-2026"`
	switch {
	case s == Latest:
		return errorf("bad-channel", fix, "the channel \"latest\" is computed and can't be set")
	case !channelGrammar.MatchString(s):
		return errorf("bad-channel", fix, "%s is no name of a channel: a lower case letter, then up to 29 lower case letters, digits or \"-\"", quote(s))
	}
	if _, err := ParseRange(s); err == nil {
		return errorf("bad-channel", fix, "%s is a version or a range, so it can't be the name of a channel", quote(s))
	}
	return nil
}

// RefKind says what a client asks for.
type RefKind int

// The kinds of refs.
const (
	RefNone    RefKind = iota // nothing: channel "stable" if it is set, else "latest"
	RefVersion                // one version
	RefChannel                // a channel, or Latest
	RefRange                  // the highest version in a range
)

// Ref is what a client asks for: a version, a channel, a range, or nothing.
type Ref struct {
	Kind    RefKind
	Version Version // of RefVersion
	Channel string  // of RefChannel
	Range   Range   // of RefRange
}

// ParseRef reads a ref. No text is two kinds at once, because CheckChannel refuses
// what is a version or a range, and a full version is never taken for a range.
func ParseRef(s string) (Ref, error) {
	if s == "" {
		return Ref{}, nil
	}
	if v, err := ParseVersion(s); err == nil {
		return Ref{Kind: RefVersion, Version: v}, nil
	}
	if s == Latest || CheckChannel(s) == nil {
		return Ref{Kind: RefChannel, Channel: s}, nil
	}
	if r, err := ParseRange(s); err == nil {
		return Ref{Kind: RefRange, Range: r}, nil
	}
	return Ref{}, errorf("bad-ref", `ask for a version ("1.2.0"), a channel ("stable") or a range ("^1.2")`, "%s is no version, channel or range", quote(s))
}

func (r Ref) String() string {
	switch r.Kind {
	case RefVersion:
		return r.Version.String()
	case RefChannel:
		return r.Channel
	case RefRange:
		return r.Range.String()
	}
	return ""
}
