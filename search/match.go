package search

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

func (p *Plan) hit(f Found) Hit {
	h := Hit{Doc: f.Doc, Score: round4(f.Score), Highlights: p.highlights(f.Doc)}
	if p.Explain {
		h.Explain = p.explain(f.Doc)
	}
	return h
}

// explain computes the score of a document again, and writes down its parts.
func (p *Plan) explain(d Doc) []Reason {
	sub := subject{doc: d}
	var reasons []Reason
	if len(p.Must) == 0 {
		reasons = append(reasons, Reason{Source: "base", Value: p.Base})
	}
	for _, c := range p.Must {
		for _, g := range c.Groups {
			if leaf, ok := sub.first(g); ok {
				reasons = append(reasons, Reason{Source: leaf.Field, Term: c.Term, Match: leaf.Match, Value: float64(leaf.Score)})
			}
		}
	}
	if leaf, ok := sub.first(p.Bonus); ok {
		source := strings.TrimSuffix(leaf.Field, "_key")
		reasons = append(reasons, Reason{Source: source, Term: leaf.Tokens[0], Match: leaf.Match, Value: float64(leaf.Score)})
	}
	s := SignalsOf(d, time.UnixMicro(p.Now))
	return append(reasons,
		Reason{Source: "trust", Value: s.Trust},
		Reason{Source: "adoption", Value: s.Adoption},
		Reason{Source: "freshness", Value: s.Freshness})
}

// Explained is the score that reasons add up to: the sum of the fields times
// the product of the signals.
func Explained(reasons []Reason) float64 {
	text, factor := 0.0, 1.0
	for _, r := range reasons {
		switch r.Source {
		case "trust", "adoption", "freshness":
			factor *= r.Value
		default:
			text += r.Value
		}
	}
	return round4(text * factor)
}

// subject is a document while leaves are looked up in it.
type subject struct {
	doc    Doc
	tokens map[string][][]token // by field, as far as they were asked for
}

// first is the leaf that decides what a group is worth.
func (s *subject) first(g Group) (Leaf, bool) {
	for _, leaf := range g {
		for _, tokens := range s.tokensOf(leaf.Field) {
			if len(leaf.spans(tokens)) > 0 {
				return leaf, true
			}
		}
	}
	return Leaf{}, false
}

// tokensOf are the tokens of each text in a field, as Prepare makes them.
func (s *subject) tokensOf(field string) [][]token {
	if all, ok := s.tokens[field]; ok {
		return all
	}
	var all [][]token
	switch field {
	case NameKey:
		all = [][]token{{{text: Key(s.doc.Name)}}}
	case TitleKey:
		all = [][]token{{{text: Key(s.doc.Title)}}}
	}
	for _, text := range textsOf(s.doc, field) {
		all = append(all, tokenize(text, tokensArePrefixed(field)))
	}
	if s.tokens == nil {
		s.tokens = map[string][][]token{}
	}
	s.tokens[field] = all
	return all
}

func tokensArePrefixed(field string) bool {
	return slices.ContainsFunc(textFields, func(f textField) bool { return f.name == field && f.prefix > 0 })
}

// spans are the pieces of text that match a leaf, as byte offsets.
func (l *Leaf) spans(tokens []token) [][2]int {
	var spans [][2]int
	n := len(l.Tokens)
	for i := range tokens {
		t := &tokens[i]
		if i+n <= len(tokens) && l.matches(tokens[i:i+n]) && t.text != separatorToken {
			spans = append(spans, [2]int{t.start, tokens[i+n-1].end})
		}
	}
	return spans
}

func (l *Leaf) matches(tokens []token) bool {
	want, have := l.Tokens[0], tokens[0].text
	switch l.Op {
	case Equals:
		return have == want
	case Prefix:
		return strings.HasPrefix(have, want)
	case Fuzzy:
		return near(have, want, l.Edits)
	}
	for i, t := range tokens {
		if t.text != l.Tokens[i] {
			return false
		}
	}
	return true
}

// Near tells whether a token is one that a Fuzzy leaf finds.
func (l *Leaf) Near(token string) bool { return near(token, l.Tokens[0], l.Edits) }

// near tells whether two words begin with the same character and differ in at
// most n edits.
func near(a, b string, n int) bool {
	if a == "" || b == "" || a[0] != b[0] || cut(a, 1) != cut(b, 1) {
		return false
	}
	if d := utf8.RuneCountInString(a) - utf8.RuneCountInString(b); d > n || d < -n {
		return false
	}
	return edits(a, b) <= n
}

// Evaluate is what an engine does, for one document: whether it is a hit, and
// its score. It is the reference that searchtest holds engines against.
func (p *Plan) Evaluate(d Doc) (score float64, hit bool) {
	if d.Hidden || !p.filtered(d) {
		return 0, false
	}
	sub := subject{doc: d}
	for _, c := range p.MustNot {
		for _, g := range c.Groups {
			if _, ok := sub.first(g); ok {
				return 0, false
			}
		}
	}
	text := p.Base
	for _, c := range p.Must {
		sum := 0
		for _, g := range c.Groups {
			if leaf, ok := sub.first(g); ok {
				sum += leaf.Score
			}
		}
		if sum == 0 {
			return 0, false
		}
		text += float64(sum)
	}
	if leaf, ok := sub.first(p.Bonus); ok {
		text += float64(leaf.Score)
	}
	return Score(text, Prepare(d).Quality, d.Updated.UnixMicro(), p.Now), true
}

func (p *Plan) filtered(d Doc) bool {
	facets := facetsOf(d)
	for _, f := range p.Filters {
		has := slices.ContainsFunc(f.Values, func(v string) bool { return slices.Contains(facets[f.Field], v) })
		if has == f.Not {
			return false
		}
	}
	return true
}
