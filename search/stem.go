package search

import (
	"strings"
	"sync/atomic"
)

// stem removes the endings of an English word, by the algorithm of M. F.
// Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with the
// two changes he made later (bli and logi; tartarus.org/martin/PorterStemmer).
// It is done here and not by the engines so that both index the same tokens,
// and so that highlights and explanations know why a word matched.
//
// Words with anything but the letters a to z stay as they are.
func stem(s string) string {
	if len(s) < 3 {
		return s
	}
	hash := uint32(2166136261) // FNV-1a
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return s
		}
		hash = (hash ^ uint32(s[i])) * 16777619
	}
	known := &stemmed[hash%uint32(len(stemmed))]
	if k := known.Load(); k != nil && k[0] == s {
		return k[1]
	}
	k := &[2]string{strings.Clone(s), porter(s)}
	known.Store(k)
	return k[1]
}

// stemmed remembers words and their stems, one for each hash: texts repeat
// themselves, and the words of each page of hits are stemmed to highlight them.
var stemmed [8192]atomic.Pointer[[2]string]

func porter(s string) string {
	w := stemmer([]byte(s))
	w.step1ab()
	w.step1c()
	w.suffixes(step2, 1)
	w.suffixes(step3, 1)
	w.step4()
	w.step5()
	return string(w)
}

type stemmer []byte

// consonant: a letter other than a, e, i, o, u, and other than a y that
// follows a consonant.
func (w stemmer) consonant(i int) bool {
	switch w[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return false
	case 'y':
		return i == 0 || !w.consonant(i-1)
	}
	return true
}

// measure counts the sequences vowel-consonant of the first n letters.
func (w stemmer) measure(n int) int {
	m := 0
	for i := 1; i < n; i++ {
		if w.consonant(i) && !w.consonant(i-1) {
			m++
		}
	}
	return m
}

func (w stemmer) vowel(n int) bool {
	for i := range n {
		if !w.consonant(i) {
			return true
		}
	}
	return false
}

// double: the first n letters end with two equal consonants.
func (w stemmer) double(n int) bool {
	return n >= 2 && w[n-1] == w[n-2] && w.consonant(n-1)
}

// cvc: the first n letters end consonant-vowel-consonant, the last not w, x, y.
func (w stemmer) cvc(n int) bool {
	if n < 3 || !w.consonant(n-3) || w.consonant(n-2) || !w.consonant(n-1) {
		return false
	}
	return w[n-1] != 'w' && w[n-1] != 'x' && w[n-1] != 'y'
}

func (w stemmer) ends(suffix string) bool {
	return len(w) > len(suffix) && string(w[len(w)-len(suffix):]) == suffix
}

// replace puts to in the place of the last n letters.
func (w *stemmer) replace(n int, to string) {
	*w = append((*w)[:len(*w)-n], to...)
}

func (w *stemmer) step1ab() {
	switch {
	case w.ends("sses"), w.ends("ies"):
		w.replace(2, "")
	case w.ends("ss"):
	case w.ends("s"):
		w.replace(1, "")
	}
	switch {
	case w.ends("eed"):
		if w.measure(len(*w)-3) > 0 {
			w.replace(1, "")
		}
		return
	case w.ends("ed") && w.vowel(len(*w)-2):
		w.replace(2, "")
	case w.ends("ing") && w.vowel(len(*w)-3):
		w.replace(3, "")
	default:
		return
	}
	n := len(*w)
	switch {
	case w.ends("at"), w.ends("bl"), w.ends("iz"):
		w.replace(0, "e")
	case w.double(n):
		if c := (*w)[n-1]; c != 'l' && c != 's' && c != 'z' {
			w.replace(1, "")
		}
	case w.measure(n) == 1 && w.cvc(n):
		w.replace(0, "e")
	}
}

func (w *stemmer) step1c() {
	if w.ends("y") && w.vowel(len(*w)-1) {
		w.replace(1, "i")
	}
}

// Of each list the first suffix that fits is looked at, and no other.
var (
	step2 = [][2]string{
		{"ational", "ate"},
		{"tional", "tion"},
		{"enci", "ence"},
		{"anci", "ance"},
		{"izer", "ize"},
		{"bli", "ble"},
		{"alli", "al"},
		{"entli", "ent"},
		{"eli", "e"},
		{"ousli", "ous"},
		{"ization", "ize"},
		{"ation", "ate"},
		{"ator", "ate"},
		{"alism", "al"},
		{"iveness", "ive"},
		{"fulness", "ful"},
		{"ousness", "ous"},
		{"aliti", "al"},
		{"iviti", "ive"},
		{"biliti", "ble"},
		{"logi", "log"},
	}
	step3 = [][2]string{
		{"icate", "ic"},
		{"ative", ""},
		{"alize", "al"},
		{"iciti", "ic"},
		{"ical", "ic"},
		{"ful", ""},
		{"ness", ""},
	}
	step4 = []string{
		"al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent",
		"ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize",
	}
)

func (w *stemmer) suffixes(list [][2]string, least int) {
	for _, s := range list {
		if w.ends(s[0]) {
			if w.measure(len(*w)-len(s[0])) >= least {
				w.replace(len(s[0]), s[1])
			}
			return
		}
	}
}

func (w *stemmer) step4() {
	for _, s := range step4 {
		if !w.ends(s) {
			continue
		}
		n := len(*w) - len(s)
		if s == "ion" && (n == 0 || (*w)[n-1] != 's' && (*w)[n-1] != 't') {
			return
		}
		if w.measure(n) > 1 {
			w.replace(len(s), "")
		}
		return
	}
}

func (w *stemmer) step5() {
	if n := len(*w) - 1; w.ends("e") {
		if m := w.measure(n); m > 1 || m == 1 && !w.cvc(n) {
			w.replace(1, "")
		}
	}
	if n := len(*w); w.ends("ll") && w.measure(n) > 1 {
		w.replace(1, "")
	}
}
