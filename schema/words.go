package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// find gives the value at a JSON Pointer.
func find(root any, pointer string) (any, bool) {
	if pointer == "" {
		return root, true
	}
	for key := range strings.SplitSeq(pointer[1:], "/") {
		switch v := root.(type) {
		case map[string]any:
			child, ok := v[pointerUnescapes.Replace(key)]
			if !ok {
				return nil, false
			}
			root = child
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			root = v[i]
		default:
			return nil, false
		}
	}
	return root, true
}

// lastKey is the key or the index at the end of a JSON Pointer, for messages: an
// index is shown with its list.
func lastKey(pointer string) string {
	i := strings.LastIndexByte(pointer, '/')
	key := pointerUnescapes.Replace(pointer[i+1:])
	if _, err := strconv.Atoi(key); err == nil && i > 0 {
		return "an entry of " + lastKey(pointer[:i])
	}
	return key
}

func isVersion(pointer string) bool { return strings.HasSuffix(pointer, "version") }

func isInterface(pointer string) bool {
	return strings.HasPrefix(pointer, "/interfaces/") && strings.Count(pointer, "/") == 2
}

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// kind names a kind of value as its author would.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "a truth value"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	}
	return "keys and values"
}

func typesOf(rule map[string]any) []string {
	var types []string
	switch t := rule["type"].(type) {
	case string:
		types = append(types, t)
	case []any:
		for _, s := range t {
			if s, ok := s.(string); ok {
				types = append(types, s)
			}
		}
	}
	return types
}

// kinds names what a value may be; that it may be nothing goes without saying.
func kinds(types []string) string {
	names := map[string]string{
		"string": "a text", "boolean": "true or false", "number": "a number", "integer": "a whole number",
		"array": "a list", "object": "keys and values",
	}
	var words []string
	for _, t := range types {
		if name, ok := names[t]; ok {
			words = append(words, name)
		}
	}
	return strings.Join(words, " or ")
}

// show gives a value as its author wrote it, more or less.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case json.Number, bool:
		return fmt.Sprint(v)
	}
	return kind(v)
}

func list(v any) string {
	values, _ := v.([]any)
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}

// listed shows a single value as the entries of a list: texts with commas were
// meant to be several.
func listed(v any) string {
	s, ok := v.(string)
	if !ok {
		return strconv.Quote(fmt.Sprint(v))
	}
	var words []string
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if strings.ContainsAny(word, "#:{}[]&*!|>'\"%@`") || len(word) > 60 {
			word = quote(word)
		}
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, ", ")
}

// repeated finds the first entry of a list that was there before.
func repeated(v any) (int, string) {
	values, _ := v.([]any)
	seen := make(map[string]bool, len(values))
	for i, v := range values {
		id := fmt.Sprintf("%T %v", v, v)
		if seen[id] {
			return i, show(v)
		}
		seen[id] = true
	}
	return 0, "a value"
}

// nearest finds the known word that was probably meant, or "".
func nearest(word string, known []string) string {
	const longest = 40
	if len(word) > longest {
		return ""
	}
	w := bare(word)
	best, least := "", 1+max(1, len(w)/3)
	for _, k := range known {
		if d := distance(w, bare(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// bare is a key without case and separators: Front-End is front_end.
func bare(s string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(strings.ToLower(s))
}

// distance counts the letters to insert, drop, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = slices.Min([]int{row[j-1] + 1, above[j] + 1, above[j-1] + cost})
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
