package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Field is a key and its value in a mapping whose order matters.
type Field struct {
	Key   string
	Value any
}

// EncodeYAML writes a value as block YAML that readers of YAML 1.1 (PyYAML) and of
// YAML 1.2 understand alike: what either could take for something else is quoted.
// It takes what Document.Value has, and []Field, []string, int and json.RawMessage.
// Keys of a map are sorted. The text is the same for the same value.
func EncodeYAML(v any) ([]byte, error) {
	n, err := node(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func node(v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case nil:
		return scalarNode("!!null", "null", 0), nil
	case bool:
		return scalarNode("!!bool", strconv.FormatBool(v), 0), nil
	case int:
		return scalarNode("!!int", strconv.Itoa(v), 0), nil
	case json.Number:
		return numberNode(v), nil
	case string:
		return scalarNode("!!str", v, style(v)), nil
	case json.RawMessage:
		value, err := decodeJSON(v)
		if err != nil {
			return nil, err
		}
		return node(value)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return node(list)
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, item := range v {
			child, err := node(item)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		return n, nil
	case map[string]any:
		fields := make([]Field, 0, len(v))
		for _, key := range sortedKeys(v) {
			fields = append(fields, Field{key, v[key]})
		}
		return node(fields)
	case []Field:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, f := range v {
			child, err := node(f.Value)
			if err != nil {
				return nil, err
			}
			keyStyle := style(f.Key)
			if keyStyle == yaml.LiteralStyle {
				keyStyle = yaml.DoubleQuotedStyle
			}
			n.Content = append(n.Content, scalarNode("!!str", f.Key, keyStyle), child)
		}
		return n, nil
	}
	return nil, fmt.Errorf("schema: %T can't be written as YAML", v)
}

func decodeJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func scalarNode(tag, value string, style yaml.Style) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value, Style: style}
}

func numberNode(n json.Number) *yaml.Node {
	s := n.String()
	if !strings.ContainsAny(s, ".eE") {
		return scalarNode("!!int", s, 0)
	}
	// YAML 1.1 wants a point and a sign: 1e5 is a text there.
	mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if ok {
		if !strings.HasPrefix(exponent, "-") && !strings.HasPrefix(exponent, "+") {
			exponent = "+" + exponent
		}
		mantissa += "e" + exponent
	}
	return scalarNode("!!float", mantissa, 0)
}

var (
	// Words, paths, addresses and sentences that mean nothing else in any YAML.
	plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+<>()=;-]*( [A-Za-z0-9_./@+<>()=;(&-][A-Za-z0-9_./@+<>()=;,&-]*)*$`)
	plainURL  = regexp.MustCompile(`^https?://[A-Za-z0-9_./?=&%~+()-]*[A-Za-z0-9_/)]$`)
	reserved  = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
	// Lines that a literal block gives back byte for byte.
	literal = regexp.MustCompile(`^[^\s\x00-\x1f](?:[^\x00-\x09\x0b-\x1f\x7f-\x{a0}\x{2028}\x{2029}\x{feff}\x{fffe}\x{ffff}]*[^\s\x00-\x1f\x7f-\x{a0}\x{2028}\x{2029}\x{feff}\x{fffe}\x{ffff}])?\n*$`)
)

// style chooses quotes unless the text is safe without.
func style(s string) yaml.Style {
	switch {
	case strings.Contains(s, "\n") && literal.MatchString(s) && !strings.Contains(s, " \n"):
		return yaml.LiteralStyle
	case (plainText.MatchString(s) || plainURL.MatchString(s)) && !reserved.MatchString(s):
		return 0
	}
	return yaml.DoubleQuotedStyle
}

// YAML writes a descriptor in the form with interfaces; Parse gives it back.
func (d *Descriptor) YAML() ([]byte, error) {
	var fields []Field
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, Field{key, value})
		}
	}
	texts := func(key string, values []string) {
		if len(values) > 0 {
			fields = append(fields, Field{key, values})
		}
	}
	raw := func(key string, value json.RawMessage) {
		if value != nil {
			fields = append(fields, Field{key, value})
		}
	}
	// A nested mapping is written with the same helpers.
	nested := func(write func()) []Field {
		outer := fields
		fields = nil
		write()
		inner := fields
		fields = outer
		return inner
	}
	under := func(key string, write func()) {
		if inner := nested(write); len(inner) > 0 {
			fields = append(fields, Field{key, inner})
		}
	}
	packaged := func(p Package) {
		text("package", p.Name)
		text("version", p.Version)
		if p.External {
			fields = append(fields, Field{"external", true})
		}
		text("sha256", p.SHA256)
	}
	text("name", d.Name)
	fields = append(fields, Field{"version", d.Version})
	text("label", d.Label)
	text("title", d.Title)
	text("summary", d.Summary)
	text("maintainer", d.Maintainer)
	text("license", d.License)
	texts("categories", d.Categories)
	texts("tags", d.Tags)
	under("links", func() {
		text("homepage", d.Links.Homepage)
		text("source", d.Links.Source)
		text("documentation", d.Links.Documentation)
		text("icon", d.Links.Icon)
	})
	text("description", d.Description)
	under("requires", func() {
		for _, key := range sortedKeys(d.Requires) {
			text(key, d.Requires[key])
		}
	})
	raw("permissions", d.Permissions)
	under("interfaces", func() {
		for _, name := range sortedKeys(d.Interfaces) {
			i := d.Interfaces[name]
			under(name, func() {
				for _, side := range []struct {
					key string
					c   *Component
				}{{"backend", i.Backend}, {"frontend", i.Frontend}} {
					if side.c != nil {
						under(side.key, func() {
							packaged(side.c.Package)
							text("component", side.c.Component)
						})
					}
				}
				raw("form", i.Form)
			})
		}
	})
	if len(d.Libraries) > 0 {
		var libraries []any
		for _, l := range d.Libraries {
			libraries = append(libraries, nested(func() {
				text("ecosystem", l.Ecosystem)
				packaged(l)
			}))
		}
		fields = append(fields, Field{"libraries", libraries})
	}
	raw("default_config", d.DefaultConfig)
	for _, key := range sortedKeys(d.Extensions) {
		fields = append(fields, Field{key, d.Extensions[key]})
	}
	return EncodeYAML(fields)
}
