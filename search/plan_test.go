package search

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func planOf(t *testing.T, text string) *Plan {
	t.Helper()
	q, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// leaves are those of an operation, of all terms.
func (p *Plan) leaves(op Op) (all []Leaf) {
	for _, c := range p.Must {
		for _, g := range c.Groups {
			for _, l := range g {
				if l.Op == op {
					all = append(all, l)
				}
			}
		}
	}
	return all
}

// What is looked for with typos is bounded, in length and in number.
func TestTyposAreBounded(t *testing.T) {
	for text, want := range map[string]bool{
		"gala":                             false,
		"galax":                            true,
		strings.Repeat("x", typoLongest):   true,
		strings.Repeat("x", typoLongest+1): false,
		strings.Repeat("x", 1000):          false,
		"jupyter-notebook-server-for-all":  false,
		`"galaxy"`:                         false,
	} {
		if got := len(planOf(t, text).leaves(Fuzzy)) > 0; got != want {
			t.Errorf("%.40q is looked for with typos: %v, want %v", text, got, want)
		}
	}
	var words []string
	for i := range looseWords {
		words = append(words, fmt.Sprintf("kubernetes%c", 'a'+i))
	}
	terms := map[string]bool{}
	for _, l := range planOf(t, "of the is "+strings.Join(words[3:], " ")).leaves(Fuzzy) {
		terms[l.Tokens[0]] = true
	}
	if len(terms) != typoWords {
		t.Errorf("of %d words %d are looked for with typos, want %d", len(words), len(terms), typoWords)
	}
}

// The plans of the worst queries have a bounded number of leaves.
func TestPlansAreBounded(t *testing.T) {
	groups := slices.Collect(func(yield func(string) bool) {
		for key := range synonyms() {
			if !yield(strings.ReplaceAll(key, " ", "-")) {
				return
			}
		}
	})
	slices.Sort(groups)
	for i := range groups {
		var words []string
		for j := range looseWords {
			words = append(words, groups[(i+j)%len(groups)])
		}
		p := planOf(t, strings.Join(words, " "))
		n := 0
		for _, c := range p.Must {
			for _, g := range c.Groups {
				n += len(g)
			}
		}
		if most := len(textFields) * (allWays + looseWords*5); n > most {
			t.Errorf("%q has %d leaves, more than %d", words, n, most)
		}
	}
}

func TestCompleteIsBounded(t *testing.T) {
	if _, err := Compile(Query{Complete: strings.Repeat("a ", MaxTerms)}); err != nil {
		t.Error(err)
	}
	for _, text := range []string{strings.Repeat("a ", MaxTerms+1), strings.Repeat("a", MaxText+1), strings.Repeat("京", MaxTerms+1)} {
		if _, err := Compile(Query{Complete: text}); !errors.Is(err, ErrQuery) {
			t.Errorf("%.40q: %v, want ErrQuery", text, err)
		}
	}
}

// Every token that a Fuzzy leaf finds in an entry is in its vocabulary.
func TestVocabulary(t *testing.T) {
	d := Doc{Name: "x", Spelling: "KubePlugin-2204", Title: "Ünïcode RNA-Seq sequencing of ca 1000", Tags: []string{"visualisation", strings.Repeat("y", 40)}, Summary: "Galaxies"}
	e := Prepare(d)
	have := e.Vocabulary()
	for _, text := range []string{"kubbe", "pluginn", "kubeplugn", "unicod", "unicodde", "secuencing", "visualisatoin", "galaxxy", "visualisatoinss", "kubeplugin2240"} {
		leaves := planOf(t, text).leaves(Fuzzy)
		if len(leaves) == 0 {
			t.Errorf("%s is not looked for with typos", text)
		}
		for _, l := range leaves {
			for token := range strings.FieldsSeq(e.Words[l.Field]) {
				if l.Near(token) && !slices.Contains(have, token) {
					t.Errorf("%s: %s is near, but not in %v", text, token, have)
				}
			}
		}
	}
	if !slices.Contains(have, "kubeplugin") || slices.Contains(have, "ca") || slices.Contains(have, separatorToken) {
		t.Errorf("the vocabulary is %v", have)
	}
}
