package artifact

import (
	"bytes"
	"slices"
	"strings"
)

// Limits of the scanners of Python and JavaScript. What is beyond is unknown.
const (
	maxSource    = 1 << 20 // bytes of one source file
	maxStatement = 32 << 10
	maxNames     = 2000 // classes, imports and their like of one module
)

// pyModule is what the scanner sees of a module: the names that its top level
// defines, and no more. Nothing is run, so what a program would compute is not
// seen.
type pyModule struct {
	classes map[string]*pyClass
	imports map[string]pyImport // by the name that they get here
	aliases map[string]string   // name = other_name
	stars   []string            // modules of "from x import *"
	// dynamic: it makes names that can't be seen (__getattr__, globals, exec),
	// or is too large or odd to be scanned.
	dynamic bool
}

type pyImport struct{ module, name string } // name "" means the module itself

type pyClass struct {
	bases   []string // dotted names; "?" for what is computed
	members []string // those of AppPluginMethods that it defines
}

// scanPython reads a module. It never fails: source that is no Python gives a
// module in which little is found.
func scanPython(src []byte) *pyModule {
	m := &pyModule{classes: map[string]*pyClass{}, imports: map[string]pyImport{}, aliases: map[string]string{}}
	if len(src) > maxSource {
		m.dynamic = true
		return m
	}
	type block struct {
		indent int
		class  *pyClass // of a class statement
		def    bool     // or of a function
	}
	var blocks []block
	lines := &pyLines{src: bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))}
	for {
		indent, stmt, ok := lines.next()
		if !ok {
			break
		}
		for len(blocks) > 0 && blocks[len(blocks)-1].indent >= indent {
			blocks = blocks[:len(blocks)-1]
		}
		// Where the statement is: the innermost class or function around it.
		var class *pyClass
		inside := false
		depth := 0
		for _, b := range blocks {
			if b.class != nil || b.def {
				class, inside = b.class, inside || b.def
				depth++
			}
		}
		if inside || depth > 1 {
			continue // in a function, or in a class within a class
		}
	parts:
		for part := range strings.SplitSeq(stmt, ";") {
			part = strings.TrimSpace(part)
			word, rest := cutWord(part)
			if word == "async" {
				word, rest = cutWord(rest)
			}
			switch {
			case word == "class":
				name, tail := cutWord(rest)
				bases, body := pyBases(tail)
				c := &pyClass{bases: bases}
				if class == nil && len(m.classes) < maxNames {
					m.classes[name] = c
					delete(m.imports, name)
					delete(m.aliases, name)
				}
				blocks = append(blocks, block{indent: indent, class: c})
				if member, _, ok := assignment(body); ok {
					c.add(member)
				}
				class = c // of what follows on the line
			case word == "def":
				name, _ := cutWord(rest)
				if class != nil {
					class.add(name)
				} else if name == "__getattr__" {
					m.dynamic = true
				}
				blocks = append(blocks, block{indent: indent, def: true})
				break parts // what follows on the line is in the function
			case class != nil:
				if name, _, ok := assignment(part); ok {
					class.add(name)
				}
			default:
				m.statement(word, rest, part)
			}
		}
	}
	m.dynamic = m.dynamic || lines.odd
	return m
}

func (c *pyClass) add(name string) {
	if slices.Contains(AppPluginMethods, name) && !slices.Contains(c.members, name) {
		c.members = append(c.members, name)
	}
}

// names is how much there is to remember of a module.
func (m *pyModule) names() int {
	return len(m.classes) + len(m.imports) + len(m.aliases) + len(m.stars)
}

// statement takes a statement of the top level that is no class and no function.
func (m *pyModule) statement(word, rest, whole string) {
	if m.names() >= maxNames {
		m.dynamic = true
		return
	}
	switch word {
	case "import":
		for part := range strings.SplitSeq(rest, ",") {
			f := strings.Fields(part)
			if len(f) == 3 && f[1] == "as" {
				m.imports[f[2]] = pyImport{module: f[0]}
			} else if len(f) == 1 {
				top, _, _ := strings.Cut(f[0], ".")
				m.imports[top] = pyImport{module: top}
			}
		}
	case "from":
		module, names, ok := strings.Cut(rest, " import")
		if !ok {
			return
		}
		module = strings.ReplaceAll(module, " ", "")
		for part := range strings.SplitSeq(strings.Trim(strings.TrimSpace(names), "()"), ",") {
			f := strings.Fields(part)
			switch {
			case len(f) == 1 && f[0] == "*":
				m.stars = append(m.stars, module)
			case len(f) == 1:
				m.imports[f[0]] = pyImport{module, f[0]}
			case len(f) == 3 && f[1] == "as":
				m.imports[f[2]] = pyImport{module, f[0]}
			}
		}
	case "exec":
		m.dynamic = true
	default:
		if strings.HasPrefix(whole, "globals(") || strings.HasPrefix(whole, "setattr(") {
			m.dynamic = true
		}
		if name, value, ok := assignment(whole); ok {
			if _, tail := cutWord(value); tail != "" || value == "" {
				value = "?"
			}
			m.aliases[name] = value
			delete(m.classes, name)
			delete(m.imports, name)
		}
	}
}

