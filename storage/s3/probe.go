package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"appstore/storage"
)

const (
	probeRounds  = 4
	probeWriters = 16
	probeSize    = 160 << 10 // more than the client library holds back of a body
)

// errNotAtomic is why a server is refused.
var errNotAtomic = errors.New(`this server can't be used, because it does not do "create if absent" (PUT with If-None-Match: *) in one step, ` +
	"and concurrent publishes could overwrite each other: use a server, or a newer version of it, that does")

// probe races writers on fresh keys. Each holds back the second half of its
// body until all have sent the first, so that a server that checks when a
// request comes in, and writes when it is complete, lets several win.
func (s *Store) probe(ctx context.Context) error {
	for range probeRounds {
		key := "probe/" + strings.ToLower(rand.Text())
		err := s.probeOnce(ctx, key)
		// The key goes, whatever came out, also when ctx has ended.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		deleteErr := s.Delete(cleanup, key)
		cancel()
		if err == nil {
			err = deleteErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) probeOnce(ctx context.Context, key string) error {
	half := make(chan struct{}) // closed when all writers have sent one half
	var atHalf sync.WaitGroup
	atHalf.Add(probeWriters)
	go func() { atHalf.Wait(); close(half) }()

	var errs [probeWriters]error
	var ids [probeWriters]string
	var writers sync.WaitGroup
	for i := range probeWriters {
		ids[i] = rand.Text()
		writers.Go(func() {
			r := &halting{Reader: bytes.NewReader(make([]byte, probeSize)), arrive: sync.OnceFunc(atHalf.Done), half: half}
			errs[i] = s.createOnce(ctx, key, r, probeSize, ids[i])
			r.arrive() // a server may answer without reading
		})
	}
	writers.Wait()
	won := 0
	var other error
	for i, err := range errs {
		if err != nil && !errors.Is(err, storage.ErrExist) && unsettled(err) {
			err = s.settle(ctx, key, ids[i], err)
		}
		switch {
		case err == nil:
			won++
		case !errors.Is(err, storage.ErrExist) && !errors.Is(err, errBusy):
			other = err
		}
	}
	switch {
	case won > 1:
		return fmt.Errorf("%w (of %d racing creates %d won)", errNotAtomic, probeWriters, won)
	case statusOf(other) == http.StatusNotImplemented || codeOf(other) == minio.NotImplemented:
		return fmt.Errorf("%w (%w)", errNotAtomic, other)
	case other != nil:
		return fmt.Errorf("try to write: %w", other)
	case won == 0:
		return fmt.Errorf("%w (of %d racing creates none won)", errNotAtomic, probeWriters)
	}
	// One that comes long after must lose, too.
	err := s.Create(ctx, key, nil)
	if err == nil {
		return fmt.Errorf("%w (a second create won)", errNotAtomic)
	}
	if !errors.Is(err, storage.ErrExist) {
		return fmt.Errorf("try to write: %w", err)
	}
	return nil
}

// halting is a body that stops in the middle until all others are there, or
// for a second: the server may serve fewer requests at once.
type halting struct {
	*bytes.Reader
	arrive func()
	half   <-chan struct{}
}

func (h *halting) Read(p []byte) (int, error) {
	if h.Len() <= probeSize/2 {
		h.arrive()
		select {
		case <-h.half:
		case <-time.After(time.Second):
		}
		return h.Reader.Read(p)
	}
	return h.Reader.Read(p[:min(len(p), h.Len()-probeSize/2)])
}

var _ io.ReadSeeker = (*halting)(nil)
