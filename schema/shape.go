package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checks are the rules in words for the definitions of the schema that have a
// grammar: the schema finds that a text breaks it, these say how.
var checks = map[string]func(string) error{
	"name":        CheckName,
	"version":     func(s string) error { _, err := ParseVersion(s); return err },
	"range":       func(s string) error { _, err := ParseRange(s); return err },
	"url":         checkURL,
	"pypiName":    func(s string) error { return CheckPackage(PyPI, s) },
	"npmName":     func(s string) error { return CheckPackage(NPM, s) },
	"pypiVersion": func(s string) error { return checkPackageVersion(PyPI, s) },
	"npmVersion":  func(s string) error { return checkPackageVersion(NPM, s) },
	"pythonClass": checkClass,
	"sha256":      checkSHA256,
}

// shapeProblems is what the JSON Schema finds. What is in a list that is too long is
// left for when it is short enough.
func shapeProblems(doc *Document) []Problem {
	found := violations(doc.Value)
	long := map[string]bool{}
	for _, v := range found {
		if v.keyword == "maxItems" {
			long[v.pointer] = true
		}
	}
	var problems []Problem
	for _, v := range found {
		if i := strings.LastIndexByte(v.pointer, '/'); i < 0 || !long[v.pointer[:i]] {
			problems = append(problems, v.problems(doc.Value, doc.Source)...)
		}
	}
	return problems
}

