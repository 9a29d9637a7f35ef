package search

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a query text.
const (
	MaxText  = 1000 // characters
	MaxTerms = 30   // words, phrases and filter values together
)

// SyntaxError says what is wrong with a query text, where, and how to fix it.
type SyntaxError struct {
	Pos     int    // column of the character, from 1
	Message string // what is wrong
	Fix     string // what to write instead
}

// Error is the whole of it in one line.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("column %d: %s; %s", e.Pos, e.Message, e.Fix)
}

// Parse reads the query language; doc.go describes it. What it returns is
// valid for every Index; what is wrong is a *SyntaxError.
func Parse(text string) (Query, error) {
	if n := utf8.RuneCountInString(text); n > MaxText {
		return Query{}, &SyntaxError{MaxText + 1, fmt.Sprintf("the query has %d characters; at most %d are allowed", n, MaxText), "search for fewer words"}
	}
	if !utf8.ValidString(text) {
		pos := 1
		for i, r := range text {
			if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
				break
			}
			pos++
		}
		return Query{}, &SyntaxError{pos, "the text is not valid UTF-8", "send the query as UTF-8, percent-encoded in a URL"}
	}
	var q Query
	p := parser{rest: []rune(text), q: &q}
	for p.skipSpace(); len(p.rest) > 0; p.skipSpace() {
		if err := p.item(); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

type parser struct {
	rest []rune
	pos  int // runes read so far
	n    int // terms so far
	q    *Query
}

func (p *parser) next(n int) string {
	s := string(p.rest[:n])
	p.rest, p.pos = p.rest[n:], p.pos+n
	return s
}

func (p *parser) skipSpace() {
	p.next(p.run(separator))
}

// separator: control characters separate like spaces.
func separator(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// run is the number of characters ahead for which f is true.
func (p *parser) run(f func(rune) bool) int {
	if n := slices.IndexFunc(p.rest, func(r rune) bool { return !f(r) }); n >= 0 {
		return n
	}
	return len(p.rest)
}

// item reads one word, phrase or filter, with the minus before it.
func (p *parser) item() error {
	start := p.pos + 1
	not := p.rest[0] == '-'
	if not {
		p.next(1)
		if len(p.rest) == 0 || separator(p.rest[0]) {
			return &SyntaxError{start, "a minus stands alone", "write it directly before what is to be left out, as in -docker; leave it out otherwise"}
		}
	}
	if p.n++; p.n > MaxTerms {
		return &SyntaxError{start, fmt.Sprintf("the query has more than %d terms", MaxTerms), "search for fewer words"}
	}
	if p.rest[0] == '"' {
		text, err := p.quoted()
		if err != nil {
			return err
		}
		if strings.TrimSpace(text) == "" {
			return &SyntaxError{start, "the quotes are empty", "write the words of the phrase between them, or leave them out"}
		}
		p.term(Term{Text: text, Phrase: true, Not: not})
		return nil
	}
	n := p.run(func(r rune) bool { return !separator(r) && r != ':' && r != '"' })
	if n > 0 && n < len(p.rest) && p.rest[n] == ':' {
		done, err := p.filter(n, not)
		if done || err != nil {
			return err
		}
	}
	n = p.run(func(r rune) bool { return !separator(r) && r != '"' })
	p.term(Term{Text: p.next(n), Not: not})
	return nil
}

// term takes over a term; one without a letter or digit, such as "***" or
// "&", can't be searched for and is ignored.
func (p *parser) term(t Term) {
	if len(split(t.Text)) > 0 {
		p.q.Terms = append(p.q.Terms, t)
	}
}

// filter reads field:value, of which the field has n characters. It is not
// done when that is no filter but a word with a colon in it.
func (p *parser) filter(n int, not bool) (done bool, err error) {
	start := p.pos + 1
	written := string(p.rest[:n])
	field := strings.ToLower(written)
	after := p.rest[n+1:]
	known := slices.Contains(Facets, field)
	if !known {
		letters := !strings.ContainsFunc(field, func(r rune) bool { return !unicode.IsLetter(r) })
		value := len(after) > 0 && !separator(after[0])
		if !letters || !value || strings.HasPrefix(string(after), "//") || after[0] == ':' {
			return false, nil
		}
		fix := "fields are " + strings.Join(Facets, ", ")
		if near := nearest(field, Facets); near != "" {
			fix = fmt.Sprintf("did you mean %s:? (%s)", near, fix)
		}
		fix += fmt.Sprintf("; to search for the text itself, put it in quotes: \"%s:...\"", written)
		return false, &SyntaxError{start, fmt.Sprintf("%q is not a field", written), fix}
	}
	p.next(n + 1)
	var value string
	if len(p.rest) > 0 && p.rest[0] == '"' {
		if value, err = p.quoted(); err != nil {
			return false, err
		}
	} else {
		value = p.next(p.run(func(r rune) bool { return !separator(r) && r != '"' }))
	}
	value = strings.Join(strings.FieldsFunc(value, separator), " ")
	if value == "" {
		return false, &SyntaxError{start + n, fmt.Sprintf("%s: has no value", field), fmt.Sprintf(`write the value directly after the colon, as in %s:name or %s:"two words"`, field, field)}
	}
	p.q.Filters = addFilter(p.q.Filters, field, value, not)
	return true, nil
}

// addFilter adds a value to the filter of its field: values are OR.
func addFilter(filters []Filter, field, value string, not bool) []Filter {
	for i := range filters {
		if filters[i].Field == field && filters[i].Not == not {
			filters[i].Values = append(filters[i].Values, value)
			return filters
		}
	}
	return append(filters, Filter{Field: field, Values: []string{value}, Not: not})
}

// quoted reads "text". There is no escape: a quote can't be searched for.
func (p *parser) quoted() (string, error) {
	end := slices.Index(p.rest[1:], '"')
	if end < 0 {
		return "", &SyntaxError{p.pos + 1, "this quote is not closed", `add a " after the last word of the phrase`}
	}
	s := p.next(end + 2)
	return s[1 : len(s)-1], nil
}

// nearest is the one of list that differs from s in the fewest letters, at
// most half of them; "" if there is none.
func nearest(s string, list []string) string {
	best, least := "", len(s)/2+1
	for _, c := range list {
		d := edits(s, c)
		if strings.HasPrefix(s, c) || strings.HasPrefix(c, s) {
			d = min(d, 1)
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}
