package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/minio/minio-go/v7"

	"appstore/storage"
)

// statusOf gives the HTTP status that the server answered with, 0 if err is
// not an answer.
func statusOf(err error) int {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// codeOf gives the error code that the server answered with, "" if err is not
// an answer.
func codeOf(err error) string {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// readError says which error of the contract the failure of a request is that
// has changed nothing, or nothing that sending it again would not.
func readError(ctx context.Context, verb, key string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s %q: %w", verb, key, ctx.Err())
	case codeOf(err) == minio.NoSuchKey:
		return fmt.Errorf("%w: %s %q", storage.ErrNotExist, verb, key)
	}
	return fmt.Errorf("%w: %s %q: %w", storage.ErrUnavailable, verb, key, err)
}

// How much of a request can have reached the server.
const (
	reachedNothing = iota // there was no connection
	reachedPart           // its body had not gone out completely, and can't have become an object
	reachedAll
)

// writeError says which error of the contract the failure of a PUT is.
//
//	no connection                    ErrUnavailable
//	connection lost in the body      ErrUnavailable, and errHungUp
//	connection lost after the body   ErrUnknown
//	412 Precondition Failed          ErrExist
//	409, 429, 503                    ErrUnavailable, and errBusy
//	other 4xx (keys, bucket, clock)  ErrUnavailable
//	other 5xx                        ErrUnknown: a gateway may have passed it on
func writeError(verb, key string, err error, reached int) error {
	kind := storage.ErrUnavailable
	switch status := statusOf(err); {
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s %q", storage.ErrExist, verb, key)
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s %q: %w: %w", storage.ErrUnavailable, verb, key, errBusy, err)
	case status == 0 && reached == reachedPart:
		return fmt.Errorf("%w: %s %q: %w: %w", storage.ErrUnavailable, verb, key, errHungUp, err)
	case status >= 500, status == 0 && reached == reachedAll:
		kind = storage.ErrUnknown
	}
	return fmt.Errorf("%w: %s %q: %w", kind, verb, key, err)
}

var (
	// errBusy marks the answers of a server that did nothing and asks to be
	// asked again: 409 is a race with another conditional write of the key.
	errBusy = errors.New("the server is busy")
	// errHungUp marks a connection lost before the request was complete. The
	// server may have sent an answer first that got lost with it.
	errHungUp = errors.New("the server hung up")
)

// isTimeout reports whether a server has let us wait too long, so that asking
// again would only double that.
func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
