package artifact

import (
	"strings"

	"appstore/schema"
)

// VersionKey is the same for the spellings of one version of a package, as its
// clients compare them: by PEP 440 "1.0-alpha1" is "1.0.0a1"; by Semantic
// Versioning (item 10) what follows a + does not count. What is no version is its
// own key.
func VersionKey(ecosystem, version string) string {
	if ecosystem != schema.PyPI {
		version, _, _ = strings.Cut(version, "+")
		return version
	}
	normal, ok := normalVersion(version)
	if !ok {
		return version
	}
	// The zeros at the end of its numbers do not count (canonicalize_version of
	// the Python library packaging).
	end := strings.IndexFunc(normal, func(r rune) bool { return r != '.' && r != '!' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(normal)
	}
	numbers, rest := normal[:end], normal[end:]
	if strings.HasSuffix(numbers, ".") { // of ".post1", ".dev1"
		numbers, rest = strings.TrimSuffix(numbers, "."), "."+rest
	}
	for strings.HasSuffix(numbers, ".0") {
		numbers = strings.TrimSuffix(numbers, ".0")
	}
	return numbers + rest
}
