package artifact

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"appstore/schema"
)

// header is the head of METADATA, PKG-INFO or WHEEL: fields as in an e-mail
// (the core metadata specification), and an optional body after an empty line.
type header map[string][]string // by lower-case name

func parseHeader(data []byte, path string) (header, error) {
	h := header{}
	last := ""
	fields := 0
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		// Python's e-mail parser ends lines at a carriage return too; of the
		// other line separators of Unicode it is none that it ends them at.
		if bytes.IndexByte(line, '\r') >= 0 {
			return nil, refuse("metadata-return", "end lines with a line feed", "%s has a carriage return within the line %.80q, where some readers see the next field", path, line)
		}
		if line[0] == ' ' || line[0] == '\t' {
			// A continuation. Those of what is read here are joined, others (a
			// description, a licence) passed over.
			if all := h[last]; len(all) > 0 && len(all[len(all)-1])+len(line) < MaxLine {
				all[len(all)-1] += "\n" + string(line)
				if err := checkValue(last, all[len(all)-1], path); err != nil {
					return nil, err
				}
			}
			continue
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return nil, refuse("metadata-syntax", again, "%s has the line %.80q, which is no field", path, line)
		}
		last = strings.ToLower(string(name))
		if !read[last] {
			continue
		}
		if fields++; fields > MaxDeps+100 {
			return nil, refuse("metadata-many", "shorten it", "%s has more than %d fields", path, MaxDeps+100)
		}
		text := strings.Trim(string(value), " \t")
		switch {
		case len(text) > MaxLine:
			return nil, refuse("metadata-long", "shorten it", "the field %s of %s has %d bytes; at most %d are allowed", name, path, len(text), MaxLine)
		case !utf8.ValidString(text):
			return nil, refuse("metadata-not-utf8", "write it in UTF-8", "the field %s of %s is not UTF-8", name, path)
		}
		if err := checkValue(last, text, path); err != nil {
			return nil, err
		}
		h[last] = append(h[last], text)
	}
	for _, all := range h {
		for i := range all {
			all[i] = strings.Trim(all[i], " \t\n")
		}
	}
	return h, nil
}

// encodedWord is text that mail readers decode (RFC 2047); uv does, pip does not.
var encodedWord = regexp.MustCompile(`=\?[^ ?]+\?[bBqQ]\?`)

// checkValue refuses in a field that is read what makes two values of it.
func checkValue(field, value, path string) error {
	switch {
	case strings.ContainsFunc(value, func(c rune) bool { return c != '\n' && c != '\t' && (unicode.IsControl(c) || separates(c)) }):
		return refuse("metadata-control", "write it in one line", "the field %s of %s has a control character or line separator: %.80q", field, path, value)
	case encodedWord.MatchString(value):
		return refuse("metadata-encoded-word", "write it in UTF-8", "the field %s of %s has an encoded word of e-mail, which only some readers decode: %.80q", field, path, value)
	}
	return nil
}

// read has the fields that are read.
var read = map[string]bool{
	"metadata-version": true, "name": true, "version": true, "requires-python": true, "requires-dist": true,
	"wheel-version": true, "root-is-purelib": true, "tag": true,
}

// one gives the value of a field that may be there once.
func (h header) one(field, path string) (string, error) {
	switch all := h[strings.ToLower(field)]; len(all) {
	case 0:
		return "", nil
	case 1:
		return all[0], nil
	default:
		return "", refuse("metadata-twice", again, "%s has the field %s %d times, so that readers differ", path, field, len(all))
	}
}

