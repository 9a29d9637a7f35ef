package elastic

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
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
