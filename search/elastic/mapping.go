package elastic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"appstore/search"
)

// Fields besides those of search.Entry.
const (
	fieldName      = "id"
	fieldVisible   = "visible"
	fieldQuality   = "quality"
	fieldUpdated   = "updated"
	fieldDownloads = "downloads"
	fieldDoc       = "doc"  // the document as put; not indexed
	fieldMark      = "mark" // of the mark document only
)

// markID is the id of the document that holds the Mark. No plugin name begins
// with a dot.
const markID = ".mark"

// refreshInterval is how long a change may stay unseen by searches.
const refreshInterval = "500ms"

type object = map[string]any

// mappings: words are separated by white space, as search.Prepare wrote them;
// everything else is one token. What is not in the mapping is refused.
func mappings() object {
	keyword := object{"type": "keyword"}
	fields := object{
		fieldName:       keyword,
		fieldVisible:    object{"type": "boolean"},
		fieldQuality:    object{"type": "double", "index": false},
		fieldUpdated:    object{"type": "long", "index": false},
		fieldDownloads:  object{"type": "long", "index": false},
		fieldDoc:        object{"type": "object", "enabled": false},
		fieldMark:       object{"type": "object", "enabled": false},
		fieldVocabulary: object{"type": "keyword", "doc_values": false},
		search.NameKey:  keyword,
		search.TitleKey: keyword,
	}
	for _, name := range search.TextFields() {
		fields[name] = object{"type": "text", "analyzer": "whitespace", "norms": false}
	}
	for _, name := range search.Facets {
		fields[search.FacetPrefix+name] = keyword
	}
	return object{
		"dynamic":    "strict",
		"_source":    object{"includes": []string{fieldDoc, fieldMark}},
		"properties": fields,
	}
}

// settings of a new index. One shard: a catalogue of plugins is small, and
// counts and order are exact.
func settings(refresh string) object {
	return object{"index": object{
		"number_of_shards":     1,
		"auto_expand_replicas": "0-1",
		"refresh_interval":     refresh,
	}}
}

// mappingHash is in the name of the index: programs with different mappings
// or scripts share a cluster, each with an index of its own.
var mappingHash = sync.OnceValue(func() string {
	data, err := json.Marshal(object{"mappings": mappings(), "settings": settings(refreshInterval)})
	if err != nil {
		panic(err) // constant
	}
	sum := sha256.Sum256(fmt.Append(data, search.EntryVersion()))
	return hex.EncodeToString(sum[:6])
})

// source is a document as Elasticsearch stores it.
func source(d search.Doc) object {
	e := search.Prepare(d)
	s := object{
		fieldName:      e.Name,
		fieldVisible:   e.Visible,
		fieldQuality:   e.Quality,
		fieldUpdated:   e.Updated,
		fieldDownloads: e.Downloads,
		fieldDoc:       d,
	}
	if words := e.Vocabulary(); len(words) > 0 {
		s[fieldVocabulary] = words
	}
	for name, words := range e.Words {
		s[name] = words
	}
	for name, key := range e.Keys {
		if key != "" {
			s[name] = key
		}
	}
	for name, values := range e.Facets {
		s[search.FacetPrefix+name] = values
	}
	return s
}
