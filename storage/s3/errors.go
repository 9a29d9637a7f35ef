package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

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

// codeOf gives the error code of an answer in S3's own words: XML with an
// Error in it. It is "" for everything else, such as the page of a gateway
// that stands before the server, for which the client library makes up a code
// of the status, and for the answer to a HEAD, which has no words.
func codeOf(err error) string {
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.XMLName.Local == "Error" {
		return answer.Code
	}
	return ""
}

// readError says which error of the contract the failure of a request is that
// has changed nothing, or nothing that sending it again would not. That there
// is no such key must come from the storage: with a gateway's word for it the
// end of a journal could be found in its middle.
func readError(ctx context.Context, verb, key string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s %q: %w", verb, key, ctx.Err())
	case statusOf(err) == http.StatusNotFound && codeOf(err) == minio.NoSuchKey:
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
//	no connection                          ErrUnavailable
//	connection lost in the body            ErrUnavailable, and errHungUp
//	connection lost after the body         ErrUnknown
//	412 Precondition Failed                ErrExist
//	one of the codes in refusals           ErrUnavailable, and errBusy
//	one of the codes in notAKey            ErrInvalid, and errBusy
//	408, 409, 425, 429, 499, 5xx else      ErrUnknown, and errBusy
//	the same, before the body was out      ErrUnavailable, and errBusy
//	other 4xx (keys, bucket, clock, size)  ErrUnavailable
//
// A status alone does not tell who has given it. A gateway says 503 also when
// the server behind it had the whole request and the connection to it broke:
// "upstream connect error or disconnect/reset before headers".
func writeError(verb, key string, err error, reached int) error {
	kind := storage.ErrUnavailable
	status, code := statusOf(err), codeOf(err)
	switch {
	case status == 0 && reached == reachedPart:
		return fmt.Errorf("%w: %s %q: %w: %w", kind, verb, key, errHungUp, err)
	case status == 0 && reached == reachedAll:
		kind = storage.ErrUnknown
	case status == http.StatusPreconditionFailed && verb == "create":
		return fmt.Errorf("%w: %s %q", storage.ErrExist, verb, key)
	case slices.Contains(notAKey, code):
		return fmt.Errorf("%w: %s %q: it is a folder of another key, or the other way round: %w: %w", storage.ErrInvalid, verb, key, errBusy, err)
	case slices.Contains(refusals, code):
		return fmt.Errorf("%w: %s %q: %w: %w", kind, verb, key, errBusy, err)
	case status >= 500 || slices.Contains(unclear, status):
		if reached == reachedAll {
			kind = storage.ErrUnknown
		}
		if status == http.StatusNotImplemented {
			break // it will not be otherwise the next time
		}
		return fmt.Errorf("%w: %s %q: %w: %w", kind, verb, key, errBusy, err)
	}
	return fmt.Errorf("%w: %s %q: %w", kind, verb, key, err)
}

// refusals are the codes of S3 by which a server says that it has not done
// what it was asked for, and may do it later. The last two are those of a race
// with another conditional write of the key. InternalError is none of them,
// nor is MinIO's SlowDownWrite, by which it means that too few of its disks
// have written the object.
var refusals = []string{"SlowDown", "ServiceUnavailable", "TooManyRequests", "ConditionalRequestConflict", "OperationAborted"}

// notAKey are the codes of servers on file systems (versitygw, MinIO) for a
// key that is a folder of another, or the other way round. They say so also for
// a moment, when a delete takes away a folder that a write is about to need.
var notAKey = []string{"ObjectParentIsFile", "ExistingObjectIsDirectory", "XMinioParentIsObject", "XMinioObjectExistsAsDirectory"}

// unclear are the statuses below 500 that are about the moment, and not about
// the request: a gateway may have passed it on before. (425 Too Early, 499 is
// nginx's for a client that has gone.)
var unclear = []int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests, 499}

var (
	// errBusy marks answers after which the same request may do better.
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
