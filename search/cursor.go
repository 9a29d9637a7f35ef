package search

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
)

// Cursor is the last hit of a page; the next page begins after it. On the
// wire it is base64 of JSON. It is not signed: who alters it sees another
// page of the same public list.
type Cursor struct {
	Hash      string  `json:"h"`           // of the query, sort order included
	Score     float64 `json:"s,omitempty"` // the key of ByRelevance
	Updated   int64   `json:"u,omitempty"` // the key of ByUpdated
	Downloads int64   `json:"d,omitempty"` // the key of ByDownloads
	Name      string  `json:"n"`
	Now       int64   `json:"t"` // the time of the first page: scores don't change while paging
}

// String is the form for Query.After.
func (c Cursor) String() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers are finite, texts always encode
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// latest is the end of the year 9999, in microseconds since 1970.
const latest = 253_402_300_800_000_000

func parseCursor(s string, p *Plan) (*Cursor, error) {
	var c Cursor
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return nil, ErrCursor
	}
	if c.Hash != p.Hash || c.Name == "" || len(c.Name) > 400 || math.Abs(c.Score) > math.MaxFloat32 || c.Downloads < 0 {
		return nil, ErrCursor
	}
	for _, t := range []int64{c.Now, c.Updated} {
		if t > latest || t < -latest {
			return nil, ErrCursor
		}
	}
	return &c, nil
}

// hashQuery is of all that selects and orders hits; not of limit and explain.
func hashQuery(q Query, p *Plan) string {
	data, err := json.Marshal(struct {
		Terms    []Term
		Filters  []Filter
		Complete string
		Sort     string
	}{q.Terms, p.Filters, q.Complete, p.Sort})
	if err != nil {
		panic(err) // texts and bools always encode
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// Found is what an engine found of one document.
type Found struct {
	Doc   Doc
	Score float64
}

// Result makes the page of what an engine found, in order. The engine looks
// for Limit+1 documents, so that the end is known; of the last one it needs to
// know nothing else.
func (p *Plan) Result(found []Found, total int, facets map[string][]Count) *Result {
	r := &Result{Total: total, Facets: facets, Hits: []Hit{}}
	for i, f := range found {
		if i == p.Limit {
			last := r.Hits[i-1]
			r.Next = Cursor{
				Hash: p.Hash, Score: last.Score, Updated: last.Doc.Updated.UnixMicro(), Downloads: downloads(last.Doc),
				Name: last.Doc.Name, Now: p.Now,
			}.String()
			break
		}
		r.Hits = append(r.Hits, p.hit(f))
	}
	return r
}
