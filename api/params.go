package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// param is the decoded value of a path parameter. Echo takes parameters from
// URL.RawPath when that is set, so they are percent-encoded then ("%5E1.2" for
// "^1.2", "@s%2Fn" for "@s/n"), and decoded otherwise. No other code calls
// c.Param.
func param(c echo.Context, name string) (string, error) {
	v := c.Param(name)
	if c.Request().URL.RawPath != "" {
		decoded, err := url.PathUnescape(v)
		if err != nil {
			return "", fail(codeBadPath, `write "%" as "%25"`, "the %s in the path, %q, is not percent-encoded correctly", name, v)
		}
		v = decoded
	}
	if v == "" || len(v) > maxParam || !utf8.ValidString(v) || strings.IndexFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return "", fail(codeBadPath, "", "the %s in the path, %.60q, must have 1 to %d bytes of UTF-8 without control characters", name, v, maxParam)
	}
	return v, nil
}

// maxParam is the length of the longest path parameter, in bytes: that of a
// file name.
const maxParam = 255

// queryOf gives the query parameters. One that the route does not know is an
// error, as a misspelt filter that does nothing would answer another question
// than was asked.
func queryOf(c echo.Context, known ...string) (url.Values, error) {
	v, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, fail(codeBadParameter, `percent-encode the values, ";" too`, "the query of the URL can't be read: %v", err)
	}
	for name := range v {
		if slices.Contains(known, name) {
			continue
		}
		fix := "this route takes no parameters"
		if near := nearest(name, known); near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		} else if len(known) > 0 {
			fix = "this route takes: " + strings.Join(known, ", ")
		}
		return nil, fail(codeBadParameter, fix, "there is no parameter %.60q", name)
	}
	return v, nil
}

// single gives a parameter that may be given once.
func single(v url.Values, name string) (string, error) {
	if len(v[name]) > 1 {
		return "", fail(codeBadParameter, "give it once", "the parameter %q is given %d times", name, len(v[name]))
	}
	return v.Get(name), nil
}

// number reads a parameter between least and most; otherwise is its default.
func number(v url.Values, name string, least, most, otherwise int) (int, error) {
	text, err := single(v, name)
	if err != nil || text == "" {
		return otherwise, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fail(codeBadParameter, "", "the parameter %q is %.40q; it must be a number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// choice reads a parameter that is one of a few words.
func choice(v url.Values, name string, words ...string) (string, error) {
	text, err := single(v, name)
	if err != nil || text == "" || slices.Contains(words, text) {
		return text, err
	}
	fix := ""
	if near := nearest(text, words); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	return "", fail(codeBadParameter, fix, "the parameter %q is %.40q; it must be one of %s", name, text, strings.Join(words, ", "))
}

// nearest is the word that is at most two edits (a third of it for short ones)
// away, or "".
func nearest(s string, words []string) string {
	best, least := "", 3
	if len(s) > 40 {
		return ""
	}
	for _, w := range words {
		if d := distance(strings.ToLower(s), w); d < least && d <= max(1, len(w)/3) {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
