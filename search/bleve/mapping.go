package bleve

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"sync"

	"appstore/search"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/whitespace"
	"github.com/blevesearch/bleve/v2/mapping"
)

// Fields besides those of search.Entry.
const (
	fieldName     = "id"       // sorts
	fieldVisible  = "visible"  // "1" unless hidden
	fieldSignals  = "signals"  // bits of the quality in 16 hex digits, then what is in updated
	fieldUpdated  = "updated"  // 16 hex digits that sort as the numbers do
	fieldFacets   = "facets"   // all facet values, as facetTerm writes them
	fieldPosition = "position" // stored only
	fieldDoc      = "doc"      // the document as put, JSON, stored only
)

// newMapping: words are separated by white space, as search.Prepare wrote
// them; everything else is one token.
func newMapping() mapping.IndexMapping {
	m := bleve.NewIndexMapping()
	if err := m.AddCustomAnalyzer("words", map[string]any{"type": custom.Name, "tokenizer": whitespace.Name}); err != nil {
		panic(err) // constant
	}
	m.DefaultAnalyzer = keyword.Name
	m.DefaultMapping = bleve.NewDocumentStaticMapping()
	add := func(name, analyzer string, index, store, sorts, positions bool) {
		f := bleve.NewTextFieldMapping()
		f.Analyzer, f.Index, f.Store, f.DocValues, f.IncludeTermVectors, f.IncludeInAll = analyzer, index, store, sorts, positions, false
		f.SkipFreqNorm = !positions
		m.DefaultMapping.AddFieldMappingsAt(name, f)
	}
	for _, name := range search.TextFields() {
		add(name, "words", true, false, false, true)
	}
	for _, name := range []string{search.NameKey, search.TitleKey, fieldVisible} {
		add(name, keyword.Name, true, false, false, false)
	}
	for _, name := range []string{fieldName, fieldSignals, fieldUpdated, fieldFacets} {
		add(name, keyword.Name, true, false, true, false)
	}
	add(fieldPosition, keyword.Name, false, true, false, false)
	add(fieldDoc, keyword.Name, false, true, false, false)
	return m
}

// mappingHash names the folder: what another version of the program wrote is
// never read. It covers the mapping and how entries are made.
var mappingHash = sync.OnceValue(func() string {
	data, err := json.Marshal(newMapping())
	if err != nil {
		panic(err) // constant
	}
	sum := sha256.Sum256(fmt.Append(data, search.EntryVersion()))
	return hex.EncodeToString(sum[:6])
})

// document makes what bleve indexes, and says about how many bytes that is.
func document(d search.Doc) (map[string]any, int, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return nil, 0, fmt.Errorf("search index: document %s: %w", d.Name, err)
	}
	e := search.Prepare(d)
	doc := map[string]any{
		fieldName:     e.Name,
		fieldSignals:  fmt.Sprintf("%016x", math.Float64bits(e.Quality)) + sortableInt(e.Updated),
		fieldUpdated:  sortableInt(e.Updated),
		fieldPosition: strconv.FormatUint(d.Position, 10),
		fieldDoc:      string(data),
	}
	if e.Visible {
		doc[fieldVisible] = "1"
	}
	size := 2 * len(data)
	for name, words := range e.Words {
		if words != "" {
			doc[name] = words
			size += 4 * len(words)
		}
	}
	for name, key := range e.Keys {
		if key != "" {
			doc[name] = key
		}
	}
	var facets []string
	for name, values := range e.Facets {
		for _, v := range values {
			facets = append(facets, facetTerm(name, v))
		}
	}
	doc[fieldFacets] = facets
	return doc, size, nil
}

// facetTerm is a value of a facet field as one token. All fields share one
// column of the index: the columns that are read for each hit are most of the
// cost of a search.
func facetTerm(field, value string) string { return field + "=" + value }

// sortableInt writes a number so that texts sort as the numbers do.
func sortableInt(n int64) string {
	return fmt.Sprintf("%016x", uint64(n)^(1<<63))
}

// parseSignals reads fieldSignals.
func parseSignals(s []byte) (quality float64, updated int64, err error) {
	if len(s) != 32 {
		return 0, 0, fmt.Errorf("search index: signals %q are not 32 digits", s)
	}
	q, err := strconv.ParseUint(string(s[:16]), 16, 64)
	if err != nil {
		return 0, 0, err
	}
	u, err := strconv.ParseUint(string(s[16:]), 16, 64)
	return math.Float64frombits(q), int64(u ^ (1 << 63)), err
}
