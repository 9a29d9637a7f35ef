package schema

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

//go:embed plugin.v1.json
var schemaText []byte

// JSON is the JSON Schema (2020-12) of descriptors: what Parse validates with, and
// what editors complete with.
func JSON() []byte { return bytes.Clone(schemaText) }

// compiled is the schema twice: to validate with, and as data, which the messages
// take limits and hints from.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, map[string]any) {
	const name = "plugin.v1.json"
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	c.AssertFormat = true
	if err := c.AddResource(name, bytes.NewReader(schemaText)); err != nil {
		panic(err) // the program's own file
	}
	var data map[string]any
	if err := json.Unmarshal(schemaText, &data); err != nil {
		panic(err)
	}
	return c.MustCompile(name), data
})

// violation is one keyword of the schema that a value breaks.
type violation struct {
	pointer string         // of the value
	keyword string         // "type", "maxLength", ...
	def     string         // the definition in $defs that has the keyword, or ""
	rule    map[string]any // the schema that has the keyword
}

// violations validates a value; the order of the answer is not defined.
func violations(value any) []violation {
	validator, data := compiled()
	err := validator.Validate(value)
	if err == nil {
		return nil
	}
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		panic(err) // a Go type that is no JSON: a mistake of ours, never the author's
	}
	var found []violation
	var leaves func(*jsonschema.ValidationError)
	leaves = func(e *jsonschema.ValidationError) {
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				leaves(cause)
			}
			return
		}
		v := violation{pointer: unescape(e.InstanceLocation)}
		_, location, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
		keys := strings.Split(strings.TrimPrefix(location, "/"), "/")
		last := len(keys) - 1
		v.keyword = keys[last]
		v.rule = lookup(data, keys[:last])
		if last >= 2 && keys[0] == "$defs" {
			v.def = keys[1]
		}
		if slices.Contains(keys, "propertyNames") { // the key breaks it, not the value
			v.keyword, v.def = "propertyNames", ""
		}
		found = append(found, v)
	}
	leaves(ve)
	return found
}

// unescape undoes what jsonschema does to a JSON Pointer for a URL's fragment.
func unescape(pointer string) string {
	if p, err := url.PathUnescape(pointer); err == nil {
		return p
	}
	return pointer
}

// lookup goes from a JSON value along the keys of a pointer; nil if there is none,
// or if what is there is no object.
func lookup(data any, keys []string) map[string]any {
	for _, key := range keys {
		m, _ := data.(map[string]any)
		data = m[pointerUnescapes.Replace(unescape(key))]
	}
	m, _ := data.(map[string]any)
	return m
}

var pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~")
