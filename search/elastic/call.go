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
	"time"
)

// How long one request may take before the cluster counts as down.
const (
	readTimeout  = 10 * time.Second // a cold server needs some
	writeTimeout = 30 * time.Second
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
	return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
}

// busy: the request may be repeated somewhat later.
func (e *apiError) busy() bool {
	return e.Status == http.StatusTooManyRequests || e.down()
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
		if answer.down() {
			x.circuit.open(err)
			return unavailable(err)
		}
		x.circuit.succeeded()
		if answer.busy() {
			return unavailable(err)
		}
	case ctx.Err() != nil:
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			x.circuit.gaveUp(err)
		}
		return fmt.Errorf("elasticsearch: %w", ctx.Err())
	default:
		x.circuit.open(err)
		return unavailable(err)
	}
	return err
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

// path joins escaped segments.
func path(segments ...string) string {
	var b bytes.Buffer
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}
