package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

type rawJSON = json.RawMessage

// Parse reads a descriptor. It gives the descriptor, or all that is wrong with the
// text, in the order of the text: the descriptor is nil if and only if there are
// problems. Descriptors are never templated: {{ }} in a text is text.
func Parse(data []byte) (*Descriptor, []Problem) {
	root, problems := load(data)
	if root == nil {
		return nil, problems.Sort()
	}
	c := converter{}
	value := c.value(root, nil, 0)
	places := &index{root: root}
	problems = append(problems, c.problems...)
	if _, ok := value.(invalid); ok {
		return nil, problems.Sort()
	}
	prune(value)
	bad := map[string]bool{}
	for _, p := range problems {
		bad[p.Pointer] = true
	}
	add := func(found []Problem) {
		for _, p := range Problems(found).Sort() {
			if !bad[p.Pointer] {
				p.Line, p.Column = places.place(p.Pointer, p.Code)
				problems = append(problems, p)
				bad[p.Pointer] = true
			}
		}
	}
	var shape []Problem
	for _, v := range violations(value) {
		shape = append(shape, v.problems(value, places.source)...)
	}
	add(shape)
	m, ok := value.(map[string]any)
	if !ok {
		return nil, problems.Sort()
	}
	d := draftOf(m)
	add(d.rules())
	if len(problems) > 0 {
		return nil, problems.Sort()
	}
	return &d.Descriptor, nil
}

// load reads the one document of a text as YAML, within bounds. The root is nil
// where the problems leave nothing to look at.
func load(data []byte) (root *yaml.Node, problems Problems) {
	if p := refuse(data); p != nil {
		return nil, Problems{*p}
	}
	text, deep := scan(data)
	if deep != nil {
		return nil, Problems{*deep}
	}
	data, problems = dots(data, text)
	doc, err := document(data)
	if err != nil {
		// Colons are put where a key has none, so that the rest is checked too.
		fixed, missing := colons(data, text)
		if len(missing) > 0 {
			if again, err2 := document(fixed); err2 == nil {
				doc, err = again, nil
				problems = append(problems, missing...)
			}
		}
	}
	var second *secondDocument
	switch {
	case errors.As(err, &second):
		return nil, append(problems, Problem{
			Line: second.line, Column: second.column, Code: "multiple-documents", Message: "the text has more than one YAML document",
			Fix: "write one descriptor to a file, without --- between",
		})
	case err != nil:
		return nil, append(problems, yamlProblem(data, err))
	case doc == nil || len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
		return nil, append(problems, Problem{
			Line: 1, Column: 1, Code: "empty", Message: "the descriptor says nothing", Fix: "start with name: and version:",
		})
	}
	nodes, cycle := measure(doc, map[*yaml.Node]int{})
	if cycle != nil {
		return nil, append(problems, Problem{
			Line: cycle.Line, Column: cycle.Column, Code: "alias-cycle",
			Message: "the alias *" + cycle.Value + " stands inside of what it means", Fix: "write the value out",
		})
	}
	if nodes > maxNodes {
		return nil, append(problems, Problem{
			Line: 1, Column: 1, Code: "too-complex", Fix: "shorten lists, and write fewer aliases",
			Message: "with its aliases written out the descriptor has over " + strconv.Itoa(maxNodes) + " values",
		})
	}
	return doc.Content[0], problems
}

// secondDocument is where a second document starts.
type secondDocument struct{ line, column int }

func (*secondDocument) Error() string { return "more than one document" }

func document(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	switch err := d.Decode(&next); {
	case errors.Is(err, io.EOF):
		return &doc, nil
	case err != nil:
		return nil, err
	}
	return nil, &secondDocument{next.Line, next.Column}
}

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

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

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

// index finds the nodes of values, for the places of problems.
type index struct {
	root   *yaml.Node
	keys   map[string]*yaml.Node // by pointer: the key of a value, or an entry of a list
	values map[string]*yaml.Node
}

func (x *index) build() {
	if x.keys != nil {
		return
	}
	x.keys, x.values = map[string]*yaml.Node{}, map[string]*yaml.Node{}
	x.add(x.root, x.root, "", 0)
}

func (x *index) add(key, n *yaml.Node, pointer string, depth int) {
	if _, ok := x.keys[pointer]; ok || depth > MaxDepth+1 {
		return
	}
	x.keys[pointer], x.values[pointer] = key, n
	x.children(n, pointer, depth)
}

func (x *index) children(n *yaml.Node, pointer string, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			x.add(item, item, pointer+"/"+strconv.Itoa(i), depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].ShortTag() != "!!merge" {
				x.add(n.Content[i], n.Content[i+1], pointer+"/"+pointerEscapes.Replace(n.Content[i].Value), depth+1)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].ShortTag() == "!!merge" {
				sources := []*yaml.Node{n.Content[i+1]}
				if sources[0].Kind == yaml.SequenceNode {
					sources = sources[0].Content
				}
				for _, source := range sources {
					x.children(source, pointer, depth+1)
				}
			}
		}
	}
}

// place is where a problem is shown: at the key for problems of keys, else at the
// value; what is not there is shown at what it is missing from.
func (x *index) place(pointer, code string) (line, column int) {
	x.build()
	nodes := x.values
	if code == "unknown-key" || code == "mixed-forms" || code == "interface-list" {
		nodes = x.keys
	}
	for {
		if n, ok := nodes[pointer]; ok {
			return n.Line, n.Column
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return x.root.Line, x.root.Column
		}
		pointer = pointer[:i]
	}
}

// source is a scalar as it is written.
func (x *index) source(pointer string) string {
	x.build()
	n := x.values[pointer]
	if n == nil {
		return ""
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Value
}
