package elastic

import (
	"encoding/json"
	"strconv"
	"strings"

	"appstore/search"
)

// scoreScript is search.Score in Painless, operation by operation: both work
// in IEEE 754 doubles, so both give the same number. It runs for every hit, and
// each parameter is a look-up in a map then: what never changes is written out.
func scoreScript(text string) string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) + "d" }
	return strings.NewReplacer("TEXT", text, "DAY", number(search.DayMicros), "FRESH", number(search.MaxFreshness), "HALF", number(search.HalfFreshness)).Replace(`
double days = Math.max(0.0, (double)(params.now - doc['updated'].value) / DAY);
double x = TEXT * doc['quality'].value * (1 + FRESH / (1 + days / HALF));
if (!(x > 0)) { return 0 }
double p = 1; while (x * p < 1000) { p *= 10 }
double q = 1; while (x / q >= 10000) { q *= 10 }
return Math.rint(x * p / q) * q / p;
`)
}

// The scripts for a query with terms, and without.
var (
	scoreOfTerms = scoreScript("(double)_score")
	scoreOfBase  = scoreScript("params.base")
)

// script is the one for a plan. A number of base is a double for Painless only
// with a point.
func script(p *search.Plan) object {
	if p.Base > 0 {
		return object{"source": scoreOfBase, "params": object{"now": p.Now, "base": json.Number(strconv.FormatFloat(p.Base, 'f', 1, 64))}}
	}
	return object{"source": scoreOfTerms, "params": object{"now": p.Now}}
}

// searchBody is the request for a page of a plan; meant are the tokens that its
// look-ups with typos find.
func searchBody(p *search.Plan, meant map[typo][]string) object {
	// The score is in every order, so that it comes with the hits: to ask for
	// it beside the order computes it twice. A name is there only once, so what
	// is sorted by behind it changes nothing, and a cursor may have any value.
	byName, byScore := object{fieldName: "asc"}, object{"_score": "desc"}
	sort := []object{byScore, byName}
	var after []any
	if c := p.After; c != nil {
		after = []any{c.Score, c.Name}
	}
	switch p.Sort {
	case search.ByName:
		sort = []object{byName, byScore}
		if c := p.After; c != nil {
			after = []any{c.Name, 0}
		}
	case search.ByUpdated:
		sort = []object{{fieldUpdated: "desc"}, byName, byScore}
		if c := p.After; c != nil {
			after = []any{c.Updated, c.Name, 0}
		}
	case search.ByDownloads:
		sort = []object{{fieldDownloads: "desc"}, byName, byScore}
		if c := p.After; c != nil {
			after = []any{c.Downloads, c.Name, 0}
		}
	}
	body := object{
		"size":             p.Limit + 1,
		"track_total_hits": true,
		"timeout":          searchTimeout.String(),
		"sort":             sort,
		"aggs":             facets(),
		"query": object{"script_score": object{
			"query":  boolQuery(p, meant),
			"script": script(p),
		}},
	}
	if after != nil {
		body["search_after"] = after
	}
	return body
}

// scoreAt is where the score is among the values that hits are sorted by.
func scoreAt(p *search.Plan, values int) int {
	if p.Sort == search.ByRelevance {
		return 0
	}
	return values - 1
}

// facets are counted by Elasticsearch's own order: the largest counts first,
// then by value.
func facets() object {
	aggs := object{}
	for _, field := range search.Facets {
		aggs[field] = object{"terms": object{
			"field": search.FacetPrefix + field,
			"size":  search.FacetValues,
		}}
	}
	return aggs
}

func boolQuery(p *search.Plan, meant map[typo][]string) object {
	must, not := []object{}, []object{}
	filter := []object{{"term": object{fieldVisible: true}}}
	for _, f := range p.Filters {
		terms := object{"terms": object{search.FacetPrefix + f.Field: f.Values}}
		if f.Not {
			not = append(not, terms)
		} else {
			filter = append(filter, terms)
		}
	}
	for _, c := range p.MustNot {
		for _, g := range c.Groups {
			for _, l := range g {
				not = append(not, leaf(l))
			}
		}
	}
	for _, c := range p.Must {
		groups := []object{}
		for _, g := range c.Groups {
			groups = append(groups, best(g, meant))
		}
		if len(groups) == 0 {
			must = append(must, object{"match_none": object{}})
			continue
		}
		must = append(must, object{"bool": object{"should": groups, "minimum_should_match": 1}})
	}
	q := object{"filter": filter, "must": must, "must_not": not}
	if len(p.Bonus) > 0 {
		q["should"] = []object{best(p.Bonus, nil)}
		q["minimum_should_match"] = 0
	}
	return object{"bool": q}
}

// best is worth the best leaf that matches. What a leaf would find that a
// better one finds already is left out.
func best(g search.Group, meant map[typo][]string) object {
	var leaves []object
	var last search.Leaf
	var tokens []string // of one or more leaves like last
	flush := func() {
		switch len(tokens) {
		case 0:
			return
		case 1:
			leaves = append(leaves, constant(object{"term": object{last.Field: object{"value": tokens[0]}}}, last.Score))
		default:
			leaves = append(leaves, constant(object{"terms": object{last.Field: tokens}}, last.Score))
		}
		tokens = nil
	}
	found := map[string]bool{}
	for _, l := range g {
		var these []string
		switch l.Op {
		case search.Equals:
			these = l.Tokens
		case search.Fuzzy:
			these = meant[typo{l.Tokens[0], l.Edits}]
		default:
			leaves = append(leaves, constant(leaf(l), l.Score))
			continue
		}
		if l.Field != last.Field || l.Score != last.Score {
			flush()
		}
		last = l
		for _, t := range these {
			if key := l.Field + " " + t; !found[key] {
				found[key] = true
				tokens = append(tokens, t)
			}
		}
	}
	flush()
	if len(leaves) == 1 {
		return leaves[0]
	}
	return object{"dis_max": object{"queries": leaves, "tie_breaker": 0}}
}

func constant(query object, score int) object {
	return object{"constant_score": object{"filter": query, "boost": score}}
}

// leaf looks one thing up. The rewrite makes look-ups by prefix complete:
// without it Elasticsearch stops after 50 words.
func leaf(l search.Leaf) object {
	switch l.Op {
	case search.Prefix:
		return object{"prefix": object{l.Field: object{"value": l.Tokens[0], "rewrite": "constant_score"}}}
	case search.Phrase:
		return object{"match_phrase": object{l.Field: object{"query": strings.Join(l.Tokens, " ")}}}
	}
	return object{"term": object{l.Field: object{"value": l.Tokens[0]}}}
}
