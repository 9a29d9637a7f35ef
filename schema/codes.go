package schema

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Codes are all the codes of problems, with what each means. A code never changes
// its meaning.
var Codes = map[string]string{
	// Before the text is read as YAML.
	"too-large":          "the text is over 1 MiB",
	"nul-byte":           "the text has a NUL byte",
	"not-utf8":           "the text is no valid UTF-8",
	"too-deep":           "lists and mappings are nested too deeply",
	"too-complex":        "with its aliases written out the text has too many nodes",
	"alias-cycle":        "an alias stands inside of what it means",
	"bad-yaml":           "the text is no YAML",
	"empty":              "the text says nothing",
	"ellipsis":           "a line of \"...\", which ends a YAML document",
	"missing-colon":      "a key has no colon",
	"multiple-documents": "the text has more than one YAML document",

	// While YAML becomes JSON.
	"duplicate-key":  "a mapping has a key twice",
	"non-string-key": "a key is a number, a date, a list, ...",
	"explicit-tag":   "a value has a YAML tag",
	"unquoted-date":  "a date that YAML reads as a time",
	"not-a-number":   "an infinite, undefined or too large number",
	"bad-merge":      "a merge key (<<) whose value is no mapping",

	// The shape.
	"unknown-key":      "a key that descriptors don't have",
	"missing-key":      "a key that must be there is not",
	"mixed-forms":      "a key of the simple form beside interfaces",
	"interface-list":   "an interface written as a list",
	"wrong-type":       "a value of the wrong kind",
	"not-a-list":       "one value in the place of a list",
	"not-a-string":     "a number or a truth value in the place of a text",
	"unquoted-version": "a version that YAML reads as a number",
	"too-long":         "a text has too many characters",
	"too-many":         "a list or a mapping has too many entries",
	"duplicate-item":   "a list has an item twice",
	"bad-value":        "a value that is not among those allowed",
	"bad-text":         "a text with control characters",
	"bad-url":          "a URL that is not http or https",

	// The meaning.
	"bad-name":                "a name of a plugin that breaks the rules",
	"bad-version":             "a version that is not strictly semantic",
	"bad-range":               "a range that can't be read",
	"bad-package-name":        "a name of a package that its ecosystem does not allow",
	"bad-package-version":     "a version of a package that its ecosystem does not allow",
	"bad-component":           "a back end's class that is not written as module.Class",
	"bad-sha256":              "a sha256 that is not 64 hexadecimal digits",
	"external-incomplete":     "an external package without its exact version or sha256",
	"version-without-package": "a version, sha256 or external without a package",
	"package-conflict":        "a package with two versions, or from two places, in one descriptor",

	// Of refs and channels, which descriptors don't have.
	"bad-channel": "a name that no channel can have",
	"bad-ref":     "what is no version, channel or range",
}

// ruleError is why a value breaks a rule, for a place that is not known here.
type ruleError struct{ code, message, fix string }

func (e *ruleError) Error() string {
	if e.fix == "" {
		return e.message
	}
	return e.message + " (" + e.fix + ")"
}

func errorf(code, fix, format string, args ...any) error {
	return &ruleError{code, fmt.Sprintf(format, args...), fix}
}

// ProblemAt makes a Problem of an error of CheckName, ParseVersion, ParseRange or
// another rule of this package; its line and column are not known here.
func ProblemAt(pointer string, err error) Problem {
	var e *ruleError
	if errors.As(err, &e) {
		return Problem{Pointer: pointer, Code: e.code, Message: e.message, Fix: e.fix}
	}
	return Problem{Pointer: pointer, Code: "bad-value", Message: err.Error()}
}

// quote shows a text of the author, short enough for a message.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
