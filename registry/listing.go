package registry

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// Limits of a listing: what CloudLaunch can hold, and what a page can show.
const (
	maxTitle   = 60  // runes
	maxSummary = 140 // runes
	maxURL     = 2048
	maxLabel   = 30 // runes
	maxSource  = 256 << 10
)

var statuses = []string{"", "LIVE", "DEV", "CERTIFICATION"}

func (l Listing) check() error {
	for _, f := range []struct {
		name, value string
		most        int
	}{{"title", l.Title, maxTitle}, {"summary", l.Summary, maxSummary}, {"icon", l.Icon, maxURL}} {
		if n := utf8.RuneCountInString(f.value); n > f.most || !utf8.ValidString(f.value) {
			return fail(InvalidRequest, "shorten it", "the listing's %s has %d characters; at most %d are allowed", f.name, n, f.most)
		}
	}
	if !slices.Contains(statuses, l.Status) {
		return fail(InvalidRequest, "use LIVE, DEV or CERTIFICATION", "the listing's status is %q", l.Status)
	}
	if len(l.Labels) > MaxReleases {
		return fail(InvalidRequest, "", "the listing has %d labels; at most %d are allowed", len(l.Labels), MaxReleases)
	}
	for _, label := range l.Labels {
		if utf8.RuneCountInString(label) > maxLabel {
			return fail(InvalidRequest, "shorten it", "the listing's label %q is longer than %d characters", label, maxLabel)
		}
	}
	if len(l.Source) > maxSource {
		return fail(TooLarge, "", "the listing's source has %d bytes; at most %d are allowed", len(l.Source), maxSource)
	}
	if len(l.Source) > 0 && !json.Valid(l.Source) {
		return fail(InvalidRequest, "", "the listing's source is not JSON")
	}
	return nil
}

func (l Listing) equal(m Listing) bool {
	a, errA := json.Marshal(l)
	b, errB := json.Marshal(m)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
