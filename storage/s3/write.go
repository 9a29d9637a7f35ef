package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"appstore/storage"
)

// attempts is how often a write is tried that the server is too busy for.
const attempts = 6

// Put implements storage.Store.
func (s *Store) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if size < 0 || size > storage.MaxPut {
		return fmt.Errorf("%w: put %q: %d bytes; 0 to %d are allowed", storage.ErrInvalid, key, size, int64(storage.MaxPut))
	}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("put %q: %w", key, err)
	}
	lost := false
	for attempt := 1; ; attempt++ {
		err := s.send(ctx, "put", key, &body{r: r, start: start, size: size}, minio.PutObjectOptions{})
		again := errors.Is(err, errBusy) || errors.Is(err, errHungUp) && !isTimeout(err)
		if errors.Is(err, storage.ErrUnknown) {
			// Once: the server may have closed a connection that was idle,
			// and the same bytes twice do no harm.
			again = again || !isTimeout(err) && !lost
			lost = true
		} else if lost && err != nil {
			err = fmt.Errorf("%w: put %q: an answer was lost; then: %v", storage.ErrUnknown, key, err)
		}
		if !again || attempt == attempts || pause(ctx, attempt) != nil {
			return err
		}
	}
}

// writerHeader holds a random id of the Create that wrote an object.
const writerHeader = "X-Amz-Meta-Writer"

// Create implements storage.Store. It tries again after a lost answer, which
// is safe because at most one of its own requests can win.
func (s *Store) Create(ctx context.Context, key string, data []byte) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	if len(data) > storage.MaxCreate {
		return fmt.Errorf("%w: create %q: %d bytes; at most %d are allowed", storage.ErrInvalid, key, len(data), storage.MaxCreate)
	}
	writer := rand.Text()
	var lost error // that of an attempt which may have succeeded, or may still
	for attempt := 1; ; attempt++ {
		err := s.createOnce(ctx, key, bytes.NewReader(data), int64(len(data)), writer)
		again := errors.Is(err, errBusy)
		// Before it gives up on a server that refuses it looks, too: a gateway
		// that sends a request twice passes on the second answer only.
		if unsettled(err) || again && attempt == attempts {
			if errors.Is(err, storage.ErrUnknown) {
				lost = err
			}
			err = s.settle(ctx, key, writer, err)
			again = errors.Is(err, errAbsent)
			if err == nil || !again {
				return err
			}
			again = !isTimeout(err)
		}
		if err == nil {
			return nil
		}
		if !again || attempt == attempts || pause(ctx, attempt) != nil {
			if lost != nil && lost != err {
				return fmt.Errorf("%w, then: %v", lost, err)
			}
			return err
		}
	}
}

// unsettled reports whether err, of a createOnce, needs a look at the object.
// A server that hangs up in the middle may have answered 412 and not been
// heard.
func unsettled(err error) bool {
	return errors.Is(err, storage.ErrUnknown) || errors.Is(err, storage.ErrExist) || errors.Is(err, errHungUp)
}

// errAbsent marks the error of settle for an object that is not there.
var errAbsent = errors.New("and yet it is not there")

// settle finds out what became of a create whose answer was err: that the
// object exists, or none. Also a 412 can be about our own write, because a
// gateway on the way may have sent it twice.
func (s *Store) settle(ctx context.Context, key, writer string, err error) error {
	there, lookErr := s.writerOf(ctx, key)
	switch {
	case lookErr == nil && there == writer:
		return nil
	case lookErr == nil:
		return fmt.Errorf("%w: create %q", storage.ErrExist, key)
	case errors.Is(lookErr, storage.ErrNotExist) && errors.Is(err, storage.ErrExist):
		return fmt.Errorf("%w: create %q: the server says that it exists, %w", storage.ErrUnavailable, key, errAbsent)
	case errors.Is(lookErr, storage.ErrNotExist):
		return fmt.Errorf("%w, %w", err, errAbsent)
	case !unsettled(err):
		return err // a refusal in S3's own words is believed
	}
	return fmt.Errorf("%w: create %q: %v; then: %v", storage.ErrUnknown, key, err, lookErr)
}

// writerOf gives the id of the Create that wrote an object, "" if it was a
// Put. It asks for the first byte: the answer to a HEAD has no body, and a 404
// without one may be that of a gateway.
func (s *Store) writerOf(ctx context.Context, key string) (string, error) {
	var first minio.GetObjectOptions
	first.Set("Range", "bytes=0-0")
	body, object, _, err := s.again.GetObject(ctx, s.bucket, s.prefix+key, first)
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable { // it is empty
		body, object, _, err = s.again.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	}
	if err != nil {
		return "", readError(ctx, "look at", key, err)
	}
	// To the end, so that the connection can be used again; a server that
	// ignores ranges has more.
	_, _ = io.CopyN(io.Discard, body, 2)
	body.Close()
	return object.Metadata.Get(writerHeader), nil
}

// createOnce sends one conditional PUT. Its ErrExist is the server's 412.
func (s *Store) createOnce(ctx context.Context, key string, r io.ReadSeeker, size int64, writer string) error {
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{writerHeader: writer}}
	opts.SetMatchETagExcept("*")
	return s.send(ctx, "create", key, &body{r: r, size: size}, opts)
}

// send sends one PUT. While its body goes out the end of ctx stops it, and
// nothing has happened; after that it waits for the answer.
func (s *Store) send(ctx context.Context, verb, key string, b *body, opts minio.PutObjectOptions) error {
	b.ctx = ctx
	if err := b.checkEmpty(); err != nil {
		return fmt.Errorf("%s %q: %w", verb, key, err)
	}
	request, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var grace atomic.Pointer[time.Timer]
	stop := context.AfterFunc(ctx, func() {
		if b.state.CompareAndSwap(bodyOpen, bodyStopped) {
			cancel()
		} else {
			grace.Store(time.AfterFunc(afterCancel, cancel))
		}
	})
	defer func() {
		stop()
		if t := grace.Load(); t != nil {
			t.Stop()
		}
	}()
	var sent atomic.Bool
	request = httptrace.WithClientTrace(request, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	_, err := s.once.PutObject(request, s.bucket, s.prefix+key, b, b.size, "", "", opts)
	bodyErr := b.close()
	switch {
	case err == nil:
		return nil
	case bodyErr != nil:
		return fmt.Errorf("%s %q: %w", verb, key, bodyErr)
	}
	reached := reachedNothing
	switch {
	case sent.Load() && b.complete():
		reached = reachedAll
	case sent.Load():
		reached = reachedPart
	}
	err = writeError(verb, key, err, reached)
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	return err
}

// pause waits before the next attempt, longer each time, unless ctx ends.
func pause(ctx context.Context, attempt int) error {
	wait := 20 * time.Millisecond << attempt
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait/2 + mathrand.N(wait)):
		return nil
	}
}