var (
	// requirement is how a dependency begins (PEP 508).
	requirement = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*($|[\[(<>=!~;@])`)
	// pythons is the alphabet of version specifiers (PEP 440).
	pythons = regexp.MustCompile(`^[0-9A-Za-z .,<>=!~*+_-]{0,300}$`)
)

// python reads METADATA or PKG-INFO.
func python(data []byte, path string) (Info, error) {
	h, err := parseHeader(data, path)
	if err != nil {
		return Info{}, err
	}
	var format, name, version, requires string
	for _, f := range []struct {
		field string
		into  *string
	}{{"Metadata-Version", &format}, {"Name", &name}, {"Version", &version}, {"Requires-Python", &requires}} {
		if *f.into, err = h.one(f.field, path); err != nil {
			return Info{}, err
		}
	}
	switch {
	case !strings.HasPrefix(format, "1.") && !strings.HasPrefix(format, "2."):
		return Info{}, refuse("metadata-version", again, "%s says Metadata-Version %.20q; 1.x and 2.x are known", path, format)
	case name == "" || version == "":
		return Info{}, refuse("metadata-missing", "build it again with a name and a version", "%s says no Name or no Version", path)
	}
	if err := schema.CheckPackage(schema.PyPI, name); err != nil {
		return Info{}, refuse("metadata-name", "give the package a valid name", "%s: %v", path, err)
	}
	if _, ok := normalVersion(version); !ok {
		return Info{}, refuse("metadata-pep440", "give the package a version by PEP 440", "%s says the version %.100q", path, version)
	}
	if !pythons.MatchString(requires) {
		return Info{}, refuse("metadata-python", "write it as in >=3.9", "%s says Requires-Python %.100q", path, requires)
	}
	if n := len(h["requires-dist"]); n > MaxDeps {
		return Info{}, refuse("metadata-dependencies", "depend on less", "%s has %d dependencies; at most %d are allowed", path, n, MaxDeps)
	}
	for _, d := range h["requires-dist"] {
		if !requirement.MatchString(d) {
			return Info{}, refuse("metadata-dependency", "write it by PEP 508", "%s depends on %.100q, which is no requirement", path, d)
		}
	}
	return Info{
		Package:        schema.Package{Ecosystem: schema.PyPI, Name: name, Version: version},
		RequiresPython: requires,
		Dependencies:   h["requires-dist"],
		Metadata:       data,
	}, nil
}

// pep440 is a version in any of the spellings of PEP 440, appendix B.
var pep440 = regexp.MustCompile(`^v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?` +
	`(?:-([0-9]+)|([-_.]?(?:post|rev|r)[-_.]?)([0-9]*))?` +
	`(?:([-_.]?dev[-_.]?)([0-9]*))?` +
	`(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$`)

// normalVersion gives PEP 440's normal form, by which spellings are compared.
func normalVersion(s string) (string, bool) {
	if len(s) > 100 {
		return "", false
	}
	m := pep440.FindStringSubmatch(strings.ToLower(s))
	if m == nil {
		return "", false
	}
	number := func(s string) string {
		if s = strings.TrimLeft(s, "0"); s == "" {
			return "0"
		}
		return s
	}
	out := ""
	if m[1] != "" && number(m[1]) != "0" {
		out = number(m[1]) + "!"
	}
	for i, part := range strings.Split(m[2], ".") {
		if i > 0 {
			out += "."
		}
		out += number(part)
	}
	if m[3] != "" {
		out += map[string]string{"alpha": "a", "a": "a", "beta": "b", "b": "b"}[m[3]]
		if m[3][0] != 'a' && m[3][0] != 'b' {
			out += "rc"
		}
		out += number(m[4])
	}
	if m[5] != "" {
		out += ".post" + number(m[5])
	} else if m[6] != "" {
		out += ".post" + number(m[7])
	}
	if m[8] != "" {
		out += ".dev" + number(m[9])
	}
	if m[10] != "" {
		out += "+" + strings.NewReplacer("-", ".", "_", ".").Replace(m[10])
	}
	return out, true
}

// agrees checks a file's name against what the file says. Build tools write
// names with _ or . for -, and - in versions as _ (PEP 427, PEP 625).
func agrees(what, name, version string, p schema.Package) error {
	if schema.NormalisePackage(schema.PyPI, name) != schema.NormalisePackage(schema.PyPI, p.Name) {
		return refuse("agree-name", again, "%s says the package %q, its metadata %q", what, name, p.Name)
	}
	if !sameVersion(version, p.Version) {
		return refuse("agree-version", again, "%s says version %q, its metadata %q", what, version, p.Version)
	}
	return nil
}

func sameVersion(escaped, version string) bool {
	want, ok := normalVersion(version)
	for _, s := range []string{escaped, strings.ReplaceAll(escaped, "_", "-"), strings.Replace(escaped, "_", "+", 1)} {
		if got, valid := normalVersion(s); ok && valid && got == want {
			return true
		}
	}
	return false
}
