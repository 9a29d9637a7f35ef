// Package client talks to an AppStore server over its REST API, version 1. The
// contract is the server's /openapi.yaml; the types of this package are its
// wire types, and the server itself encodes them.
//
// A method returns *Error when the server says no, *Unreachable when it does
// not answer, and the error of the context when that ends.
//
// Reads, and publishing (which is idempotent), are tried again when the server
// answers 503 or 429: up to three times in all, after the time its Retry-After
// asks for, but not longer than ten seconds each time.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of retrying.
const (
	maxTries = 3
	maxWait  = 10 * time.Second
)

// maxAnswer bounds a JSON answer, in bytes: a plugin with 5,000 releases stays
// far under it.
const maxAnswer = 64 << 20

// Client is the API of one server. It may be used by many goroutines.
type Client struct {
	base  string // without a slash at the end
	token string

	// HTTP does the requests. New sets one with timeouts for connecting and
	// for the first byte of an answer, but none for a whole transfer.
	HTTP *http.Client
	// UserAgent names the program that asks.
	UserAgent string
}

// New makes a client of the server at baseURL (its public URL, with the path
// prefix if it has one). The token is needed for writing only; it is sent to
// that server alone. A baseURL that is none is the error of the first request.
func New(baseURL, token string) *Client {
	return &Client{
		base:      strings.TrimRight(strings.TrimSpace(baseURL), "/"),
		token:     strings.TrimSpace(token),
		UserAgent: "appstore-client",
		HTTP: &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   16,
			ForceAttemptHTTP2:     true,
		}},
	}
}

// URL is the server's address as New was given it.
func (c *Client) URL() string { return c.base }

// request is one call of the API.
type request struct {
	method string
	path   string // after the base, percent-encoded
	query  url.Values
	accept string
	body   func() (content io.ReadCloser, size int64, contentType string, err error) // opened anew for each try; nil: none
	again  bool                                                                      // trying it twice does no harm
}

// do sends a request and returns a 2xx answer; the caller closes its body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	for try := 1; ; try++ {
		res, err := c.once(ctx, r)
		var e *Error
		if !r.again || try == maxTries || !errors.As(err, &e) ||
			e.Status != http.StatusServiceUnavailable && e.Status != http.StatusTooManyRequests {
			return res, err
		}
		wait := time.NewTimer(min(max(e.RetryAfter, time.Second), maxWait))
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, err // says more than "context canceled"
		case <-wait.C:
		}
	}
}

func (c *Client) once(ctx context.Context, r request) (*http.Response, error) {
	target, err := url.Parse(c.base)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a server: write it like http://127.0.0.1:8080", c.base)
	}
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept", r.accept)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.body != nil {
		content, size, contentType, err := r.body()
		if err != nil {
			return nil, err
		}
		req.Body, req.ContentLength = content, size
		req.Header.Set("Content-Type", contentType)
		if size > 64<<10 {
			// Let the server refuse (a bad token, too large) before all is sent.
			req.Header.Set("Expect", "100-continue")
		}
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var local *sourceError
		if errors.As(err, &local) {
			return nil, local.err
		}
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, &Unreachable{URL: c.base, Err: err}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer res.Body.Close()
		return nil, problem(res)
	}
	return res, nil
}

// json sends a request and decodes the answer into to.
func (c *Client) json(ctx context.Context, r request, to any) error {
	r.accept = "application/json"
	res, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := c.all(ctx, res)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, to); err != nil {
		return fmt.Errorf("the answer of %s is not what an AppStore answers: %w", c.base, err)
	}
	return nil
}

func (c *Client) all(ctx context.Context, res *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &Unreachable{URL: c.base, Err: err}
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", c.base, maxAnswer)
	}
	return body, nil
}

// jsonBody is the body of a request that sends v.
func jsonBody(v any) func() (io.ReadCloser, int64, string, error) {
	return func() (io.ReadCloser, int64, string, error) {
		text, err := json.Marshal(v)
		return io.NopCloser(bytes.NewReader(text)), int64(len(text)), "application/json", err
	}
}

// path joins percent-encoded segments under the API's root.
func path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}
