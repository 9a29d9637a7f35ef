package search

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	word := func(s string) Term { return Term{Text: s} }
	for text, want := range map[string]Query{
		"":                        {},
		" \t\n ":                  {},
		"galaxy  docker":          {Terms: []Term{word("galaxy"), word("docker")}},
		`"rna seq" x`:             {Terms: []Term{{Text: "rna seq", Phrase: true}, word("x")}},
		`-docker -"a b"`:          {Terms: []Term{{Text: "docker", Not: true}, {Text: "a b", Phrase: true, Not: true}}},
		"tag:gpu":                 {Filters: []Filter{{Field: "tag", Values: []string{"gpu"}}}},
		"Tag:a tag:b -TAG:c":      {Filters: []Filter{{Field: "tag", Values: []string{"a", "b"}}, {Field: "tag", Values: []string{"c"}, Not: true}}},
		`category:"big  data" x`:  {Filters: []Filter{{Field: "category", Values: []string{"big data"}}}, Terms: []Term{word("x")}},
		"status:DEV trust:a:b":    {Filters: []Filter{{Field: "status", Values: []string{"DEV"}}, {Field: "trust", Values: []string{"a:b"}}}},
		"interface:x maintainer:": {},
		"http://x.org":            {Terms: []Term{word("http://x.org")}},
		"10:30 Note: a::b":        {Terms: []Term{word("10:30"), word("Note:"), word("a::b")}},
		"rna-seq --x":             {Terms: []Term{word("rna-seq"), {Text: "-x", Not: true}}},
		`a"b c"d`:                 {Terms: []Term{word("a"), {Text: "b c", Phrase: true}, word("d")}},
		"*** & ( galaxy":          {Terms: []Term{word("galaxy")}},
		`"!!!"`:                   {},
	} {
		got, err := Parse(text)
		if strings.HasSuffix(text, "maintainer:") {
			if err == nil {
				t.Errorf("%q: no error", text)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		`galaxy "docker`:             `column 8: this quote is not closed; add a " after the last word of the phrase`,
		`tag:"a`:                     `column 5: this quote is not closed; add a " after the last word of the phrase`,
		`a ""`:                       `column 3: the quotes are empty; write the words of the phrase between them, or leave them out`,
		"tags:gpu":                   `column 1: "tags" is not a field; did you mean tag:? (fields are category, tag, interface, maintainer, trust, status); to search for the text itself, put it in quotes: "tags:..."`,
		"京都 catgory:x":               `column 4: "catgory" is not a field; did you mean category:? (fields are category, tag, interface, maintainer, trust, status); to search for the text itself, put it in quotes: "catgory:..."`,
		"a:b":                        `column 1: "a" is not a field; fields are category, tag, interface, maintainer, trust, status; to search for the text itself, put it in quotes: "a:b..."`,
		"x tag:":                     `column 6: tag: has no value; write the value directly after the colon, as in tag:name or tag:"two words"`,
		`tag:""`:                     `column 4: tag: has no value; write the value directly after the colon, as in tag:name or tag:"two words"`,
		"galaxy - docker":            "column 8: a minus stands alone; write it directly before what is to be left out, as in -docker; leave it out otherwise",
		"-":                          "column 1: a minus stands alone; write it directly before what is to be left out, as in -docker; leave it out otherwise",
		"a\xffb":                     "column 2: the text is not valid UTF-8; send the query as UTF-8, percent-encoded in a URL",
		strings.Repeat("ab ", 334):   "column 1001: the query has 1002 characters; at most 1000 are allowed; search for fewer words",
		strings.Repeat("a ", 31):     "column 61: the query has more than 30 terms; search for fewer words",
		strings.Repeat("tag:a ", 31): "column 181: the query has more than 30 terms; search for fewer words",
	} {
		if text == "a:b" {
			want = strings.Replace(want, `"a:b..."`, `"a:..."`, 1)
		}
		_, err := Parse(text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("Parse(%.40q):\n%v\nwant\n%s", text, err, want)
		}
	}
}

// Whatever the text, the query is within limits and compiles, or the error
// points into the text and has a fix in one line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", `galaxy "rna seq" -docker tag:gpu -category:"a b"`, "a:b http://x", `"`, "-", "tag:", "\x00é京 \xff", "***"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text)
		if err != nil {
			var e *SyntaxError
			if !errors.As(err, &e) || e.Pos < 1 || e.Pos > utf8.RuneCountInString(text)+1 || e.Fix == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%q: %#v", text, err)
			}
			if !reflect.DeepEqual(q, Query{}) {
				t.Fatalf("%q: a query beside an error", text)
			}
			return
		}
		n := len(q.Terms)
		for _, f := range q.Filters {
			n += len(f.Values)
		}
		if n > MaxTerms {
			t.Fatalf("%q: %d terms", text, n)
		}
		p, err := Compile(q)
		if err != nil {
			t.Fatalf("%q does not compile: %v", text, err)
		}
		again, err := Compile(q)
		if err != nil || again.Hash != p.Hash {
			t.Fatalf("%q compiles to two hashes", text)
		}
	})
}
