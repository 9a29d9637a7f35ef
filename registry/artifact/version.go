package artifact

// SameVersion tells whether two spellings are one version of a Python package
// by PEP 440: "1.0-alpha.1" and "1.0a1" are. What is no version equals nothing.
func SameVersion(a, b string) bool {
	x, ok := normalVersion(a)
	y, ok2 := normalVersion(b)
	return ok && ok2 && x == y
}
