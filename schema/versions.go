package schema

import (
	"encoding/binary"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// MaxVersion is the longest version of a plugin, in characters.
const MaxVersion = 30

// Version is a strict Semantic Version (semver.org, 2.0.0) without build metadata:
// what two versions differ in, their order sees, so == and Compare agree.
// The zero Version is 0.0.0.
type Version struct {
	Major, Minor, Patch uint64
	pre                 string
}

// ParseVersion reads a version. Its error is a Problem's text with a way to fix it.
// A number of a version is at most 18446744073709551615 (64 bits).
func ParseVersion(s string) (Version, error) {
	if len(s) > MaxVersion {
		return Version{}, errorf("bad-version", "shorten it; any text may stand in label", "the version has %d characters, at most %d are allowed", len([]rune(s)), MaxVersion)
	}
	v, err := semver.StrictNewVersion(s)
	if err != nil || v.Metadata() != "" || hugeNumber(v.Prerelease()) {
		return Version{}, versionError(s)
	}
	return Version{v.Major(), v.Minor(), v.Patch(), v.Prerelease()}, nil
}

// hugeNumber reports a numeric identifier that does not fit into 64 bits.
func hugeNumber(pre string) bool {
	for _, id := range strings.Split(pre, ".") {
		if _, err := strconv.ParseUint(id, 10, 64); errors.Is(err, strconv.ErrRange) {
			return true
		}
	}
	return false
}

var (
	looseVersion = regexp.MustCompile(`^[vV=]?\s*([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.+-]*)?$`)
	digits       = regexp.MustCompile(`[0-9]+`)
)

func versionError(s string) error {
	const want = "a version is three numbers, as in 1.10.0, perhaps with a pre-release, as in 1.10.0-beta.1"
	fix := want
	m := looseVersion.FindStringSubmatch(s)
	if strict := threeNumbers(s); strict != s {
		fix = "write " + quote(strict)
	}
	var why string
	switch {
	case s == "":
		why = "the version is empty"
	case isPlaceholder(s):
		why = quote(s) + " is a placeholder"
	case m == nil:
		why = quote(s) + " is no semantic version"
	case m[5] != "":
		why = quote(s) + " has build metadata (what follows the +), which versions here can't have: two builds would have the same place in the order"
	case tooLargeNumber(s):
		why = quote(s) + " has a number over 18446744073709551615"
		fix = "use smaller numbers"
	case m[2] == "" || m[3] == "":
		why = quote(s) + " is no semantic version: it needs three numbers"
	default:
		why = quote(s) + " is no semantic version: no \"v\" before it, no zeros before its numbers"
	}
	return errorf("bad-version", fix, "%s", why)
}

// threeNumbers makes a strict version of what is nearly one: 1.10 is 1.10.0. What
// is not comes back as it is.
func threeNumbers(s string) string {
	m := looseVersion.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	number := func(s string) string { return cmpOr(strings.TrimLeft(s, "0"), "0") }
	strict := number(m[1]) + "." + number(m[2]) + "." + number(m[3]) + m[4]
	if _, err := semver.StrictNewVersion(strict); err != nil || tooLargeNumber(strict) || len(strict) > MaxVersion {
		return s
	}
	return strict
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func tooLargeNumber(s string) bool {
	for _, d := range digits.FindAllString(s, -1) {
		if _, err := strconv.ParseUint(d, 10, 64); err != nil {
			return true
		}
	}
	return false
}

func (v Version) String() string {
	s := strconv.FormatUint(v.Major, 10) + "." + strconv.FormatUint(v.Minor, 10) + "." + strconv.FormatUint(v.Patch, 10)
	if v.pre != "" {
		s += "-" + v.pre
	}
	return s
}

func (v Version) semver() *semver.Version {
	return semver.New(v.Major, v.Minor, v.Patch, v.pre, "")
}

// Compare is -1, 0 or 1 as v comes before w, is w, or comes after w, by the
// precedence of Semantic Versioning, clause 11.
func (v Version) Compare(w Version) int { return v.semver().Compare(w.semver()) }

// Prerelease reports whether v has a pre-release part, as 1.0.0-beta.1 has.
func (v Version) Prerelease() bool { return v.pre != "" }

// numeric reads an identifier that has digits only; ParseVersion made sure that it
// fits.
func numeric(id string) (n uint64, ok bool) {
	for _, c := range []byte(id) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// Key encodes v such that bytes.Compare of two keys is Compare of the versions.
//
// The three numbers have 8 bytes each, big endian. A release ends with 0xff. A
// pre-release goes on with its identifiers, each 0x01 and 8 bytes for a number, or
// 0x02, the text and 0x00; and ends with 0x00, which is less than any identifier.
func (v Version) Key() []byte {
	b := make([]byte, 0, 32)
	b = binary.BigEndian.AppendUint64(b, v.Major)
	b = binary.BigEndian.AppendUint64(b, v.Minor)
	b = binary.BigEndian.AppendUint64(b, v.Patch)
	if v.pre == "" {
		return append(b, 0xff)
	}
	for _, id := range strings.Split(v.pre, ".") {
		if n, ok := numeric(id); ok {
			b = binary.BigEndian.AppendUint64(append(b, 0x01), n)
		} else {
			b = append(append(append(b, 0x02), id...), 0x00)
		}
	}
	return append(b, 0x00)
}
