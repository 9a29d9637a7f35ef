package schema

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// This file is about texts that are no YAML, or not the YAML that was meant: most
// of all the form with interfaces as CloudLaunch's issue 118 sketches it, with
// lines of "..." for what is left out and a key without its colon.

var (
	dotsLine      = regexp.MustCompile(`^\.\.\.\s*$`)
	wordLine      = regexp.MustCompile(`^( *)([A-Za-z_][A-Za-z0-9_-]*)[ \t]*\r?\n?$`)
	unknownAnchor = regexp.MustCompile(`unknown anchor '(.+)' referenced`)
	yamlLine      = regexp.MustCompile(`line (\d+)`)
)

// dots takes out lines of "..." that are followed by more, so that what follows is
// checked too. In YAML such a line ends the document.
func dots(data []byte, text []bool) ([]byte, Problems) {
	if !bytes.Contains(data, []byte("...")) {
		return data, nil
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	last := 0 // the last line that says something
	for i, line := range lines {
		l := bytes.TrimSpace(line)
		if len(l) > 0 && l[0] != '#' && !dotsLine.Match(line) {
			last = i
		}
	}
	var problems Problems
	for i, line := range lines {
		if i < last && dotsLine.Match(line) && (i >= len(text) || !text[i]) {
			lines[i] = append([]byte("#  "), line[3:]...)
			problems = append(problems, Problem{
				Line: i + 1, Column: 1, Code: "ellipsis", Message: `"..." ends a YAML document, it does not stand for what is left out`,
				Fix: "leave the line out, or write the keys that it stands for",
			})
		}
	}
	return bytes.Join(lines, nil), problems
}

// colons puts a colon after each word that stands alone on a line above lines that
// are indented deeper, or beside it as a list.
func colons(data []byte, text []bool) ([]byte, Problems) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	var problems Problems
	for i, line := range lines {
		m := wordLine.FindSubmatch(line)
		if m == nil || (i < len(text) && text[i]) || !opens(lines[i+1:], len(m[1])) {
			continue
		}
		end := len(m[1]) + len(m[2])
		lines[i] = []byte(string(line[:end]) + ":" + string(line[end:]))
		name := string(m[2])
		problems = append(problems, Problem{
			Line: i + 1, Column: len(m[1]) + 1, Code: "missing-colon", Message: "the key " + name + " has no colon after it",
			Fix: "write " + name + ":",
		})
	}
	return bytes.Join(lines, nil), problems
}

// opens reports whether the next line with something on it is deeper than indent.
func opens(lines [][]byte, indent int) bool {
	for _, line := range lines {
		l := bytes.TrimLeft(line, " ")
		if t := bytes.TrimSpace(l); len(t) > 0 && t[0] != '#' {
			return len(line)-len(l) > indent || (len(line)-len(l) == indent && bytes.HasPrefix(l, []byte("- ")))
		}
	}
	return false
}

// yamlProblem makes a problem of an error of the YAML library, with the fix for the
// mistakes that are made most.
func yamlProblem(data []byte, err error) Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	lines := strings.Split(string(data), "\n")
	number := 1
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			number = min(max(n, 1), len(lines))
		}
		_, rest, ok := strings.Cut(message, ": ")
		if ok {
			message = rest
		}
	}
	line := lines[number-1]
	text := strings.TrimLeft(line, " ")
	p := Problem{
		Line: number, Column: len(line) - len(text) + 1, Code: "bad-yaml",
		Message: "this is no YAML: " + message, Fix: "each line is key: value, keys of one mapping start in one column",
	}
	_, value, _ := strings.Cut(text, ": ")
	value = strings.TrimSpace(value)
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		p.Fix = "define it before, as in key: &" + m[1] + " value, or put the * in quotes"
		if i := strings.Index(string(data), "*"+m[1]); i >= 0 {
			p.Line, p.Column = lineColumn(data, i)
		}
		return p
	}
	switch {
	case strings.Contains(message, "',' or ']'"):
		p.Fix = "close the list with ], and put a comma between its entries"
	case strings.Contains(message, "',' or '}'"):
		p.Fix = "close the mapping with }, and put a comma between its entries"
	case strings.Contains(message, "unexpected end of stream"):
		p.Fix = "close the quotes"
	case strings.HasPrefix(text, "\t") || strings.HasPrefix(strings.TrimLeft(line, " \t"), "\t") || strings.HasPrefix(line, "\t"):
		p.Fix = "indent with spaces, not with tabs"
	case value != "" && strings.ContainsRune("@`%*", rune(value[0])):
		p.Fix = "put the value in quotes: " + strconv.Quote(value)
	case strings.HasPrefix(value, "{{") || strings.HasPrefix(value, "{%"):
		p.Fix = "put the template in quotes: " + strconv.Quote(value)
	case strings.Contains(value, ": "):
		p.Fix = "put the value in quotes: " + strconv.Quote(value)
	}
	return p
}
