package api_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"appstore/api/client"
	"appstore/search"
)

// Completions need a word: signs alone have none, rather than everything. More
// words than a query may have are refused.
func TestSuggestNeedsWords(t *testing.T) {
	p := embedded(t)
	p.publish(bundle("Alone", "1.0.0"), bundleFiles(t, "Alone", "1.0.0")...)
	eventually(t, "it is found", func() bool { return strings.Contains(p.get("/api/v1/plugins?q=alone").text, `"name":"Alone"`) })
	for text, want := range map[string]int{"al": 1, `"`: 0, "-": 0, " * ": 0, "": 0, strings.Repeat("alone ", search.MaxTerms): 1} {
		res := p.get("/api/v1/suggest?q=" + url.QueryEscape(text))
		var list client.List[client.Suggestion]
		if err := json.Unmarshal([]byte(res.text), &list); err != nil || res.StatusCode != 200 || len(list.Items) != want || list.Total != want {
			t.Errorf("%q: %d %s; want %d completions", text, res.StatusCode, res.text, want)
		}
	}
	res := p.get("/api/v1/suggest?q=" + url.QueryEscape(strings.Repeat("a ", search.MaxTerms+1)))
	if e := problemIn(t, res); res.StatusCode != 400 || e.Code != "bad-parameter" || !strings.Contains(e.Detail, "30") {
		t.Errorf("too many words: %d %s", res.StatusCode, res.text)
	}
}
