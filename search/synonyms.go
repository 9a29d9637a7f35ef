package search

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed synonyms.txt
var synonymText string

// longestSynonym is the longest run of query words that is looked up.
const longestSynonym = 4

// mostParts is the largest number of parts, of one word or of a run of words,
// that are looked up.
const mostParts = 6

// synonyms maps the stems of a word or phrase, joined by spaces, to the stems
// of those that mean the same.
var synonyms = sync.OnceValue(func() map[string][][]string { return parseSynonyms(synonymText) })

func parseSynonyms(text string) map[string][][]string {
	all := map[string][][]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		var group [][]string
		for s := range strings.SplitSeq(line, ",") {
			if stems := stems(s); len(stems) > 0 {
				group = append(group, stems)
			}
		}
		for i, from := range group {
			key := strings.Join(from, " ")
			for j, to := range group {
				same := func(have []string) bool { return slices.Equal(have, to) }
				if i != j && !slices.Equal(from, to) && !slices.ContainsFunc(all[key], same) {
					all[key] = append(all[key], to)
				}
			}
		}
	}
	return all
}

// stems are the tokens of a text, in order.
func stems(s string) []string {
	var out []string
	for _, w := range split(s) {
		for _, p := range w.parts {
			out = append(out, p.stem)
		}
	}
	return out
}
