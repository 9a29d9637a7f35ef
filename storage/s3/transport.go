package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"appstore/storage"
)

// Times after which a server counts as down.
const (
	connectTimeout = 3 * time.Second
	answerTimeout  = 30 * time.Second // from the end of a request to the head of its answer
	idleTimeout    = 30 * time.Second // without a byte of an answer's body, or one taken of a request's
)

// transport bounds what http.Transport does not: how long a server may be
// silent in the middle of a body, of an answer or of a request. A body as a
// whole takes as long as it takes, and a slow reader of it is no silent server.
type transport struct {
	*http.Transport
	idle time.Duration // see idleTimeout
}

func newTransport(ca string) (*transport, error) {
	t := &transport{idle: idleTimeout}
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}
	t.Transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return conn{c, t.idle}, nil
		},
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: answerTimeout,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		// Servers close idle connections after a minute or so; a write must
		// not meet that moment, because it isn't repeated.
		IdleConnTimeout:    20 * time.Second,
		DisableCompression: true, // objects come as they are
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if ca == "" {
		return t, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("%w: CA: %w", storage.ErrInvalid, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: CA: %s has no PEM certificate", storage.ErrInvalid, ca)
	}
	t.TLSClientConfig.RootCAs = roots
	return t, nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	answer, err := t.Transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = &answerBody{ReadCloser: answer.Body, idle: t.idle, cancel: cancel}
	return answer, nil
}

// answerBody ends its request when a read gets nothing for too long.
type answerBody struct {
	io.ReadCloser
	idle   time.Duration
	cancel context.CancelFunc
	timer  *time.Timer // runs while a read does; nil before the first
	silent atomic.Bool
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.idle, func() {
			b.silent.Store(true)
			b.cancel()
		})
	} else {
		b.timer.Reset(b.idle)
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && err != io.EOF && b.silent.Load() {
		err = fmt.Errorf("the server has sent nothing for %v: %w", b.idle, os.ErrDeadlineExceeded)
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}

// conn gives up on a server that takes nothing of what is sent.
type conn struct {
	net.Conn
	idle time.Duration
}

func (c conn) Write(p []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.idle)) // fails when c is closed: Write then says so
	return c.Conn.Write(p)
}
