package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer that says no: a problem document of RFC 9457.
type Error struct {
	Type      string    `json:"type"` // a URN that ends in Code
	Title     string    `json:"title"`
	Status    int       `json:"status"` // of HTTP
	Detail    string    `json:"detail,omitempty"`
	Code      string    `json:"code"` // stable; "" when the answer did not come from an AppStore
	Fix       string    `json:"fix,omitempty"`
	RequestID string    `json:"request_id,omitempty"` // to look it up in the server's log
	Problems  []Problem `json:"problems,omitempty"`

	RetryAfter time.Duration `json:"-"` // from the header; 0: not said
}

func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = e.Title
	}
	if e.Fix != "" {
		s += " (" + e.Fix + ")"
	}
	if e.Status >= 500 && e.RequestID != "" {
		s += " [request " + e.RequestID + "]"
	}
	return s
}

// Unreachable is the error of a server that can't be reached, or whose answer
// broke off: whether a write took place is unknown.
type Unreachable struct {
	URL string // of the server
	Err error
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("can't reach the AppStore at %s: %v", e.URL, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// maxProblem bounds how much of a bad answer is read, in bytes.
const maxProblem = 4 << 20

// problem makes an Error of an answer that is not 2xx.
func problem(r *http.Response) *Error {
	e := &Error{}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxProblem))
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/problem+json" || json.Unmarshal(body, e) != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
		if len(first) > 200 || strings.HasPrefix(first, "<") {
			first = ""
		}
		e = &Error{
			Type: "about:blank", Title: http.StatusText(r.StatusCode),
			Detail: strings.TrimSpace(fmt.Sprintf("the server answered %s %s", r.Status, first)),
			Fix:    "is this the address of an AppStore?",
		}
	}
	e.Status = r.StatusCode
	e.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	return e
}

// retryAfter reads both forms of the header (RFC 9110, section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
