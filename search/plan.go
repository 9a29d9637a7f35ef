package search

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrQuery: a Query that was not made by Parse has values out of range.
var ErrQuery = errors.New("the query is not valid")

// Plan is a Query made ready for an engine: what to look up in which field,
// and what each match is worth. An engine looks up, adds and multiplies; it
// decides nothing.
//
// A hit matches every clause of Must, none of MustNot, and all Filters, and
// is not hidden. Its text score is the sum of Must and Bonus, or Base when
// Must is empty; its score is Score(text, ...).
type Plan struct {
	Must    []Clause
	MustNot []Clause // all leaves at once: none may match
	Bonus   Group    // added if it matches
	Filters []Filter // normalised as Entry.Facets
	Base    float64
	Sort    string
	Limit   int
	Explain bool
	Now     int64   // microseconds since 1970; the same on all pages
	After   *Cursor // nil on the first page
	Hash    string  // of the query and the order; the same on all pages
}

// Clause is one term. It matches where at least one group does, and is worth
// the sum of those that do. One without groups matches nothing.
type Clause struct {
	Term   string
	Groups []Group
}

// Group is the ways in which a term can match, by falling Score; it is worth
// the first that does.
type Group []Leaf

// Leaf is one look-up.
type Leaf struct {
	Field  string // as in Entry
	Op     Op
	Tokens []string // of a Phrase; one otherwise
	Edits  int      // of Fuzzy: at most so many; the first character is never one of them
	Score  int
	Match  string // for Reason.Match
}

// Op is a kind of look-up.
type Op int

const (
	Equals Op = iota // the token
	Prefix           // a token that begins so
	Fuzzy            // a token that differs in at most Edits edits; swapped neighbours are one
	Phrase           // the tokens directly after one another
)

// How a term can match, for Reason.Match.
const (
	MatchExact   = "exact"
	MatchSynonym = "synonym"
	MatchPrefix  = "prefix"
	MatchTypo    = "typo"
	MatchWhole   = "whole" // the whole query is the name or title
	MatchStart   = "start" // the whole query begins the name or title
)

// Compile makes the plan of a query. Errors are ErrQuery and ErrCursor.
func Compile(q Query) (*Plan, error) {
	p := &Plan{Sort: cmp.Or(q.Sort, ByRelevance), Limit: cmp.Or(q.Limit, 20), Explain: q.Explain}
	if !slices.Contains(Sorts, p.Sort) {
		return nil, fmt.Errorf("%w: sort %q is not one of %s", ErrQuery, q.Sort, strings.Join(Sorts, ", "))
	}
	if p.Limit < 1 || p.Limit > MaxLimit {
		return nil, fmt.Errorf("%w: limit %d is not 1 to %d", ErrQuery, q.Limit, MaxLimit)
	}
	values := 0
	for _, f := range q.Filters {
		if !slices.Contains(Facets, f.Field) {
			return nil, fmt.Errorf("%w: %q is not a field; fields are %s", ErrQuery, f.Field, strings.Join(Facets, ", "))
		}
		if len(f.Values) == 0 {
			continue
		}
		n := Filter{Field: f.Field, Not: f.Not}
		for _, v := range f.Values {
			n.Values = append(n.Values, facetValue(v))
		}
		values += len(n.Values)
		p.Filters = append(p.Filters, n)
	}
	if n := len(q.Terms) + values; n > 2*MaxTerms {
		return nil, fmt.Errorf("%w: it has too many terms (%d)", ErrQuery, n)
	}
	if n := utf8.RuneCountInString(q.Complete); n > MaxText {
		return nil, fmt.Errorf("%w: the text to complete has %d characters; at most %d are allowed", ErrQuery, n, MaxText)
	}
	if n := len(split(q.Complete)); n > MaxTerms {
		return nil, fmt.Errorf("%w: the text to complete has %d words; at most %d are allowed", ErrQuery, n, MaxTerms)
	}
	if q.Complete != "" {
		p.complete(q.Complete)
	} else {
		p.terms(q.Terms)
	}
	if len(p.Must) == 0 {
		p.Base = baseScore
	}
	p.Hash = hashQuery(q, p)
	now := q.Now
	if now.IsZero() {
		now = time.Now()
	}
	p.Now = now.UnixMicro()
	if q.After != "" {
		c, err := parseCursor(q.After, p)
		if err != nil {
			return nil, err
		}
		p.After, p.Now = c, c.Now
	}
	return p, nil
}

