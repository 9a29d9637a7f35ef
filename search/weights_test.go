package search

import (
	"math"
	"testing"
	"time"
)

// The order that the bonuses promise holds for all signals: an exact name
// before a name that begins with the query, that before everything else.
func TestBonusesDecide(t *testing.T) {
	most := 1.0
	for _, f := range trustFactors {
		most = math.Max(most, f)
	}
	most *= (1 + maxAdoption) * (1 + MaxFreshness)
	sum := 0
	for _, f := range textFields {
		sum += f.weight
	}
	unit := float64(sum)
	name := float64(textFields[0].weight)
	exact := bonusName*unit + name
	begins := math.Max(bonusTitle, bonusNamePrefix)*unit + unit
	if exact <= begins*most {
		t.Errorf("an exact name is worth %g, another may reach %g", exact, begins*most)
	}
	least := bonusNamePrefix*unit + name*percentPrefix/100
	if least <= unit*most {
		t.Errorf("the beginning of a name is worth %g, other fields may reach %g", least, unit*most)
	}
	if top := float64(MaxTerms) * unit * (bonusName + 1); top >= 1<<24 {
		t.Errorf("a text score may be %g, which a 32-bit float does not hold exactly", top)
	}
}

// Everything is a whole number, so that sums are exact.
func TestWeightsAreWhole(t *testing.T) {
	for _, f := range textFields {
		for _, percent := range []int{percentExact, percentSynonym, percentPrefix, percentTypo1, percentTypo2} {
			if f.weight*percent%100 != 0 {
				t.Errorf("%s: %d %% of %d is no whole number", f.name, percent, f.weight)
			}
		}
	}
}

func TestSignals(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	of := func(d Doc) Signals { return SignalsOf(d, now) }
	if s := of(Doc{Trust: "Official", Downloads: 1 << 60, Updated: now.AddDate(1, 0, 0)}); s != (Signals{1.2, 1.4, 1.15}) {
		t.Errorf("the best signals are %+v", s)
	}
	if s := of(Doc{Trust: "no such level", Updated: now.AddDate(0, 0, -180)}); s != (Signals{1, 1, 1.075}) {
		t.Errorf("after half a year: %+v", s)
	}
	last := 0.0
	for _, n := range []uint64{0, 1, 10, 1000, 100_000, 1 << 63} {
		a := of(Doc{Downloads: n}).Adoption
		if a < last || a > 1+maxAdoption {
			t.Errorf("%d downloads: adoption %g after %g", n, a, last)
		}
		last = a
	}
}

func TestRound4(t *testing.T) {
	for in, want := range map[float64]float64{
		0: 0, -1: 0, 1: 1, 1234.4: 1234, 12345: 12340, 12355: 12360, 0.00012345: 0.0001234, 99995: 100000, 31.49999: 31.5, math.Inf(1): 0, math.NaN(): 0,
	} {
		if got := round4(in); math.Abs(got-want) > want*1e-12 {
			t.Errorf("round4(%g) = %g, want %g", in, got, want)
		}
	}
}
