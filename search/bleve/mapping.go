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
	fieldName     = "id"       // a column
	fieldSignals  = "signals"  // a column: numbers and visibility, as writeSignals writes them
	fieldFacets   = "facets"   // a column, and looked up: all facet values, as facetTerm writes them
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
	add := func(name, analyzer string, index, store, column, positions bool) {
		f := bleve.NewTextFieldMapping()
		f.Analyzer, f.Index, f.Store, f.DocValues, f.IncludeTermVectors, f.IncludeInAll = analyzer, index, store, column, positions, false
		f.SkipFreqNorm = !positions
		m.DefaultMapping.AddFieldMappingsAt(name, f)
	}
	for _, name := range search.TextFields() {
		add(name, "words", true, false, false, true)
	}
	for _, name := range []string{search.NameKey, search.TitleKey} {
		add(name, keyword.Name, true, false, false, false)
	}
	for _, name := range columnFields {
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
		fieldSignals:  writeSignals(e),
		fieldPosition: strconv.FormatUint(d.Position, 10),
		fieldDoc:      string(data),
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

// facetTerm is a value of a facet field as one token.
func facetTerm(field, value string) string { return field + "=" + value }

// writeSignals writes what else is needed of every hit: quality, updated and
// downloads in 16 hex digits each, and whether it is visible.
func writeSignals(e search.Entry) string {
	visible := 0
	if e.Visible {
		visible = 1
	}
	return fmt.Sprintf("%016x%016x%016x%d", math.Float64bits(e.Quality), uint64(e.Updated), uint64(e.Downloads), visible)
}

// readSignals reads what writeSignals wrote.
func (r *row) readSignals(s []byte) error {
	if len(s) != 49 {
		return fmt.Errorf("search index: signals %q are not 49 digits", s)
	}
	var numbers [3]uint64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseUint(string(s[16*i:16*i+16]), 16, 64); err != nil {
			return fmt.Errorf("search index: signals: %w", err)
		}
	}
	r.quality, r.updated, r.downloads = math.Float64frombits(numbers[0]), int64(numbers[1]), int64(numbers[2])
	r.visible = s[48] == '1'
	return nil
}
