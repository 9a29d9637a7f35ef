package schema

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// What a text may cost before it is read as YAML.
const (
	MaxSize  = 1 << 20 // bytes of a descriptor
	MaxDepth = 32      // of nested lists and mappings
	maxNodes = 20_000  // with aliases written out

	// The scanner below does not know all of YAML; beyond this depth it is
	// certain all the same. MaxDepth itself is held after parsing.
	scanDepth = 4 * MaxDepth
)

// refuse finds what makes a text not worth parsing, at a cost of one pass.
func refuse(data []byte, most int) *Problem {
	if len(data) > most {
		return &Problem{
			Line: 1, Column: 1, Code: "too-large", Fix: "leave out what the plugin can fetch when it runs",
			Message: fmt.Sprintf("the text is over %d MiB", most>>20),
		}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		line, column := lineColumn(data, i)
		return &Problem{
			Line: line, Column: column, Code: "nul-byte", Fix: "save the file as plain UTF-8 text",
			Message: "the text has a NUL byte, so it is no text, or text in UTF-16",
		}
	}
	if !utf8.Valid(data) {
		i := 0
		for r, n := utf8.DecodeRune(data); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(data[i:]) {
			i += n
		}
		line, column := lineColumn(data, i)
		return &Problem{
			Line: line, Column: column, Code: "not-utf8", Fix: "save the file as UTF-8",
			Message: "the text is no valid UTF-8",
		}
	}
	return nil
}

// lineColumn says where the byte at an offset stands; columns count characters.
func lineColumn(data []byte, offset int) (line, column int) {
	start := bytes.LastIndexByte(data[:offset], '\n') + 1
	return 1 + bytes.Count(data[:start], []byte("\n")), 1 + utf8.RuneCount(data[start:offset])
}

func tooDeep(line, column int) *Problem {
	return &Problem{
		Line: line, Column: column, Code: "too-deep", Fix: "nest less",
		Message: "lists and mappings are nested more than 32 deep",
	}
}

func tooComplex(line, column, most int) *Problem {
	return &Problem{
		Line: line, Column: column, Code: "too-complex", Fix: "shorten lists, and write fewer aliases",
		Message: fmt.Sprintf("with its aliases written out the text has over %d values", most),
	}
}

// scanner follows the nesting of a YAML text line by line, without reading it: it
// knows quotes, comments, block scalars and brackets. It may take a continued
// plain text for structure, so it refuses only what is far too deep.
type scanner struct {
	values  int   // that have begun, at least; a tree of them costs a hundred times their text
	indents []int // columns of the open block collections
	flow    int   // open brackets
	quote   byte  // open quote, or 0
	block   int   // inside of a block scalar: the column its text is deeper than; else noBlock

	start bool   // a value may start here
	text  []bool // for each line: it belongs to a block scalar or a quoted text
}

const noBlock = -2

// scan gives the lines that are text and not structure, or the place where the
// nesting is too deep for the parser, or where there are more than most values.
func scan(data []byte, most int) (text []bool, problem *Problem) {
	s := scanner{block: noBlock}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		s.text = append(s.text, s.quote != 0)
		if at := s.line(bytes.TrimRight(line, "\r\n")); at >= 0 {
			return s.text, tooDeep(n, 1+utf8.RuneCount(line[:at]))
		}
		if s.values > most {
			return s.text, tooComplex(n, 1, most)
		}
	}
	return s.text, nil
}

// line takes one line in; it returns the offset where it became too deep, or -1.
func (s *scanner) line(line []byte) int {
	indent := 0
	for indent < len(line) && line[indent] == ' ' {
		indent++
	}
	if s.block != noBlock {
		if indent == len(line) || indent > s.block {
			s.text[len(s.text)-1] = true
			return -1
		}
		s.block = noBlock
	}
	at, parent := indent, indent
	if s.flow == 0 && s.quote == 0 {
		s.start = true
		if indent == len(line) || line[indent] == '#' {
			return -1
		}
		// "- - key:" opens a list at each dash and a mapping at the key.
		for {
			s.indent(at)
			if len(s.indents) > scanDepth {
				return at
			}
			if line[at] != '-' && line[at] != '?' || at+1 < len(line) && line[at+1] != ' ' && line[at+1] != '\t' {
				break
			}
			parent = at
			s.values++
			for at++; at < len(line) && line[at] == ' '; at++ {
			}
			if at == len(line) {
				return -1
			}
		}
		if line[at] != '|' && line[at] != '>' {
			parent = at
		}
	}
	for i := at; i < len(line); i++ {
		switch c := line[i]; {
		case s.quote != 0:
			i = s.quoted(line, i)
		case c == ' ' || c == '\t':
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return -1
		case (c == '[' || c == '{') && (s.start || s.flow > 0):
			s.flow++
			s.values++
			s.start = true
			if s.flow+len(s.indents) > scanDepth {
				return i
			}
		case (c == ']' || c == '}') && s.flow > 0:
			s.flow--
			s.start = false
		case (c == '"' || c == '\'') && s.start:
			s.quote = c
		case c == ',' && s.flow > 0:
			s.values++
			s.start = true
		case c == ':' && (s.flow > 0 || i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t'):
			s.values++
			s.start = true
		case (c == '&' || c == '!') && s.start: // an anchor or a tag: the value follows it
			for i+1 < len(line) && line[i+1] != ' ' {
				i++
			}
		case (c == '|' || c == '>') && s.start && s.flow == 0:
			s.block = parent
			return -1
		default:
			s.start = false
		}
	}
	return -1
}

func (s *scanner) indent(column int) {
	for len(s.indents) > 0 && s.indents[len(s.indents)-1] > column {
		s.indents = s.indents[:len(s.indents)-1]
	}
	if len(s.indents) == 0 || s.indents[len(s.indents)-1] < column {
		s.indents = append(s.indents, column)
	}
}

// quoted handles the byte at i inside of quotes; it returns the last byte it used.
func (s *scanner) quoted(line []byte, i int) int {
	switch {
	case s.quote == '"' && line[i] == '\\':
		return i + 1
	case line[i] != s.quote:
	case s.quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
		return i + 1
	default:
		s.quote = 0
		s.start = false
	}
	return i
}
