package schema

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Reading says how a YAML text is read. The zero Reading is how descriptors are.
type Reading struct {
	MaxBytes int  // 0: MaxSize
	MaxNodes int  // values with aliases written out; 0: 20,000
	YAML11   bool // yes, no, on and off are truth values and 1:30 is a number, as PyYAML reads them
}

// Document is a YAML text as JSON knows it.
type Document struct {
	Value any // map[string]any, []any, string, json.Number, bool or nil

	root   *yaml.Node
	keys   map[string]*yaml.Node // by pointer: the key of a value, or an entry of a list
	values map[string]*yaml.Node
}

// Read reads the one document of a text, within bounds. The problems are those of
// YAML, and values that JSON can't say; such a value is left out, or null in a
// list. The document is nil where the problems leave nothing to look at.
func (r Reading) Read(data []byte) (*Document, Problems) {
	r.MaxBytes, r.MaxNodes = cmp.Or(r.MaxBytes, MaxSize), cmp.Or(r.MaxNodes, maxNodes)
	root, problems := r.load(data)
	if root == nil {
		return nil, problems
	}
	c := converter{yaml11: r.YAML11}
	value := c.value(root, nil, 0)
	problems = append(problems, c.problems...)
	if _, ok := value.(invalid); ok {
		return nil, problems
	}
	return &Document{Value: value, root: root}, problems
}

func (r Reading) load(data []byte) (root *yaml.Node, problems Problems) {
	if p := refuse(data, r.MaxBytes); p != nil {
		return nil, Problems{*p}
	}
	text, costly := scan(data, r.MaxNodes)
	if costly != nil {
		return nil, Problems{*costly}
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
			Fix: "write one document to a file, without --- between",
		})
	case err != nil:
		return nil, append(problems, yamlProblem(data, err))
	case doc == nil || len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
		return nil, append(problems, Problem{
			Line: 1, Column: 1, Code: "empty", Message: "the text says nothing", Fix: "write keys and values",
		})
	}
	nodes, cycle := measure(doc, r.MaxNodes, map[*yaml.Node]int{})
	if cycle != nil {
		return nil, append(problems, Problem{
			Line: cycle.Line, Column: cycle.Column, Code: "alias-cycle",
			Message: "the alias *" + cycle.Value + " stands inside of what it means", Fix: "write the value out",
		})
	}
	if nodes > r.MaxNodes {
		return nil, append(problems, *tooComplex(1, 1, r.MaxNodes))
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

func (d *Document) build() {
	if d.keys != nil {
		return
	}
	d.keys, d.values = map[string]*yaml.Node{}, map[string]*yaml.Node{}
	d.add(d.root, d.root, "", 0)
}

func (d *Document) add(key, n *yaml.Node, pointer string, depth int) {
	if _, ok := d.keys[pointer]; ok || depth > MaxDepth+1 {
		return
	}
	d.keys[pointer], d.values[pointer] = key, n
	d.children(n, pointer, depth)
}

func (d *Document) children(n *yaml.Node, pointer string, depth int) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.add(item, item, pointer+"/"+strconv.Itoa(i), depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].ShortTag() != "!!merge" {
				d.add(n.Content[i], n.Content[i+1], pointer+"/"+pointerEscapes.Replace(n.Content[i].Value), depth+1)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].ShortTag() == "!!merge" {
				sources := []*yaml.Node{n.Content[i+1]}
				if sources[0].Kind == yaml.SequenceNode {
					sources = sources[0].Content
				}
				for _, source := range sources {
					d.children(source, pointer, depth+1)
				}
			}
		}
	}
}

// Place is where a problem of the value at a JSON Pointer is shown: its key, or the
// value. What is not there is shown at what it is missing from.
func (d *Document) Place(pointer string, atKey bool) (line, column int) {
	d.build()
	nodes := d.values
	if atKey {
		nodes = d.keys
	}
	for {
		if n, ok := nodes[pointer]; ok {
			return n.Line, n.Column
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return d.root.Line, d.root.Column
		}
		pointer = pointer[:i]
	}
}

// Source is a scalar as it is written, without its quotes.
func (d *Document) Source(pointer string) string {
	d.build()
	n := d.values[pointer]
	if n == nil {
		return ""
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Value
}
