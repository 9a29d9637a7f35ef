package cloudlaunch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"appstore/schema"
)

// reader collects problems with their places in the file.
type reader struct {
	doc      *schema.Document
	problems schema.Problems
	known    map[string]bool // pointers that have a problem
}

func (r *reader) line(pointer string) int {
	line, _ := r.doc.Place(pointer, false)
	return line
}

func (r *reader) problem(pointer, code, fix, format string, args ...any) {
	if r.known[pointer] {
		return
	}
	r.known[pointer] = true
	line, column := r.doc.Place(pointer, code == "unknown-key")
	r.problems = append(r.problems, schema.Problem{
		Pointer: pointer, Line: line, Column: column, Code: code, Message: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// fail tells an error of one of schema's rules.
func (r *reader) fail(pointer string, err error) {
	p := schema.ProblemAt(pointer, err)
	r.problem(pointer, p.Code, p.Fix, "%s", p.Message)
}

// bad reports whether anything at or under a pointer has a problem.
func (r *reader) bad(pointer string) bool {
	return slices.ContainsFunc(r.problems, func(p schema.Problem) bool {
		return p.Pointer == pointer || strings.HasPrefix(p.Pointer, pointer+"/")
	})
}

// object gives a mapping whose keys are all known; nil if there is none.
func (r *reader) object(pointer string, v any, keys ...string) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		r.problem(pointer, "wrong-type", "write keys and values: "+strings.Join(keys, ", "), "keys and values are missing here")
		return nil
	}
	for key := range m {
		if !slices.Contains(keys, key) {
			escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
			r.problem(pointer+"/"+escaped, "unknown-key", "the keys here are "+strings.Join(keys, ", "), "CloudLaunch has no key %q here", key)
		}
	}
	return m
}

// fields reads the values of one mapping.
type fields struct {
	*reader
	pointer string
	m       map[string]any
	blank   []string
}

func (f *fields) sortedBlank() []string {
	slices.Sort(f.blank)
	return f.blank
}

// text reads a text of at most so many characters. null and nothing are "".
func (f *fields) text(key string, most int) string {
	at := f.pointer + "/" + key
	switch v := f.m[key].(type) {
	case nil:
	case string:
		if v == "" {
			f.blank = append(f.blank, key)
		}
		if n := len([]rune(v)); n > most {
			f.problem(at, "too-long", "shorten it", "%s has %d characters, CloudLaunch takes %d", key, n, most)
		}
		return v
	case json.Number, bool:
		code := "not-a-string"
		if strings.HasSuffix(key, "version") {
			code = "unquoted-version"
		}
		f.problem(at, code, "put it in quotes: "+strconv.Quote(f.doc.Source(at)), "%s takes a text, and YAML reads %s as %v", key, f.doc.Source(at), v)
	default:
		f.problem(at, "wrong-type", "write a text", "%s takes a text", key)
	}
	return ""
}

func (f *fields) needed(key string, most int) string {
	s := f.text(key, most)
	if s == "" {
		f.problem(f.pointer+"/"+key, "missing-key", "add "+key, "%s is missing or empty", key)
	}
	return s
}

func (f *fields) integer(key string) int {
	at := f.pointer + "/" + key
	n, ok := f.m[key].(json.Number)
	if ok {
		if i, err := strconv.Atoi(n.String()); err == nil {
			return i
		}
	}
	f.problem(at, "wrong-type", "write a whole number; CloudLaunch's own is 10000", "%s takes a whole number", key)
	return 0
}

// config reads a launch config: keys and values, or null or an empty text for none.
func (f *fields) config(key string) json.RawMessage {
	switch v := f.m[key].(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			f.blank = append(f.blank, key)
			return nil
		}
	case map[string]any:
		return encode(v)
	}
	f.problem(f.pointer+"/"+key, "wrong-type", "write keys and values, or nothing", "%s takes keys and values", key)
	return nil
}

// encode gives a value of JSON's types as JSON with sorted keys.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // can't happen: the values come from JSON or from schema.Document
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
