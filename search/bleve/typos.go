package bleve

import (
	"fmt"
	"sync"

	segment "github.com/blevesearch/scorch_segment_api/v2"
	"github.com/blevesearch/vellum/levenshtein"
)

// automata are the automata of one search that accept tokens with typos.
type automata struct {
	made map[typo]segment.Automaton
}

type typo struct {
	token string
	edits int
}

// builders of automata by number of edits, swapped neighbours being one.
var builders = sync.OnceValue(func() (all [3]*levenshtein.LevenshteinAutomatonBuilder) {
	for n := 1; n < len(all); n++ {
		b, err := levenshtein.NewLevenshteinAutomatonBuilder(uint8(n), true)
		if err != nil {
			panic(err) // constant
		}
		all[n] = b
	}
	return all
})

func (a *automata) of(token string, edits int) (segment.Automaton, error) {
	key := typo{token, edits}
	if made, ok := a.made[key]; ok {
		return made, nil
	}
	if edits < 1 || edits >= len(builders()) {
		return nil, fmt.Errorf("search: %d edits", edits)
	}
	made, err := builders()[edits].BuildDfa(token, uint8(edits))
	if err != nil {
		return nil, err
	}
	if a.made == nil {
		a.made = map[typo]segment.Automaton{}
	}
	a.made[key] = made
	return made, nil
}
