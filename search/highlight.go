package search

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// The piece of a description that is shown: so many bytes before the first
// match, and so many characters in all.
const (
	snippetBefore = 60
	snippetLength = 240
)

// highlights marks what matched in the fields that are shown. They are made
// here from the document and the plan, so that both engines show the same.
func (p *Plan) highlights(d Doc) map[string][]Fragment {
	var all map[string][]Fragment
	for field, text := range map[string]string{"name": textsOf(d, "name")[0], "title": d.Title, "summary": d.Summary, "description": d.Description} {
		spans := p.spans(field, text)
		if len(spans) == 0 {
			continue
		}
		if all == nil {
			all = map[string][]Fragment{}
		}
		from, to := 0, len(text)
		if field == "description" {
			from, to = snippet(text, spans[0])
		}
		all[field] = fragments(text, from, to, spans)
	}
	return all
}

// spans of a field's text that matched, in order and without overlaps. Of each
// term the best way of matching counts, and all others that are no typos.
func (p *Plan) spans(field, text string) [][2]int {
	var tokens []token
	var spans [][2]int
	for _, c := range p.Must {
		for _, g := range c.Groups {
			if len(g) == 0 || g[0].Field != field {
				continue
			}
			if tokens == nil {
				tokens = tokenize(text, tokensArePrefixed(field))
			}
			found := false
			for _, leaf := range g {
				if found && leaf.Match == MatchTypo {
					break
				}
				s := leaf.spans(tokens)
				found = found || len(s) > 0
				spans = append(spans, s...)
			}
		}
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s[0] < merged[n-1][1] {
			merged[n-1][1] = max(merged[n-1][1], s[1])
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// snippet chooses what to show of a long text around a match.
func snippet(text string, match [2]int) (from, to int) {
	if from = match[0] - snippetBefore; from <= 0 {
		from = 0
	} else if space := strings.IndexAny(text[from:match[0]], " \n"); space >= 0 {
		from += space + 1
	} else {
		from = match[0]
	}
	to = max(match[1], from+len(cut(text[from:], snippetLength)))
	if to < len(text) {
		if space := strings.LastIndexAny(text[match[1]:to], " \n"); space > 0 {
			to = match[1] + space
		}
	}
	for !utf8.RuneStart(text[from]) {
		from++
	}
	return from, to
}

// fragments cuts text[from:to] where matches begin and end.
func fragments(text string, from, to int, spans [][2]int) []Fragment {
	var out []Fragment
	add := func(a, b int, match bool) {
		if a < b {
			out = append(out, Fragment{Text: strings.ToValidUTF8(text[a:b], "\uFFFD"), Match: match})
		}
	}
	at := from
	for _, s := range spans {
		if s[0] < at || s[1] > to {
			continue
		}
		add(at, s[0], false)
		add(s[0], s[1], true)
		at = s[1]
	}
	add(at, to, false)
	return out
}
