package search

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Errors of an Index. Test with errors.Is.
var (
	// ErrUnavailable: the engine can't be reached or refuses work; try later.
	ErrUnavailable = errors.New("search is unavailable")
	// ErrCursor: the cursor is not one of this query.
	ErrCursor = errors.New("the cursor does not belong to this query")
)

// Mark names one entry of the journal: everything up to it is in the index.
type Mark struct {
	Position uint64 // 0: before the first entry
	Digest   string // sha256 of that entry, in hex; "" at position 0
}

// Doc is one plugin as it is searched. Texts are as published: the index
// makes word parts and lower case of them itself.
type Doc struct {
	Position    uint64    `json:"position"` // of the last entry that changed the plugin; newer replaces older
	Name        string    `json:"name"`     // normalised name: the identity
	Spelling    string    `json:"spelling"` // the name as published
	Title       string    `json:"title,omitempty"`
	Summary     string    `json:"summary,omitempty"`
	Description string    `json:"description,omitempty"` // Markdown
	Maintainer  string    `json:"maintainer,omitempty"`
	Version     string    `json:"version"`         // of the release that no ref means
	Label       string    `json:"label,omitempty"` // of the same release
	Icon        string    `json:"icon,omitempty"`  // URL; shown, not searched
	Categories  []string  `json:"categories,omitempty"`
	Tags        []string  `json:"tags,omitempty"`
	Interfaces  []string  `json:"interfaces,omitempty"`
	Trust       string    `json:"trust"`            // "untrusted" until reviewed
	Status      string    `json:"status,omitempty"` // the listing's: LIVE, DEV, CERTIFICATION; "" counts as LIVE
	Downloads   uint64    `json:"downloads"`        // adoption, for ranking and ByDownloads
	Updated     time.Time `json:"updated"`
	Hidden      bool      `json:"hidden,omitempty"` // found by no search; there is no delete
}

// Facets are the fields that can be filtered and counted, in the order shown.
var Facets = []string{"category", "tag", "interface", "maintainer", "trust", "status"}

// Sort orders.
const (
	ByRelevance = "relevance" // the default; without terms: by signals, then name
	ByName      = "name"
	ByUpdated   = "updated"   // newest first; ties by name
	ByDownloads = "downloads" // most first; ties by name
)

// Sorts are all sort orders.
var Sorts = []string{ByRelevance, ByName, ByUpdated, ByDownloads}

// MaxLimit is the largest page of hits, FacetValues the largest number of
// values that are counted of one facet field.
const (
	MaxLimit    = 100
	FacetValues = 50
)

// Query is a parsed query. Parse makes it from text; the filters of a URL are
// added to Filters.
type Query struct {
	Terms    []Term
	Filters  []Filter  // AND of all; the values within one are OR
	Complete string    // if set: completions of this prefix of a name or title, instead of Terms; without words it has none
	Sort     string    // "" is ByRelevance
	Limit    int       // 1 to MaxLimit; 0 means 20
	After    string    // cursor: Result.Next of the page before
	Explain  bool      // fill Hit.Explain
	Now      time.Time // for freshness; zero means the time of the call
}

// Term is a word or a phrase that a hit must (or, with Not, must not) have.
type Term struct {
	Text   string
	Phrase bool // the words in this order, no typos allowed
	Not    bool
}

// Filter selects by a facet field.
type Filter struct {
	Field  string // one of Facets
	Values []string
	Not    bool
}

// Result is one page of hits.
type Result struct {
	Hits   []Hit
	Total  int                // all hits, not only this page's
	Facets map[string][]Count // by field, counted under all filters; the largest counts first
	Next   string             // cursor of the next page; "" at the end
}

// Count is one value of a facet field.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Hit is one plugin found.
type Hit struct {
	Doc        Doc                   // as it was put
	Score      float64               // rounded to 4 significant digits; ties are broken by name
	Highlights map[string][]Fragment // by field: name, title, summary, description
	Explain    []Reason              // only when asked for
}

// Fragment is a piece of highlighted text, never HTML.
type Fragment struct {
	Text  string `json:"text"`
	Match bool   `json:"match"`
}

// Reason says what one field or signal contributed to a score.
type Reason struct {
	Source string  `json:"source"`          // a field, or a signal: "trust", "adoption", "freshness"; "base" when there are no terms
	Term   string  `json:"term,omitempty"`  // the term that matched in the field
	Match  string  `json:"match,omitempty"` // how: exact, synonym, prefix, typo; whole, start: the whole query is the name or begins it
	Value  float64 `json:"value"`           // of a field: the score added; of a signal: the factor
}

// State is what an index knows of itself.
type State struct {
	Mark
	Docs int // hidden ones included
}

// Index finds plugins. Losing it loses nothing: it is rebuilt from the
// journal's projection. All methods may be called from many goroutines.
type Index interface {
	// Put stores docs by Doc.Name and remembers upTo. A doc whose Position is
	// less than the stored one's is ignored; an equal one overwrites. upTo
	// never goes backwards, and is stored only after all docs are. What was
	// put is found within one second. After an error State says what the index
	// has; another process may have replaced it.
	Put(ctx context.Context, upTo Mark, docs ...Doc) error

	// Search answers a query. It returns ErrCursor for a foreign cursor,
	// ErrQuery for a query that Parse would not make, and ErrUnavailable, fast,
	// while the engine is down.
	Search(ctx context.Context, q Query) (*Result, error)

	// Rebuild makes a new index of docs beside the old one, which serves
	// meanwhile, and then takes its place with State at. When it fails the
	// old one stays.
	Rebuild(ctx context.Context, at Mark, docs iter.Seq2[Doc, error]) error

	// State tells how far the index has come. A new index is at position 0.
	State(ctx context.Context) (State, error)

	Close() error
}