// query words while a plan is made of them.
type queryWord struct {
	text   string   // as written
	pieces []piece  // its parts
	stems  []string // of its parts
	raw    string   // folded, without what separates the parts
	phrase bool
	drop   bool  // a stop word among others
	extra  []way // synonyms and joins with neighbours, at most ways
	ways   int
	fuzzy  bool
}

// piece is a part of a query word: of scRNA-seq sc, rna and seq.
type piece struct {
	part
	whole       string // stem of the word that it is a part of: scrna, scrna, seq
	first, last bool   // of that word
}

// way is another way to say a word.
type way struct {
	tokens  []string // a phrase, if several
	percent int
}

func newQueryWord(text string, phrase bool) *queryWord {
	w := &queryWord{text: text, raw: cut(Key(text), maxWord), phrase: phrase}
	for _, one := range split(text) {
		for i, p := range one.parts {
			w.pieces = append(w.pieces, piece{p, stem(one.raw), i == 0, i == len(one.parts)-1})
			w.stems = append(w.stems, p.stem)
		}
	}
	return w
}

// say adds another way to say a word, unless there are too many.
func (w *queryWord) say(percent int, tokens ...string) {
	same := func(have way) bool { return slices.Equal(have.tokens, tokens) }
	if len(w.extra) < w.ways && !slices.ContainsFunc(w.extra, same) {
		w.extra = append(w.extra, way{tokens, percent})
	}
}

func (p *Plan) terms(terms []Term) {
	var words []*queryWord
	var key strings.Builder
	for _, t := range terms {
		w := newQueryWord(t.Text, t.Phrase)
		if len(w.stems) == 0 {
			continue
		}
		if t.Not {
			p.MustNot = append(p.MustNot, w.clause(false))
			continue
		}
		words = append(words, w)
		key.WriteString(Key(t.Text))
	}
	loosen(words)
	for _, w := range words {
		if !w.drop {
			p.Must = append(p.Must, w.clause(true))
		}
	}
	p.bonus(key.String(), 2)
}

// complete finds names and titles that have all words, the last perhaps
// unfinished.
func (p *Plan) complete(text string) {
	words := split(text)
	if len(words) == 0 {
		p.Must = append(p.Must, Clause{Term: text}) // nothing begins with nothing
	}
	for _, w := range words {
		c := Clause{Term: w.raw}
		for _, f := range textFields {
			if f.complete {
				c.Groups = append(c.Groups, sorted(Group{
					{Field: f.name, Op: Equals, Tokens: []string{stem(w.raw)}, Score: f.weight, Match: MatchExact},
					{Field: f.name, Op: Prefix, Tokens: []string{w.raw}, Score: f.weight * percentPrefix / 100, Match: MatchPrefix},
				}))
			}
		}
		p.Must = append(p.Must, c)
	}
	p.bonus(Key(text), 1)
}

// bonus is for the whole query as a name or title, or the beginning of one of
// at least least characters.
func (p *Plan) bonus(key string, least int) {
	if utf8.RuneCountInString(key) < least || len(p.Must) == 0 {
		return
	}
	key = cut(key, 2*maxWord)
	unit := 0
	for _, f := range textFields {
		unit += f.weight * len(p.Must)
	}
	leaf := func(field string, op Op, times int, match string) Leaf {
		return Leaf{Field: field, Op: op, Tokens: []string{key}, Score: times * unit, Match: match}
	}
	p.Bonus = Group{
		leaf(NameKey, Equals, bonusName, MatchWhole),
		leaf(TitleKey, Equals, bonusTitle, MatchWhole),
		leaf(NameKey, Prefix, bonusNamePrefix, MatchStart),
		leaf(TitleKey, Prefix, bonusTitlePrefix, MatchStart),
	}
}

// stopWords are not looked for among other words. They are indexed, and count
// in phrases.
var stopWords = strings.Fields("a an and are as at by for from in is it of on or the to with")

