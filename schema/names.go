package schema

import (
	"regexp"
	"strings"
)

// MaxName is the longest name of a plugin, in characters.
const MaxName = 100

// A name starts with a letter or a digit; letters, digits, "-", "_" and "."
// follow. ASCII only, so that names can't look alike by their alphabet.
var nameGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// CheckName says what is wrong with a plugin's name, or nil.
func CheckName(name string) error {
	switch {
	case name == "":
		return errorf("bad-name", `write a name such as "KubePlugin"`, "the name is empty")
	case len(name) > MaxName:
		return errorf("bad-name", "shorten it", "the name has %d characters, at most %d are allowed", len([]rune(name)), MaxName)
	case !nameGrammar.MatchString(name):
		return errorf("bad-name", nameFix(name), "%s is no name of a plugin: a letter or a digit, then letters, digits, \"-\", \"_\" or \".\"", quote(name))
	}
	return nil
}

var nonName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func nameFix(name string) string {
	if isPlaceholder(name) {
		return "put the real name in the place of the placeholder"
	}
	n := strings.Trim(nonName.ReplaceAllString(name, "-"), "-_.")
	if n == "" || len(n) > MaxName {
		return `for example "KubePlugin"`
	}
	return "for example " + quote(n) + "; any text may stand in title"
}

// Normalise gives the form in which names of plugins are unique: lower case, and
// each run of "-", "_" and "." is one "-". It is the rule of PEP 503 for the
// names of Python packages.
func Normalise(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	gap := false
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	if gap {
		b.WriteByte('-')
	}
	return b.String()
}

// Skeleton gives what is left of a name when the ways to make one name look like
// another are undone: separators are dropped, 0 reads o, 1 and l read i, rn reads m.
// Two plugins can't have the same skeleton.
func Skeleton(name string) string {
	s := strings.ReplaceAll(Normalise(name), "-", "")
	s = skeletonLetters.Replace(s)
	return strings.ReplaceAll(s, "rn", "m")
}

var skeletonLetters = strings.NewReplacer("0", "o", "1", "i", "l", "i")

// Names of packages, by the rules of their ecosystems: PEP 508 (the grammar of
// "identifier"), and npm's validate-npm-package-name for new packages.
var (
	pypiName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	npmName  = regexp.MustCompile(`^(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*$`)
)

// MaxPackageName is the longest name of a package, in characters (npm's limit).
const MaxPackageName = 214

// CheckPackage says what is wrong with the name of a package of an ecosystem, or nil.
func CheckPackage(ecosystem, name string) error {
	grammar, means, example := pypiName, "PyPI (PEP 508): letters, digits, \"-\", \"_\" and \".\", first and last a letter or a digit", `for example "cloudlaunch-kube"`
	if ecosystem == NPM {
		grammar, means, example = npmName, "npm: lower case letters, digits, \"-\", \"_\", \".\" and \"~\", perhaps after \"@scope/\"", `for example "@cloudlaunch/kube", in quotes because of the @`
	}
	switch {
	case ecosystem != PyPI && ecosystem != NPM:
		return errorf("bad-value", `write "pypi" or "npm"`, "%s is no known ecosystem of packages", quote(ecosystem))
	case name == "":
		return errorf("bad-package-name", example, "the name of the package is empty")
	case len(name) > MaxPackageName:
		return errorf("bad-package-name", "give the package's name as its index has it", "the name of the package is over %d characters long", MaxPackageName)
	case isPlaceholder(name):
		return errorf("bad-package-name", "put the real name in the place of the placeholder, "+example, "%s is a placeholder", quote(name))
	case !grammar.MatchString(name):
		if ecosystem == NPM && npmName.MatchString(strings.ToLower(name)) {
			example = "write " + quote(strings.ToLower(name))
		}
		return errorf("bad-package-name", example, "%s is no name of a package of %s", quote(name), means)
	}
	return nil
}

// NormalisePackage gives the form in which an ecosystem compares names of
// packages: PEP 503 for PyPI; npm compares names as they are.
func NormalisePackage(ecosystem, name string) string {
	if ecosystem == PyPI {
		return Normalise(name)
	}
	return name
}

// isPlaceholder knows the unfilled places of a template, as in "<name_of_class>".
func isPlaceholder(s string) bool {
	return len(s) > 2 && s[0] == '<' && s[len(s)-1] == '>'
}
