package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"appstore/storage"
)

// States of a body.
const (
	bodyOpen     = iota
	bodyComplete // its last bytes have been handed out
	bodyStopped  // its context ended before
)

// body reads exactly size bytes from r, as the body of a request. It does not
// hand out the last of them before it has seen that r ends there, so that a
// reader of a wrong size never makes a whole request.
type body struct {
	ctx   context.Context
	start int64 // where r stands
	size  int64

	state atomic.Int32

	// The transport may go on reading after the request has failed: mu keeps
	// it away from r once the body is closed.
	mu     sync.Mutex
	r      io.ReadSeeker
	read   int64
	err    error // of r or ctx, or of the size
	closed bool
}

var errBodyClosed = errors.New("the request has ended")

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBodyClosed
	case b.err != nil:
		return 0, b.err
	case b.read == b.size:
		return 0, io.EOF
	}
	n, err := b.fill(p)
	if err != nil {
		b.err = err
		return 0, err
	}
	return n, nil
}

func (b *body) fill(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	p = p[:min(int64(len(p)), b.size-b.read)]
	n, err := b.r.Read(p)
	b.read += int64(n)
	if err == io.EOF && b.read < b.size {
		return 0, fmt.Errorf("%w: the reader gave %d bytes, not %d", storage.ErrInvalid, b.read, b.size)
	}
	if err != nil && err != io.EOF {
		return 0, err
	}
	if b.read < b.size {
		return n, nil
	}
	if err := b.atEnd(); err != nil {
		return 0, err
	}
	if b.ctx.Err() != nil || !b.state.CompareAndSwap(bodyOpen, bodyComplete) {
		return 0, b.ctx.Err()
	}
	return n, nil
}

// atEnd makes sure that r has no more bytes.
func (b *body) atEnd() error {
	var more [1]byte
	for {
		n, err := b.r.Read(more[:])
		switch {
		case n > 0:
			return fmt.Errorf("%w: the reader gave more than %d bytes", storage.ErrInvalid, b.size)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// checkEmpty prepares a body of no bytes, which nobody will read.
func (b *body) checkEmpty() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if b.size > 0 {
		return nil
	}
	if _, err := b.r.Seek(b.start, io.SeekStart); err != nil {
		return err
	}
	b.state.Store(bodyComplete)
	return b.atEnd()
}

// Seek goes back to the start, for the client library, which does so before
// each request, and asks where it is.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if whence == io.SeekCurrent && offset == 0 {
		return b.read, nil
	}
	if b.size == 0 {
		return 0, nil
	}
	if whence != io.SeekStart || offset != 0 || b.closed || b.state.Load() != bodyOpen {
		return 0, fmt.Errorf("%w: the body of a request can only start anew", storage.ErrInvalid)
	}
	if _, err := b.r.Seek(b.start, io.SeekStart); err != nil {
		b.err = err
		return 0, err
	}
	b.read = 0
	return 0, nil
}

// complete reports whether all bytes have been handed out.
func (b *body) complete() bool { return b.state.Load() == bodyComplete }

// close ends the use of r and returns the error that stopped the body, if one
// did.
func (b *body) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.err == nil && b.state.Load() == bodyStopped {
		return b.ctx.Err()
	}
	return b.err
}
