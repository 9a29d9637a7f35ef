package s3

import (
	"context"
	"errors"
	"fmt"
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

// writeError says the same of a write without a body error. sent tells whether
// any of the request can have reached the server.
//
//	no connection                    ErrUnavailable
//	connection lost, no answer       ErrUnknown
//	412 Precondition Failed          ErrExist
//	409, 429, 503                    ErrUnavailable, and errBusy: try again soon
//	other 4xx (keys, bucket, clock)  ErrUnavailable
//	other 5xx                        ErrUnknown: a gateway may have passed it on
func writeError(verb, key string, err error, sent bool) error {
	kind := storage.ErrUnavailable
	switch status := statusOf(err); {
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s %q", storage.ErrExist, verb, key)
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s %q: %w: %w", storage.ErrUnavailable, verb, key, errBusy, err)
	case status >= 500, status == 0 && sent:
		kind = storage.ErrUnknown
	}
	return fmt.Errorf("%w: %s %q: %w", kind, verb, key, err)
}

// errBusy marks the answers of a server that did nothing and asks to be asked
// again: 409 is a race with another conditional write to the same key.
var errBusy = errors.New("the server is busy")
