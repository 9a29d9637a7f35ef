package elastic_test

import (
	"net/http"
	"testing"

	"appstore/search"
	"appstore/search/searchtest"
)

// Raw is Elasticsearch's own multi_match of any of the words, in all text
// fields, for the same number of hits with their documents, scored by BM25.
func BenchmarkSearch(b *testing.B) {
	s := plain(b)
	searchtest.Bench(b, func(b *testing.B) (search.Index, func(string) error) {
		prefix := s.prefix(b)
		return s.open(b, prefix), func(words string) error {
			s.do(b, http.MethodPost, "/"+prefix+"*/_search", map[string]any{
				"size": 21, "track_total_hits": true,
				"query": map[string]any{"multi_match": map[string]any{"query": words, "fields": search.TextFields(), "type": "most_fields"}},
			})
			return nil
		}
	})
}