// loosen finds stop words, typos, synonyms, and words that are written
// together in documents ("jupyter hub").
func loosen(words []*queryWord) {
	rest := 0
	for _, w := range words {
		w.drop = !w.phrase && slices.Contains(stopWords, w.raw)
		if !w.drop {
			rest++
		}
	}
	fuzzy := 0
	for _, w := range words {
		w.drop = w.drop && rest > 0
		w.ways = min(otherWays, allWays/len(words))
		n := utf8.RuneCountInString(w.raw)
		if !w.phrase && len(words) <= looseWords && n >= typo1Length && n <= typoLongest && fuzzy < typoWords {
			w.fuzzy = true
			fuzzy++
		}
	}
	if len(words) > looseWords {
		return
	}
	for i, w := range words {
		if w.phrase {
			continue
		}
		if i+1 < len(words) && !words[i+1].phrase && !w.drop && !words[i+1].drop {
			joined := stem(cut(w.raw+words[i+1].raw, maxWord))
			w.say(percentExact, joined)
			words[i+1].say(percentExact, joined)
		}
	}
	for i := range words {
		var run []piece
		for j := i; j < len(words) && !words[j].phrase && j-i < longestSynonym; j++ {
			run = append(run, words[j].pieces...)
			for _, other := range synonymsOf(run) {
				for _, w := range words[i : j+1] {
					w.say(percentSynonym, other...)
				}
			}
		}
	}
	for _, w := range words {
		if !w.phrase {
			w.inside()
		}
	}
}

// inside finds synonyms of some parts of a word, and keeps its other parts:
// k8s-cluster is kubernetes cluster, scRNA-seq is single cell RNA seq.
func (w *queryWord) inside() {
	n := len(w.pieces)
	if n > mostParts {
		return
	}
	for size := n - 1; size > 0; size-- {
		for i := 0; i+size <= n; i++ {
			for _, other := range synonymsOf(w.pieces[i : i+size]) {
				w.say(percentSynonym, slices.Concat(w.stems[:i], other, w.stems[i+size:])...)
			}
		}
	}
}

// synonymsOf are the stems of what means the same as a run of parts: as they
// are (virtual machine), as the words that they are parts of (scrna seq for
// scRNA-seq), or joined (javascript for JavaScript).
func synonymsOf(run []piece) (all [][]string) {
	if len(run) > mostParts {
		return nil
	}
	var stems, wholes []string
	joined := ""
	for _, p := range run {
		stems = append(stems, p.stem)
		if p.first {
			wholes = append(wholes, p.whole)
		}
		joined += p.text
	}
	keys := []string{strings.Join(stems, " "), stem(cut(joined, maxWord))}
	if run[0].first && run[len(run)-1].last {
		keys = append(keys, strings.Join(wholes, " "))
	}
	for i, key := range keys {
		if !slices.Contains(keys[:i], key) {
			all = append(all, synonyms()[key]...)
		}
	}
	return all
}

// clause says where and how a word may match: as written, or also loosely.
func (w *queryWord) clause(loose bool) Clause {
	c := Clause{Term: w.text}
	joined := stem(w.raw)
	letters, stemmed := utf8.RuneCountInString(w.raw), utf8.RuneCountInString(joined)
	for _, f := range textFields {
		var g Group
		add := func(op Op, tokens []string, percent, edits int, match string) {
			g = append(g, Leaf{Field: f.name, Op: op, Tokens: tokens, Edits: edits, Score: f.weight * percent / 100, Match: match})
		}
		if len(w.stems) > 1 {
			add(Phrase, w.stems, percentExact, 0, MatchExact)
		}
		if len(w.stems) == 1 || !w.phrase {
			add(Equals, []string{joined}, percentExact, 0, MatchExact)
		}
		if loose {
			for _, other := range w.extra {
				op, match := Equals, MatchExact
				if len(other.tokens) > 1 {
					op = Phrase
				}
				if other.percent == percentSynonym {
					match = MatchSynonym
				}
				add(op, other.tokens, other.percent, 0, match)
			}
			if f.prefix > 0 && !w.phrase && letters >= f.prefix {
				add(Prefix, []string{w.raw}, percentPrefix, 0, MatchPrefix)
			}
			if f.typos && w.fuzzy && stemmed >= typo1Length-1 {
				add(Fuzzy, []string{joined}, percentTypo1, 1, MatchTypo)
			}
			if f.typos && w.fuzzy && letters >= typo2Length && stemmed >= typo2Length-1 {
				add(Fuzzy, []string{joined}, percentTypo2, 2, MatchTypo)
			}
		}
		c.Groups = append(c.Groups, sorted(g))
	}
	return c
}

func sorted(g Group) Group {
	slices.SortFunc(g, func(a, b Leaf) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Op, b.Op), slices.Compare(a.Tokens, b.Tokens))
	})
	return g
}
