package pip

import (
	"strconv"
	"strings"

	"appstore/registry"
)

// Form is how a page is written: its media type.
type Form string

// The forms of PEP 691. The two of HTML have the same bytes.
const (
	JSON     Form = "application/vnd.pypi.simple.v1+json"
	HTML     Form = "application/vnd.pypi.simple.v1+html"
	TextHTML Form = "text/html"
)

// forms by our preference, where a client has none.
var forms = []Form{JSON, HTML, TextHTML}

// NotAcceptable is the code of a request for a form that there is not.
const NotAcceptable registry.Code = "not-acceptable"

// ContentType is the form as the header of that name has it.
func (f Form) ContentType() string {
	if f == JSON {
		return string(f)
	}
	return string(f) + "; charset=utf-8"
}

// Negotiate chooses the form by the parameter format, else by the header
// Accept with its weights (RFC 9110, section 12.5.1). Nothing, or anything, is
// text/html, as PEP 691 recommends.
func Negotiate(accept, format string) (Form, error) {
	if format != "" {
		if f, ok := formOf(format); ok {
			return f, nil
		}
		return "", notAcceptable("format", format)
	}
	if strings.TrimSpace(accept) == "" {
		return TextHTML, nil
	}
	best, most, exactly := Form(""), 0.0, false
	for _, f := range forms {
		q, exact := weight(accept, f)
		// Of equals, one that is named goes before one that a wildcard has, and
		// of those the last: text/html.
		if q > most || q == most && q > 0 && !exactly && (exact || f == TextHTML) {
			best, most, exactly = f, q, exact
		}
	}
	if best == "" {
		return "", notAcceptable("header Accept", accept)
	}
	return best, nil
}

func notAcceptable(what, value string) error {
	return &registry.Error{
		Code:   NotAcceptable,
		Detail: "the " + what + " asks for " + strconv.Quote(shortened(value)) + ", which this index does not write",
		Fix:    "ask for " + string(JSON) + ", " + string(HTML) + " or " + string(TextHTML),
	}
}

func shortened(s string) string {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return s
}

// formOf knows the forms and their names without a version.
func formOf(media string) (Form, bool) {
	media = strings.Replace(strings.ToLower(strings.TrimSpace(media)), "pypi.simple.latest+", "pypi.simple.v1+", 1)
	for _, f := range forms {
		if media == string(f) {
			return f, true
		}
	}
	return "", false
}

// weight is what Accept gives a form: that of the most specific range that
// covers it. exact: that range names it.
func weight(accept string, f Form) (q float64, exact bool) {
	kind, _, _ := strings.Cut(string(f), "/")
	closest := 0
	for one := range strings.SplitSeq(accept, ",") {
		media, params, _ := strings.Cut(one, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		near := 0
		if named, ok := formOf(media); ok && named == f {
			near = 3
		} else if media == kind+"/*" {
			near = 2
		} else if media == "*/*" {
			near = 1
		}
		w := quality(params)
		switch {
		case near == 0 || near < closest:
		case near > closest:
			closest, q = near, w
		default:
			q = max(q, w)
		}
	}
	return q, closest == 3
}

// quality is the parameter q, 1 without it; one that can't be read counts as 0.
func quality(params string) float64 {
	for one := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(one, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
