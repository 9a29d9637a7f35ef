package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// path is where a value stands, from the inside out.
type path struct {
	parent *path
	key    string
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// String is the JSON Pointer of p; the root is a nil path.
func (p *path) String() string {
	var keys []string
	for ; p != nil; p = p.parent {
		keys = append(keys, p.key)
	}
	var b strings.Builder
	for i := len(keys) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(keys[i]))
	}
	return b.String()
}

// converter turns YAML nodes into what JSON knows: map[string]any, []any, string,
// json.Number, bool and nil. What JSON can't say is a problem, not a guess.
type converter struct {
	yaml11   bool
	problems Problems
}

func (c *converter) problem(n *yaml.Node, p *path, code, fix, message string) {
	c.problems = append(c.problems, Problem{p.String(), n.Line, n.Column, code, message, fix})
}

// invalid stands for a value that has a problem of its own.
type invalid struct{}

func (c *converter) value(n *yaml.Node, p *path, depth int) any {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if depth > MaxDepth {
		deep := tooDeep(n.Line, n.Column)
		c.problem(n, p, deep.Code, deep.Fix, deep.Message)
		return invalid{}
	}
	if n.Style&yaml.TaggedStyle != 0 {
		c.problem(n, p, "explicit-tag", "leave the tag out; quotes make a text", "the YAML tag "+quote(n.Tag)+" is not allowed")
		return invalid{}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, p, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, item := range n.Content {
			v := c.value(item, &path{p, strconv.Itoa(i)}, depth+1)
			if v == (invalid{}) {
				v = nil // keeps the places of the others
			}
			list = append(list, v)
		}
		return list
	}
	return c.scalar(n, p)
}

func (c *converter) mapping(n *yaml.Node, p *path, depth int) any {
	m := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind == yaml.ScalarNode && key.Style&yaml.TaggedStyle != 0:
			c.problem(key, p, "explicit-tag", "leave the tag out; quotes make a text", "the YAML tag "+quote(key.Tag)+" is not allowed")
			continue
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			merges = append(merges, value)
			continue
		case key.Kind != yaml.ScalarNode:
			c.problem(key, p, "non-string-key", "write a text before the colon; {{ }} of a template needs quotes around it", "a list or a mapping stands in the place of a key")
			continue
		case key.ShortTag() != "!!str":
			c.problem(key, p, "non-string-key", "put it in quotes: "+strconv.Quote(key.Value)+":", "the key "+key.Value+" is no text")
			continue
		}
		at := &path{p, key.Value}
		if line, ok := lines[key.Value]; ok {
			c.problem(key, at, "duplicate-key", "leave one of them out", "the key "+quote(key.Value)+" stands here and in line "+strconv.Itoa(line))
			continue
		}
		lines[key.Value] = key.Line
		if v := c.value(value, at, depth+1); v != (invalid{}) {
			m[key.Value] = v
		}
	}
	for _, value := range merges {
		c.merge(m, value, p, depth)
	}
	return m
}

// merge fills in the keys of other mappings (<<: *base), as YAML 1.1's merge key
// type says: keys that are there win, and earlier mappings win over later ones.
func (c *converter) merge(m map[string]any, value *yaml.Node, p *path, depth int) {
	n := value
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	sources := []*yaml.Node{value}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	for _, source := range sources {
		from, ok := c.value(source, p, depth).(map[string]any)
		if !ok {
			c.problem(source, p, "bad-merge", "write <<: *name, with the anchor of a mapping", "the merge key << needs a mapping")
			continue
		}
		for k, v := range from {
			if _, ok := m[k]; !ok {
				m[k] = v
			}
		}
	}
}

func (c *converter) scalar(n *yaml.Node, p *path) any {
	switch n.ShortTag() {
	case "!!str":
		if c.yaml11 && n.Style == 0 {
			return plain11(n.Value)
		}
		return n.Value
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!timestamp":
		c.problem(n, p, "unquoted-date", "put it in quotes: "+strconv.Quote(n.Value), n.Value+" is read as a date, not as a text")
	case "!!int":
		var i int64
		var u uint64
		if n.Decode(&i) == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
		if n.Decode(&u) == nil {
			return json.Number(strconv.FormatUint(u, 10))
		}
		c.problem(n, p, "not-a-number", "put it in quotes: "+strconv.Quote(n.Value), n.Value+" is too large for a number")
	case "!!float":
		return c.float(n, p)
	default:
		c.problem(n, p, "explicit-tag", "put the value in quotes", "a value of the YAML type "+n.ShortTag()+" is not allowed")
	}
	return invalid{}
}

// maxExact is the largest number below which a float has every whole number.
const maxExact = 1 << 53

func (c *converter) float(n *yaml.Node, p *path) any {
	var f float64
	err := n.Decode(&f)
	whole := strings.Trim(n.Value, "+-0123456789_") == ""
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || (whole && math.Abs(f) > maxExact) {
		c.problem(n, p, "not-a-number", "put it in quotes: "+strconv.Quote(n.Value), n.Value+" is no number that JSON can hold")
		return invalid{}
	}
	b, err := json.Marshal(f)
	if err != nil { // can't happen: f is finite
		panic(err)
	}
	if !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...) // it was written as a float and stays one
	}
	return json.Number(b)
}

var base60 = regexp.MustCompile(`^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$`)

// plain11 is what YAML 1.1 makes of a plain scalar that is a text in YAML 1.2.
func plain11(s string) any {
	switch strings.ToLower(s) {
	case "yes", "on":
		return true
	case "no", "off":
		return false
	}
	if !base60.MatchString(s) {
		return s
	}
	var n int64
	sign := int64(1)
	if s[0] == '-' {
		sign = -1
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(strings.TrimLeft(s, "+-"), "_", ""), ":") {
		digit, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n > math.MaxInt64/61 {
			return s
		}
		n = n*60 + digit
	}
	return json.Number(strconv.FormatInt(sign*n, 10))
}

// measure counts the nodes of a document with its aliases written out, without
// writing them out, and up to most. cycle is an alias inside of what it means.
func measure(n *yaml.Node, most int, known map[*yaml.Node]int) (nodes int, cycle *yaml.Node) {
	const open = -1
	if n.Kind == yaml.AliasNode {
		size, ok := known[n.Alias]
		if size == open {
			return 0, n
		}
		if ok {
			return size, nil
		}
		return measure(n.Alias, most, known)
	}
	known[n] = open
	nodes = 1
	for _, child := range n.Content {
		more, cycle := measure(child, most, known)
		if cycle != nil {
			return 0, cycle
		}
		nodes = min(nodes+more, most+1)
	}
	known[n] = nodes
	return nodes, nil
}
