package search

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode/utf8"
)

// Names of the fields of an index that are not text fields (see TextFields).
const (
	NameKey     = "name_key" // Key of the name; the name as published may add nothing to it
	TitleKey    = "title_key"
	FacetPrefix = "facet_" // + one of Facets: lower-cased values
)

// separatorToken stands between texts that no phrase may span. No query has
// such a token.
const separatorToken = "|"

// Entry is a Doc made ready for an engine. Words are separated by single
// spaces: a white-space tokenizer is all the analysis an engine does.
type Entry struct {
	Name      string
	Words     map[string]string   // by text field
	Keys      map[string]string   // NameKey, TitleKey
	Facets    map[string][]string // by facet field
	Visible   bool
	Quality   float64 // Signals.Quality
	Updated   int64   // microseconds since 1970
	Downloads int64   // at most 2^63-1, which all engines can sort
}

// entryFormat must be raised when Prepare makes other entries of a document.
const entryFormat = 3

// EntryVersion changes whenever Prepare would make other entries than before:
// an index with entries of another version can't be used. Engines put it into
// the names of their indexes.
func EntryVersion() string {
	return fmt.Sprint(entryFormat, textFields, trustFactors, maxAdoption, fullAdoption, maxWord, typo1Length, typoLongest)
}

// TextFields are the keys of Entry.Words.
func TextFields() []string {
	names := make([]string, len(textFields))
	for i, f := range textFields {
		names[i] = f.name
	}
	return names
}

// Prepare makes the entry of a document.
func Prepare(d Doc) Entry {
	e := Entry{
		Name:      d.Name,
		Words:     make(map[string]string, len(textFields)),
		Keys:      map[string]string{NameKey: Key(d.Name), TitleKey: Key(d.Title)},
		Facets:    facetsOf(d),
		Visible:   !d.Hidden,
		Quality:   SignalsOf(d, d.Updated).Quality(),
		Updated:   d.Updated.UnixMicro(),
		Downloads: downloads(d),
	}
	for _, f := range textFields {
		var b strings.Builder
		for _, text := range textsOf(d, f.name) {
			for _, t := range tokenize(text, f.prefix > 0) {
				b.WriteString(t.text)
				b.WriteByte(' ')
			}
			b.WriteString(separatorToken + " ")
		}
		e.Words[f.name] = strings.TrimSuffix(b.String(), " "+separatorToken+" ")
	}
	return e
}

// downloads is the key of ByDownloads.
func downloads(d Doc) int64 { return int64(min(d.Downloads, math.MaxInt64)) }

// textsOf returns the texts of a field; tags and categories have several.
func textsOf(d Doc, field string) []string {
	one := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	switch field {
	case "name":
		return one(cmp.Or(d.Spelling, d.Name))
	case "title":
		return one(d.Title)
	case "summary":
		return one(d.Summary)
	case "description":
		return one(d.Description)
	case "maintainer":
		return one(d.Maintainer)
	case "tags":
		return d.Tags
	case "categories":
		return d.Categories
	}
	return nil
}

func facetsOf(d Doc) map[string][]string {
	all := map[string][]string{
		"category":   d.Categories,
		"tag":        d.Tags,
		"interface":  d.Interfaces,
		"maintainer": {d.Maintainer},
		"trust":      {cmp.Or(d.Trust, "untrusted")},
		"status":     {cmp.Or(d.Status, "LIVE")},
	}
	for field, values := range all {
		seen := map[string]bool{}
		var kept []string
		for _, v := range values {
			if v = facetValue(v); v != "" && !seen[v] {
				seen[v] = true
				kept = append(kept, v)
			}
		}
		all[field] = kept
	}
	return all
}

// facetValue is the form in which values are compared, counted and shown:
// lower case, single spaces, at most 255 characters.
func facetValue(s string) string {
	return cut(strings.ToLower(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")), 255)
}

// Vocabulary are the tokens of an entry that a Fuzzy leaf can find, each once.
func (e *Entry) Vocabulary() []string {
	var all []string
	seen := map[string]bool{}
	for _, f := range textFields {
		if !f.typos {
			continue
		}
		for token := range strings.FieldsSeq(e.Words[f.name]) {
			// The stem that is looked up may be a letter shorter than the word.
			n := utf8.RuneCountInString(token)
			if n >= typo1Length-2 && n <= typoLongest+2 && !seen[token] {
				seen[token] = true
				all = append(all, token)
			}
		}
	}
	return all
}

// A token is what is looked up, and where in its text it stands.
type token struct {
	text       string
	start, end int
}

// tokenize gives the tokens of a text: first the stems of all parts of words
// in order, so that phrases can be found; then, behind a separator, the words
// that consist of several parts as wholes (rnaseq for RNASeq and rna-seq),
// and with raw also the unstemmed words, for look-ups by prefix.
func tokenize(text string, raw bool) []token {
	sp := splitters.Get().(*splitter)
	defer splitters.Put(sp)
	words := sp.split(text)
	if len(words) == 0 {
		return nil
	}
	tokens := make([]token, 0, len(words)+len(words)/8)
	var tail []token
	var seen map[string]bool
	late := func(s string, start, end int) {
		if !seen[s] {
			if seen == nil {
				seen = map[string]bool{}
			}
			seen[s] = true
			tail = append(tail, token{s, start, end})
		}
	}
	for i := 0; i < len(words); {
		// A compound is words joined by a single sign: rna-seq, v1.2.
		j, whole, parts := i, "", 0
		for ; j < len(words); j++ {
			if j > i && !joins(text[words[j-1].end:words[j].start]) {
				break
			}
			w := words[j]
			whole += w.raw
			parts += len(w.parts)
			for _, p := range w.parts {
				tokens = append(tokens, token{p.stem, p.start, p.end})
				if raw && p.text != p.stem {
					late(p.text, p.start, p.end)
				}
			}
			if len(w.parts) > 1 {
				late(stem(w.raw), w.start, w.end)
			}
		}
		start, end := words[i].start, words[j-1].end
		if whole = cut(whole, maxWord); parts > 1 {
			late(stem(whole), start, end)
			if raw {
				late(whole, start, end)
			}
		}
		i = j
	}
	if len(tail) > 0 {
		tokens = append(append(tokens, token{text: separatorToken}), tail...)
	}
	return tokens
}

var splitters = sync.Pool{New: func() any { return new(splitter) }}

// joins tells whether what is between two words makes them one compound.
func joins(gap string) bool {
	return gap == "-" || gap == "_" || gap == "."
}
