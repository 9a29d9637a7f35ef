package schema

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

type rawJSON = json.RawMessage

// Parse reads a descriptor. It gives the descriptor, or all that is wrong with the
// text, in the order of the text: the descriptor is nil if and only if there are
// problems. Descriptors are never templated: {{ }} in a text is text.
// After the first 1,000 problems no more are told.
func Parse(data []byte) (*Descriptor, []Problem) {
	d, problems := parse(data)
	if len(problems) == 0 {
		return d, nil
	}
	const most = 1000
	problems = problems.Sort()
	return nil, problems[:min(len(problems), most)]
}

func parse(data []byte) (*Descriptor, Problems) {
	doc, problems := Reading{}.Read(data)
	if doc == nil {
		return nil, problems
	}
	value := doc.Value
	prune(value)
	bad := map[string]bool{}
	for _, p := range problems {
		if p.Code != "duplicate-key" { // the first of the two is checked all the same
			bad[p.Pointer] = true
		}
	}
	add := func(found []Problem) {
		for _, p := range Problems(found).Sort() {
			if !bad[p.Pointer] {
				p.Line, p.Column = doc.Place(p.Pointer, keyProblems[p.Code])
				problems = append(problems, p)
				bad[p.Pointer] = true
			}
		}
	}
	add(shapeProblems(doc))
	m, ok := value.(map[string]any)
	if !ok {
		return nil, problems
	}
	d := draftOf(m)
	add(d.rules())
	return &d.Descriptor, problems
}

// keyProblems are shown at the key and not at its value.
var keyProblems = map[string]bool{"unknown-key": true, "mixed-forms": true, "interface-list": true}

// prune takes out the keys that have no value, where the schema knows the keys:
// default_config, forms and extensions are kept as they are.
func prune(value any) {
	m, _ := value.(map[string]any)
	drop := func(m map[string]any) {
		maps.DeleteFunc(m, func(key string, v any) bool { return v == nil && !strings.HasPrefix(key, "x-") })
	}
	drop(m)
	for _, key := range []string{"links", "requires", "permissions"} {
		drop(object(m[key]))
	}
	interfaces := object(m["interfaces"])
	maps.DeleteFunc(interfaces, func(_ string, v any) bool { return v == nil })
	for _, i := range interfaces {
		drop(object(i))
		drop(object(object(i)["backend"]))
		drop(object(object(i)["frontend"]))
	}
	libraries, _ := m["libraries"].([]any)
	for _, l := range libraries {
		drop(object(l))
	}
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func strs(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, v := range list {
		out = append(out, str(v))
	}
	return out
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// encode gives a value as JSON with sorted keys; nil is nil.
func encode(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // can't happen: converter makes JSON's types only
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