// assignment takes name = value and name: type = value apart.
func assignment(stmt string) (name, value string, ok bool) {
	name, rest := cutWord(stmt)
	if name == "" || strings.Contains(name, ".") {
		return "", "", false
	}
	rest = strings.TrimSpace(rest)
	if i := strings.IndexByte(rest, '='); strings.HasPrefix(rest, ":") && i > 0 {
		rest = rest[i:]
	}
	if !strings.HasPrefix(rest, "=") || strings.HasPrefix(rest, "==") {
		return "", "", false
	}
	return name, strings.TrimSpace(rest[1:]), true
}

// cutWord cuts a dotted name off the beginning of s.
func cutWord(s string) (word, rest string) {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] == '.' || s[i] >= 0x80 || s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
		i++
	}
	return s[:i], s[i:]
}

// pyBases reads the bases of a class from what follows its name, and what
// stands behind the colon.
func pyBases(tail string) (bases []string, body string) {
	tail = strings.TrimSpace(tail)
	if strings.HasPrefix(tail, "[") { // type parameters (PEP 695)
		_, tail, _ = strings.Cut(tail, "]")
	}
	if !strings.HasPrefix(tail, "(") {
		_, body, _ = strings.Cut(tail, ":")
		return nil, body
	}
	depth, start := 0, 1
	for i := 0; i < len(tail); i++ {
		switch tail[i] {
		case '(', '[', '{':
			depth++
			continue
		case ')', ']', '}':
			depth--
		case ',':
		default:
			continue
		}
		if depth > 1 || depth == 1 && tail[i] != ',' {
			continue
		}
		part := strings.TrimSpace(tail[start:i])
		start = i + 1
		name, rest := cutWord(part)
		switch rest = strings.TrimSpace(rest); {
		case part == "" || strings.HasPrefix(rest, "="): // metaclass=...
		case name != "" && (rest == "" || rest[0] == '['): // Generic[T]
			bases = append(bases, name)
		default:
			bases = append(bases, "?")
		}
		if depth == 0 {
			_, body, _ = strings.Cut(tail[i:], ":")
			return bases, body
		}
	}
	return bases, ""
}

// pyLines gives the logical lines of Python source: comments left out, string
// literals emptied, lines in brackets and after a backslash joined.
type pyLines struct {
	src []byte
	pos int
	odd bool // a statement was too long, or a string or bracket does not end
}

func (l *pyLines) next() (indent int, stmt string, ok bool) {
	for l.pos < len(l.src) {
		indent, stmt = l.line()
		if stmt = strings.TrimSpace(stmt); stmt != "" {
			return indent, stmt, true
		}
	}
	return 0, "", false
}

func (l *pyLines) line() (indent int, stmt string) {
	var b strings.Builder
	depth, begun := 0, false
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		l.pos++
		switch {
		case !begun && c == ' ':
			indent++
			continue
		case !begun && c == '\t':
			indent = indent&^7 + 8
			continue
		case c == '#':
			if i := bytes.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
				l.pos += i
			} else {
				l.pos = len(l.src)
			}
			continue
		case c == '\n':
			if depth == 0 {
				return indent, b.String()
			}
			c = ' '
		case c == '\r' || c == '\f':
			c = ' '
		case c == '\\':
			if rest := l.src[l.pos:]; bytes.HasPrefix(rest, []byte("\n")) {
				l.pos++
			} else if bytes.HasPrefix(rest, []byte("\r\n")) {
				l.pos += 2
			}
			c = ' '
		case c == '\'' || c == '"':
			l.literal(c)
			b.WriteByte('"')
			c = '"'
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth = max(depth-1, 0)
		}
		begun = true
		if b.Len() < maxStatement {
			b.WriteByte(c)
		} else {
			l.odd = true
		}
	}
	l.odd = l.odd || depth > 0
	return indent, b.String()
}

// literal skips a string literal, whose first quote was read. A backslash
// hides the next character in raw strings too.
func (l *pyLines) literal(quote byte) {
	long := bytes.HasPrefix(l.src[l.pos:], []byte{quote, quote})
	if long {
		l.pos += 2
	}
	for ; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\':
			l.pos++
		case c == '\n' && !long:
			l.odd = true // it does not end; the line does
			return
		case c == quote && !long:
			l.pos++
			return
		case c == quote && bytes.HasPrefix(l.src[l.pos:], []byte{quote, quote, quote}):
			l.pos += 3
			return
		}
	}
	l.pos = min(l.pos, len(l.src))
	l.odd = true
}
