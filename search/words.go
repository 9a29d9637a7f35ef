package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord is the longest word that is indexed, in runes; what is longer is cut,
// in documents and in queries alike.
const maxWord = 64

// A word is one run of letters and digits in a text. Offsets are in bytes.
type word struct {
	start, end int
	raw        string // folded, unsplit: "rnaseq"
	parts      []part // "rna", "seq"; one part if the word can't be split
}

// A part is a piece of a word that can be found by itself.
type part struct {
	start, end int
	text       string // folded
	stem       string
}

// Parts splits one name or word into the lower-cased pieces it can be found
// by, and adds the whole when there is more than one piece: KubePlugin gives
// kube, plugin, kubeplugin; rna-seq and RNASeq both give rna, seq, rnaseq.
//
// A word is split at what is neither letter nor digit, between a lower-case
// and an upper-case letter, before the last capital of a run of them when a
// lower-case letter follows (RNASeq, but not the plural APIs), and between
// three or more letters and the digits that end the word (GVL5, but not k8s
// or S3). No piece is a lone letter (iRODS stays whole).
func Parts(s string) []string {
	var parts []string
	var whole strings.Builder
	for _, w := range split(s) {
		for _, p := range w.parts {
			parts = append(parts, p.text)
		}
		whole.WriteString(w.raw)
	}
	if len(parts) > 1 {
		parts = append(parts, whole.String())
	}
	return parts
}

// split finds the words of a text.
func split(s string) []word { return new(splitter).split(s) }

// splitter keeps the space that words take, for the next text.
type splitter struct {
	words []word
	parts []part // of simple words, one each
}

// split finds the words of a text. They are valid until the next call.
func (sp *splitter) split(s string) []word {
	words, parts := sp.words[:0], sp.parts[:0]
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !wordRune(r) {
			i += n
			continue
		}
		start := i
		ideographic := alone(r)
		i += n
		for i < len(s) {
			r, n = utf8.DecodeRuneInString(s[i:])
			if !wordRune(r) || alone(r) || ideographic {
				break
			}
			i += n
		}
		end := i
		// C++, C#, g++: the signs belong to words of one or two letters.
		if end-start <= 2 && !ideographic {
			for i < len(s) && (s[i] == '+' || s[i] == '#') && i-end < 2 {
				i++
			}
			end = i
		}
		// The 's of a possessive is no word.
		if i < len(s) && (s[i] == '\'' || s[i] == 0xE2) && (strings.HasPrefix(s[i:], "'s") || strings.HasPrefix(s[i:], "’s")) {
			_, q := utf8.DecodeRuneInString(s[i:])
			if r, _ := utf8.DecodeRuneInString(s[i+q+1:]); !wordRune(r) {
				i += q + 1
			}
		}
		w := word{start: start, end: end, raw: fold(s[start:end])}
		if w.raw == "" {
			continue
		}
		if simple(s[start:end]) {
			parts = append(parts, part{start: start, end: end, text: w.raw, stem: stem(w.raw)})
			w.parts = parts[len(parts)-1 : len(parts) : len(parts)]
		} else {
			w.parts = splitWord(s, start, end)
		}
		words = append(words, w)
	}
	sp.words, sp.parts = words, parts
	return words
}

// simple tells the words that are one part, as nearly all are: ASCII letters,
// of which only the first may be a capital.
func simple(s string) bool {
	for i := range len(s) {
		if lower := s[i] >= 'a' && s[i] <= 'z'; !lower && (i > 0 || s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return len(s) <= maxWord
}

// splitWord splits the word s[start:end] at changes of case and before
// trailing digits.
func splitWord(s string, start, end int) []part {
	type at struct {
		pos int
		r   rune
	}
	rs := make([]at, 0, end-start)
	for i, r := range s[start:end] {
		rs = append(rs, at{start + i, r})
	}
	digits := len(rs) // where the trailing digits begin
	for digits > 0 && unicode.IsDigit(rs[digits-1].r) {
		digits--
	}
	var cuts []int // indexes into rs
	last := 0
	for i := 1; i < len(rs); i++ {
		cut := false
		switch a, b := rs[i-1].r, rs[i].r; {
		case i == digits:
			cut = i-last >= 3 && unicode.IsLetter(a)
		case unicode.IsLower(a) && unicode.IsUpper(b):
			cut = true
		case unicode.IsUpper(a) && unicode.IsUpper(b) && i+1 < len(rs) && unicode.IsLower(rs[i+1].r):
			plural := rs[i+1].r == 's' && (i+2 == len(rs) || !unicode.IsLower(rs[i+2].r))
			cut = !plural
		}
		// No piece is a lone letter, before or after the cut.
		if cut && i-last >= 2 && (i != len(rs)-1 || i == digits) {
			cuts = append(cuts, i)
			last = i
		}
	}
	var parts []part
	from := start
	add := func(to int) {
		if text := fold(s[from:to]); text != "" {
			parts = append(parts, part{start: from, end: to, text: text, stem: stem(text)})
		}
		from = to
	}
	for _, c := range cuts {
		add(rs[c].pos)
	}
	add(end)
	return parts
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// alone tells the scripts that write no spaces: each of their runes is a word,
// and a longer query is a phrase of them.
func alone(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// fold is the form in which words are compared: lower case, no accents, at
// most maxWord runes.
func fold(s string) string {
	ascii := len(s) <= maxWord
	for i := 0; ascii && i < len(s); i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(norm.NFKC.String(s))) {
		accent := r >= 0x300 && r <= 0x36F
		if !accent && (wordRune(r) || r == '+' || r == '#') {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return cut(norm.NFC.String(b.String()), maxWord)
}

// Key is a whole name or title as one token, for exact matches: the words
// without what separates them. "RNA-Seq" and "rnaseq" have the same key.
func Key(s string) string {
	var b strings.Builder
	for _, w := range split(s) {
		b.WriteString(w.raw)
	}
	return cut(b.String(), 2*maxWord)
}

// cut returns the first n runes of s.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
