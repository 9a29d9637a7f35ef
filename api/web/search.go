package web

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"appstore/api/client"
)

// facets are the filters of the search page, in the order shown, with how many
// values of each.
var facets = []struct {
	field, label string
	most         int
	always       bool // also with one value only
}{
	{"category", "Category", 12, true},
	{"interface", "Interface", 6, true},
	{"tag", "Tag", 14, true},
	{"maintainer", "Maintainer", 8, false},
	{"trust", "Trust", 5, false},
	{"status", "Status", 5, false},
}

// Search is a page of hits as the API answers it, and the parameters that were
// asked for.
type Search struct {
	Asked url.Values
	Found client.List[client.Hit]
}

type facet struct {
	Label  string
	Values []facetValue
}

type facetValue struct {
	Value    string
	Count    int
	Selected bool
	Link     string // adds the value, or takes it away
}

type filter struct{ Label, Value, Link string }

type sort struct {
	Label   string
	Link    string
	Current bool
}

// unmarked takes Markdown's marks out of an excerpt.
var unmarked = strings.NewReplacer("**", "", "__", "", "`", "", "#", "")

type hit struct {
	client.Hit
	Link    string
	Excerpt []client.Fragment // of the description, if only that matched
}

// Search makes the page with the search box and what was found.
func (p *Pages) Search(s Search) ([]byte, error) {
	v := struct {
		Search
		Hits        []hit
		Facets      []facet
		Filters     []filter
		Sorts       []sort
		Hidden      []filter // what the search box sends along: Label is the parameter
		First, Next string
		Clear       string
	}{Search: s}
	for _, h := range s.Found.Items {
		one := hit{Hit: h, Link: p.at("/plugins/"+url.PathEscape(h.ID), nil)}
		if h.Highlights["title"] == nil && h.Highlights["name"] == nil && h.Highlights["summary"] == nil {
			for _, f := range h.Highlights["description"] {
				f.Text = unmarked.Replace(f.Text)
				one.Excerpt = append(one.Excerpt, f)
			}
		}
		v.Hits = append(v.Hits, one)
	}
	asked := maps.Clone(s.Asked)
	delete(asked, "after")
	for _, f := range facets {
		chosen := asked[f.field]
		counts := s.Found.Facets[f.field]
		shown := facet{Label: f.label}
		for i, n := range counts {
			selected := slices.Contains(chosen, n.Value)
			if i < f.most || selected {
				shown.Values = append(shown.Values, facetValue{n.Value, n.Count, selected, p.at("/", toggled(asked, f.field, n.Value))})
			}
		}
		for _, value := range chosen {
			if value == "" {
				continue
			}
			v.Filters = append(v.Filters, filter{f.label, value, p.at("/", toggled(asked, f.field, value))})
			v.Hidden = append(v.Hidden, filter{Label: f.field, Value: value})
		}
		if len(shown.Values) > 1 || len(shown.Values) == 1 && (f.always || len(chosen) > 0) {
			v.Facets = append(v.Facets, shown)
		}
	}
	query := s.Asked.Get("q")
	for _, one := range []struct{ key, label string }{{"relevance", "Best match"}, {"name", "Name"}, {"updated", "Newest"}, {"downloads", "Most downloaded"}} {
		with := set(asked, "sort", one.key)
		if one.key == "relevance" {
			with.Del("sort")
		}
		current := asked.Get("sort")
		v.Sorts = append(v.Sorts, sort{one.label, p.at("/", with), current == one.key || current == "" && one.key == "relevance"})
	}
	if order := asked.Get("sort"); order != "" {
		v.Hidden = append(v.Hidden, filter{Label: "sort", Value: order})
	}
	if s.Found.Next != "" {
		v.Next = p.at("/", set(asked, "after", s.Found.Next))
	}
	if s.Asked.Get("after") != "" {
		v.First = p.at("/", asked)
	}
	clean := url.Values{}
	if query != "" {
		clean.Set("q", query)
	}
	v.Clear = p.at("/", clean)
	title := "Plugins"
	if query != "" {
		title = query + " – " + strconv.Itoa(s.Found.Total) + " found"
	}
	return p.render("search", page{Title: title, Query: query, Home: true, View: v})
}

func set(v url.Values, key, value string) url.Values {
	w := maps.Clone(v)
	w.Set(key, value)
	return w
}

// toggled adds a value of a filter, or takes it away if it is there.
func toggled(v url.Values, key, value string) url.Values {
	w := maps.Clone(v)
	values := slices.Clone(v[key])
	if i := slices.Index(values, value); i >= 0 {
		values = slices.Delete(values, i, i+1)
	} else {
		values = append(values, value)
	}
	if len(values) == 0 {
		delete(w, key)
	} else {
		w[key] = values
	}
	return w
}
