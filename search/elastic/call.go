package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// How long one request may take. One that takes longer counts as slow: some in
// a row mean that the cluster is down (slowCalls), as one alone may be its own
// fault. The cluster gives up a search earlier, so that no work goes on for
// callers that wait no more.
const (
	searchTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second // a cold server needs some
	writeTimeout  = 30 * time.Second
)

// maxAnswer bounds what is read of an answer: 101 documents of the largest
// size that the registry lets in.
const maxAnswer = 256 << 20

// apiError is an answer of Elasticsearch that is no success.
type apiError struct {
	Status int
	Type   string // "index_not_found_exception"
	Reason string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("status %d: %s: %s", e.Status, e.Type, e.Reason)
}

// down tells whether the cluster, and not the request, is the problem.
func (e *apiError) down() bool {
	return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable
}

// slow: the request took too long, as a search does for Elasticsearch after
// searchTimeout, or for a proxy before it.
func (e *apiError) slow() bool { return e.Status == http.StatusGatewayTimeout }

// refused: the key is wrong, expired or revoked, or lacks a privilege.
func (e *apiError) refused() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// busy: the request may be repeated somewhat later.
func (e *apiError) busy() bool {
	return e.Status == http.StatusTooManyRequests || e.down() || e.slow()
}

// blocked: the disk is full, or an operator has made the index read-only.
func (e *apiError) blocked() bool { return e.Type == "cluster_block_exception" }

// missing tells whether err says that an index or document is not there.
func missing(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// call does one request, unless the circuit is open, and reads the JSON answer
// into out. Errors are search.ErrUnavailable, an *apiError, or the context's.
func (x *Index) call(ctx context.Context, timeout time.Duration, method, path string, body, out any) error {
	if err := x.circuit.allow(); err != nil {
		return err
	}
	err := x.send(ctx, timeout, method, path, body, out)
	var answer *apiError
	switch {
	case err == nil:
		x.circuit.succeeded()
	case errors.As(err, &answer):
		if answer.blocked() {
			return unavailable(fmt.Errorf("%w (is its disk full?)", err))
		}
		if answer.slow() {
			x.circuit.gaveUp(err)
			return unavailable(err)
		}
		if answer.down() {
			x.circuit.open(err)
			return unavailable(err)
		}
		x.circuit.succeeded()
		switch {
		case answer.refused():
			x.complain("elasticsearch refuses the API key or user: it is wrong, expired, revoked or lacks a privilege", err)
			return unavailable(err)
		case answer.busy():
			return unavailable(err)
		}
		return fmt.Errorf("elasticsearch: %w", err)
	case ctx.Err() != nil:
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			x.circuit.gaveUp(err)
		}
		return fmt.Errorf("elasticsearch: %w", ctx.Err())
	case errors.Is(err, context.DeadlineExceeded): // ours, not the caller's
		x.circuit.gaveUp(err)
		return unavailable(err)
	default:
		x.circuit.open(err)
		return unavailable(err)
	}
	return nil
}

// send does one request. An error that is no *apiError means that there was
// no answer.
func (x *Index) send(ctx context.Context, timeout time.Duration, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var data []byte
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		data, contentType = b, "application/x-ndjson"
	default:
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	if data == nil {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	res, err := x.client.Perform(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return readError(res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("answer to %s %s: %w", method, path, err)
	}
	return nil
}

func readError(status int, answer []byte) error {
	e := &apiError{Status: status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	var detail struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
		Causes []struct {
			Type   string `json:"type"`
			Reason string `json:"reason"`
		} `json:"root_cause"`
	}
	if json.Unmarshal(answer, &body) == nil && json.Unmarshal(body.Error, &detail) == nil {
		e.Type, e.Reason = detail.Type, detail.Reason
		if len(detail.Causes) > 0 && detail.Causes[0].Reason != detail.Reason {
			e.Reason += ": " + detail.Causes[0].Reason
		}
	} else {
		e.Type, e.Reason = http.StatusText(status), string(answer[:min(len(answer), 200)])
	}
	return e
}

// complaintPause is how long a complaint is not repeated in the log.
const complaintPause = time.Minute

// complaints remembers when each was last logged.
type complaints struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// complain logs an error, not once for each request that meets it.
func (x *Index) complain(message string, err error) {
	x.complaints.mu.Lock()
	last, again := x.complaints.last[message]
	again = again && time.Since(last) < complaintPause
	if !again {
		if x.complaints.last == nil {
			x.complaints.last = map[string]time.Time{}
		}
		x.complaints.last[message] = time.Now()
	}
	x.complaints.mu.Unlock()
	if !again {
		x.log.Error(message, "error", err)
	}
}

// path joins escaped segments.
func path(segments ...string) string {
	var b bytes.Buffer
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}
