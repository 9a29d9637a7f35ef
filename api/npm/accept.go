package npm

import (
	"mime"
	"strconv"
	"strings"
)

// WantsAbbreviated tells whether an Accept header asks for the abbreviated
// packument at least as much as for JSON (RFC 9110, section 12.5.1).
func WantsAbbreviated(accept string) bool {
	short, full := 0.0, 0.0
	for one := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch media {
		case Abbreviated:
			short = max(short, weight)
		case "application/json":
			full = max(full, weight)
		}
	}
	return short > 0 && short >= full
}
