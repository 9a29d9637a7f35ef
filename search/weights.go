package search

import (
	"math"
	"strings"
	"time"
)

// The fields that words are searched in, in the order of their weight.
var textFields = []textField{
	{name: "name", weight: 100, typos: true, prefix: 2, complete: true},
	{name: "title", weight: 80, typos: true, prefix: 2, complete: true},
	{name: "tags", weight: 50, typos: true, prefix: 3},
	{name: "categories", weight: 40, typos: true, prefix: 3},
	{name: "summary", weight: 30, typos: true},
	{name: "maintainer", weight: 20},
	{name: "description", weight: 10},
}

type textField struct {
	name     string
	weight   int  // the score of one term that is found in the field as written
	typos    bool // whether misspelled words may match here; elsewhere they are noise
	prefix   int  // characters from which on a word may match by its beginning; 0: never
	complete bool // whether Query.Complete is looked for here
}

// How a term matched, and how many percent of the field's weight that is
// worth. All products are whole numbers, so that both engines add them up
// without rounding.
const (
	percentExact   = 100
	percentSynonym = 70
	percentPrefix  = 60
	percentTypo1   = 50
	percentTypo2   = 30
)

// The bonus of a query that is, as a whole, a name or its beginning: so many
// times what its terms could score by all fields together. With signals that
// at most double a score, an exact name stands before a name that begins with
// the query, and that before everything else.
const (
	bonusName        = 10
	bonusTitle       = 3
	bonusNamePrefix  = 2
	bonusTitlePrefix = 1
)

// Typos allowed by the length of the word in characters. A longer word than
// typoLongest is a name pasted or a code, not a word misspelled. The cost of a
// look-up grows with its length, and so does what a search for nothing costs.
const (
	typo1Length = 5
	typo2Length = 8
	typoLongest = 20
)

// How much of a query is looked for loosely: the largest number of words for
// which typos and synonyms are looked for at all, the number of words that are
// looked for with typos (the first that are long enough), and the number of
// other ways to say one word, and all of them.
const (
	looseWords = 12
	typoWords  = 6
	otherWays  = 16
	allWays    = 96
)

// baseScore is the text score of every hit when there are no terms.
const baseScore = 100

// trustFactors: what a review is worth. Levels that are not listed count as 1.
var trustFactors = map[string]float64{
	"untrusted": 1,
	"community": 1.05,
	"reviewed":  1.1,
	"trusted":   1.15,
	"verified":  1.15,
	"official":  1.2,
}

// Adoption: a tenth of maxAdoption for each doubling, full at about 100,000
// downloads. Freshness: MaxFreshness for what was updated now, half of that after
// HalfFreshness days, never below 1.
const (
	maxAdoption   = 0.4
	fullAdoption  = 100_000
	MaxFreshness  = 0.15
	HalfFreshness = 180.0
)

// Signals are the factors that multiply a text score.
type Signals struct {
	Trust, Adoption, Freshness float64
}

// SignalsOf is the one function that says what signals a plugin has at a time.
func SignalsOf(d Doc, now time.Time) Signals {
	trust, ok := trustFactors[strings.ToLower(d.Trust)]
	if !ok {
		trust = 1
	}
	// Rounded, so that it is the same number wherever it was computed.
	adoption := math.Min(1, math.Log1p(float64(d.Downloads))/math.Log1p(fullAdoption))
	return Signals{
		Trust:     trust,
		Adoption:  math.Round((1+maxAdoption*adoption)*1e4) / 1e4,
		Freshness: freshness(d.Updated.UnixMicro(), now.UnixMicro()),
	}
}

// Quality is what does not change with time; it is stored in the index.
func (s Signals) Quality() float64 { return s.Trust * s.Adoption }

// freshness is 1 for what is very old, 1+MaxFreshness for what is new; times are in
// microseconds since 1970.
func freshness(updated, now int64) float64 {
	days := math.Max(0, float64(now-updated)/DayMicros)
	return 1 + MaxFreshness/(1+days/HalfFreshness)
}

const DayMicros = 86_400_000_000.0

// Score is the one formula both engines rank by: the text score times the
// signals, rounded to 4 significant digits so that ties are ties. It uses
// only operations that IEEE 754 defines to the last bit.
func Score(text, quality float64, updated, now int64) float64 {
	return round4(text * quality * freshness(updated, now))
}

// round4 rounds a positive number to 4 significant digits.
func round4(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return 0
	}
	p := 1.0
	for x*p < 1000 {
		p *= 10
	}
	q := 1.0
	for x/q >= 10_000 {
		q *= 10
	}
	return math.RoundToEven(x*p/q) * q / p
}
