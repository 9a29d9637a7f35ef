package elastic

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"appstore/search"
)

// Lucene builds automata for each look-up with typos, field by field and
// segment by segment: tens of milliseconds for one word, the more the longer
// it is, and much more than all the rest of a search. So the tokens that a
// misspelled word may mean are read from the index, all those with its first
// letter, and those that are near are chosen here; the search then looks for
// them as they are.

// vocabularyAge is how old the tokens of a letter may be. With refreshInterval
// before it that is less than the second within which documents are found.
const vocabularyAge = 300 * time.Millisecond

// vocabularyPage is the most that _terms_enum gives at once.
const vocabularyPage = 10_000

// fieldVocabulary has the tokens that can be found with typos.
const fieldVocabulary = "vocabulary"

// vocabulary has the tokens of the index by their first letter. Those who want
// the same letter at the same time wait for one request.
type vocabulary struct {
	read func(ctx context.Context, first string) ([]string, error)

	mu      sync.Mutex
	letters map[string]*letter
}

type letter struct {
	asked  time.Time
	done   chan struct{} // closed when the rest is there
	tokens []string
	err    error
}

// of returns the tokens that begin with a letter.
func (v *vocabulary) of(ctx context.Context, first string) ([]string, error) {
	v.mu.Lock()
	l, ok := v.letters[first]
	if !ok || time.Since(l.asked) > vocabularyAge {
		l = &letter{asked: time.Now(), done: make(chan struct{})}
		if v.letters == nil {
			v.letters = map[string]*letter{}
		}
		maps.DeleteFunc(v.letters, func(_ string, l *letter) bool { return time.Since(l.asked) > vocabularyAge })
		v.letters[first] = l
		go func() {
			defer close(l.done)
			// Others may wait for it when this caller has gone.
			l.tokens, l.err = v.read(context.WithoutCancel(ctx), first)
		}()
	}
	v.mu.Unlock()
	select {
	case <-l.done:
		return l.tokens, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readVocabulary reads the tokens that begin with a letter from the index.
func (x *Index) readVocabulary(ctx context.Context, first string) ([]string, error) {
	var all []string
	for again := true; ; {
		body := object{"field": fieldVocabulary, "string": first, "size": vocabularyPage, "timeout": searchTimeout.String()}
		if len(all) > 0 {
			body["search_after"] = all[len(all)-1]
		}
		var answer struct {
			Terms    []string `json:"terms"`
			Complete bool     `json:"complete"`
		}
		if err := x.call(ctx, readTimeout, http.MethodPost, path(x.alias, "_terms_enum"), body, &answer); err != nil {
			return nil, err
		}
		if !answer.Complete && again {
			again = false // the index may just have been exchanged for another
			continue
		} else if !answer.Complete {
			return nil, unavailable(errors.New("it did not give all words in time"))
		}
		if all = append(all, answer.Terms...); len(answer.Terms) < vocabularyPage {
			return all, nil
		}
	}
}

// typo is a look-up with typos, in whatever field.
type typo struct {
	token string
	edits int
}

// meant are the tokens that each look-up of a plan with typos finds, in one
// field or another.
func (x *Index) meant(ctx context.Context, p *search.Plan) (map[typo][]string, error) {
	all := map[typo][]string{}
	for _, c := range p.Must {
		for _, g := range c.Groups {
			for _, l := range g {
				if l.Op != search.Fuzzy {
					continue
				}
				t := typo{l.Tokens[0], l.Edits}
				if _, done := all[t]; done {
					continue
				}
				_, n := utf8.DecodeRuneInString(t.token)
				tokens, err := x.vocabulary.of(ctx, t.token[:n])
				if err != nil {
					return nil, err
				}
				all[t] = nil
				for _, token := range tokens {
					if l.Near(token) {
						all[t] = append(all[t], token)
					}
				}
			}
		}
	}
	return all, nil
}
