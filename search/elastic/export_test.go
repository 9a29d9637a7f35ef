package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// HTTPClient is for requests past the index.
func HTTPClient(ca []byte) *http.Client {
	if len(ca) == 0 {
		return http.DefaultClient
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// What tests outside the package need to know.
const (
	MaxSearches = maxSearches
	FirstAnswer = firstAnswer
	SlowCalls   = slowCalls
)

var Authorities = authorities

// Ask does one search that this side gives up after timeout.
func (x *Index) Ask(ctx context.Context, timeout time.Duration) error {
	return x.call(ctx, timeout, http.MethodPost, path(x.alias, "_search"), nil, nil)
}