// problems says in words how value breaks a rule. There is more than one only for
// unknown and missing keys. source gives a value as it stands in the text.
func (v violation) problems(root any, source func(pointer string) string) []Problem {
	value, ok := find(root, v.pointer)
	if !ok {
		value = nil
	}
	text, isText := value.(string)
	if check := checks[v.def]; check != nil && isText {
		if err := check(text); err != nil {
			return []Problem{ProblemAt(v.pointer, err)}
		}
	}
	p := Problem{Pointer: v.pointer, Code: "bad-value"}
	key := lastKey(v.pointer)
	switch v.keyword {
	case "type":
		return []Problem{v.wrongType(value, source(v.pointer))}
	case "additionalProperties":
		return v.unknownKeys(value)
	case "propertyNames":
		p.Code = "unknown-key"
		p.Message = quote(key) + " is no name of a requirement: a lower case letter, then up to 49 lower case letters, digits or \"-\""
		p.Fix = "write a name such as cloudlaunch or python"
	case "required":
		return v.missingKeys(value)
	case "maxLength":
		p.Code = "too-long"
		p.Message = fmt.Sprintf("%s has %d characters, at most %s are allowed", key, len([]rune(text)), v.limit())
		p.Fix = "shorten it"
	case "maxItems":
		p.Code = "too-many"
		list, _ := value.([]any)
		p.Message = fmt.Sprintf("%s has %d entries, at most %s are allowed", key, len(list), v.limit())
		p.Fix = "leave some out"
	case "maxProperties":
		p.Code = "too-many"
		m, _ := value.(map[string]any)
		p.Message = fmt.Sprintf("%s has %d keys, at most %s are allowed", key, len(m), v.limit())
		p.Fix = "leave some out"
	case "uniqueItems":
		p.Code = "duplicate-item"
		i, first := repeated(value)
		p.Pointer += "/" + strconv.Itoa(i)
		p.Message = fmt.Sprintf("%s has %s twice", key, first)
		p.Fix = "leave one of them out"
	case "minLength":
		p.Message, p.Fix = "the text is empty", "write something or leave it out"
	case "enum":
		p.Message = fmt.Sprintf("%s is not allowed here", show(value))
		p.Fix = "write one of: " + list(v.rule["enum"])
	case "pattern", "format":
		p.Message = fmt.Sprintf("%s is not what %s takes", quote(text), key)
		hint, _ := v.rule["patternErrorMessage"].(string)
		if hint != "" {
			p.Fix = "write " + strings.ToLower(hint[:1]) + strings.TrimSuffix(hint[1:], ".")
		}
		switch {
		case v.def == "line" && strings.ContainsAny(text, "\r\n"):
			p.Code, p.Message = "bad-text", key+" is one line of text and has a line break"
			p.Fix = "write it on one line; a text after > or | ends with a line break, one after >- does not"
		case v.def == "line" || v.def == "text":
			p.Code, p.Message = "bad-text", key+" has a control character or an invisible one that changes the direction of text"
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		p.Message = fmt.Sprintf("%s is out of bounds", show(value))
		p.Fix = bounds(v.rule)
	default:
		p.Message = "the value breaks the rule " + v.keyword + " of the schema"
	}
	return []Problem{p}
}

func (v violation) limit() string {
	f, _ := v.rule[v.keyword].(float64)
	return strconv.Itoa(int(f))
}

func bounds(rule map[string]any) string {
	var words []string
	for _, b := range []struct{ keyword, words string }{
		{"minimum", "at least"}, {"exclusiveMinimum", "more than"}, {"maximum", "at most"}, {"exclusiveMaximum", "less than"},
	} {
		if n, ok := rule[b.keyword].(float64); ok {
			words = append(words, b.words+" "+strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	return strings.Join(words, " and ")
}

// wrongType is about a value of another kind than the schema wants.
func (v violation) wrongType(value any, source string) Problem {
	p := Problem{Pointer: v.pointer, Code: "wrong-type"}
	key := lastKey(v.pointer)
	wants := typesOf(v.rule)
	number, isNumber := value.(json.Number)
	_, isTruth := value.(bool)
	_, isList := value.([]any)
	switch {
	case slices.Equal(wants, []string{"null"}):
		p.Code = "mixed-forms"
		p.Message = key + " is a key of the simple form, and the descriptor has interfaces too"
		p.Fix = "move it into interfaces.launch: " + simpleKeys[key]
	case slices.Contains(wants, "string") && isNumber && isVersion(v.pointer):
		p.Code = "unquoted-version"
		p.Message = fmt.Sprintf("YAML reads %s as the number %s", source, number)
		p.Fix = fmt.Sprintf("put the version in quotes: %s: %q", key, source)
		if v.pointer == "/version" {
			p.Fix = fmt.Sprintf("put the version in quotes, with three numbers: version: %q", threeNumbers(source))
		}
	case slices.Contains(wants, "string") && (isNumber || isTruth):
		p.Code = "not-a-string"
		p.Message = fmt.Sprintf("%s takes a text, and YAML reads %s as %s", key, source, kind(value))
		p.Fix = "put it in quotes: " + strconv.Quote(source)
	case slices.Contains(wants, "array") && !isMap(value):
		p.Code = "not-a-list"
		p.Message = fmt.Sprintf("%s takes a list, not %s", key, kind(value))
		p.Fix = fmt.Sprintf("write a list: %s: [%s]", key, listed(value))
	case isList && (isInterface(v.pointer) || v.pointer == "/interfaces"):
		p.Code = "interface-list"
		p.Message = key + " takes keys, not a list"
		name := key
		if v.pointer == "/interfaces" {
			name = "launch"
		}
		p.Fix = "write it as\n" + interfaceForm(name)
	default:
		not := kind(value)
		if isNumber {
			not = number.String()
		}
		p.Message = fmt.Sprintf("%s takes %s, not %s", cmpOr(key, "a descriptor"), kinds(wants), not)
		p.Fix = "write " + kinds(wants)
		switch {
		case v.def == "backend" || v.def == "frontend":
			p.Fix = fmt.Sprintf("write %s: {package: NAME, component: NAME}", key)
		case v.pointer == "":
			p.Fix = "start with name: and version:"
		case slices.Contains(wants, "object"):
			p.Fix = "write keys under it, each with a colon"
		}
	}
	return p
}

// simpleKeys say what the keys of the simple form are called in an interface.
var simpleKeys = map[string]string{
	"backend": "backend: {package: NAME}", "backend_version": "backend: {version: NUMBER}", "backend_component": "backend: {component: module.Class}",
	"front_end": "frontend: {package: NAME}", "front_end_version": "frontend: {version: NUMBER}", "frontend_component": "frontend: {component: NAME}",
}

// interfaceForm shows how an interface is written.
func interfaceForm(name string) string {
	return "interfaces:\n  " + name + ":\n    backend: {package: NAME, component: module.Class}\n    frontend: {package: NAME, component: NAME}"
}

// unknownKeys names the keys that a mapping can't have.
func (v violation) unknownKeys(value any) []Problem {
	m, _ := value.(map[string]any)
	properties, _ := v.rule["properties"].(map[string]any)
	patterns, _ := v.rule["patternProperties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	var problems []Problem
keys:
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if _, ok := properties[key]; ok {
			continue
		}
		for pattern := range patterns {
			if keyPattern(pattern).MatchString(key) {
				continue keys
			}
		}
		p := Problem{
			Pointer: v.pointer + "/" + pointerEscapes.Replace(key), Code: "unknown-key",
			Message: "unknown key " + quote(key), Fix: "the keys here are " + strings.Join(known, ", "),
		}
		near := ""
		if len(m) <= 100 { // it is a key mistyped, not another kind of text
			near = nearest(key, known)
		}
		switch {
		case near != "":
			p.Message += "; did you mean " + quote(near) + "?"
			p.Fix = "write " + near
		case strings.HasPrefix(key, "x-") && len(patterns) > 0:
			p.Fix = "after x- come up to 48 lower case letters, digits or \"-\""
		case v.pointer == "/interfaces":
			p.Fix = "an interface is launch, admin, backup, or starts with x-"
		case v.pointer == "":
			p.Fix = "a key of your own starts with x-"
		}
		problems = append(problems, p)
	}
	return problems
}

// keyPattern compiles a pattern of the schema; there is one, so it is cheap to keep.
func keyPattern(pattern string) *regexp.Regexp {
	if pattern == extensionKey.String() {
		return extensionKey
	}
	return regexp.MustCompile(pattern)
}

var extensionKey = regexp.MustCompile(`^x-[a-z0-9][a-z0-9-]{0,47}$`)

func (v violation) missingKeys(value any) []Problem {
	m, _ := value.(map[string]any)
	required, _ := v.rule["required"].([]any)
	var problems []Problem
	for _, r := range required {
		key, _ := r.(string)
		if _, ok := m[key]; ok {
			continue
		}
		p := Problem{Pointer: v.pointer + "/" + key, Code: "missing-key", Message: "the key " + key + " is missing or empty"}
		switch {
		case v.pointer != "":
			p.Fix = "add " + key
		case key == "name":
			p.Fix = "add name: KubePlugin"
		case key == "version":
			p.Fix = "add version: 1.0.0"
		}
		problems = append(problems, p)
	}
	return problems
}
