// Package storage says what the AppStore needs of object storage.
//
// There are two implementations: files (a folder, the default) and s3 (any
// server that speaks S3 and honours If-None-Match). Both pass storagetest.Run,
// which tests every sentence of the comments below.
//
// # Keys
//
// A key has 1 to 400 bytes and consists of segments joined by "/". A segment
// has 1 to 255 bytes of [a-z0-9@._~-] and is neither "." nor ".."; 255 is the
// longest file name of every common file system. [CheckKey] tells.
//
// No key may be a folder of another one ("a" and "a/b" can't both exist): a
// file system could not hold both. Callers see to it by how they build their
// keys; no store looks for it, because S3 could not tell in one step. One that
// can't hold both refuses the second with ErrInvalid and leaves the first as it
// is (files; s3 on servers that keep files), one that can takes it. Some S3
// servers (MinIO) take it and then leave keys out of lists.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// MaxKey is the length of the longest key, in bytes. With the prefix an
// operator may add it stays under S3's 1,024.
const MaxKey = 400

// MaxSegment is the length of the longest segment of a key, in bytes.
const MaxSegment = 255

// MaxPut is the size of the largest object Put takes, in bytes. It is what S3
// takes in one request, which is there or not; an upload in parts could leave
// parts behind that nobody sees and somebody pays for.
const MaxPut = 5 << 30

// MaxCreate is the size of the largest object Create takes, in bytes. It
// stays under the size at which S3 clients switch to uploads in parts, which
// drop the condition.
const MaxCreate = 16 << 20

// Errors of a Store. Test with errors.Is; every error of a Store wraps one of
// these, the error of a cancelled context, or that of the caller's own reader.
var (
	// ErrNotExist: certain; there is no such key.
	ErrNotExist = errors.New("no such object")
	// ErrExist: certain; the key was there already and has not been touched.
	ErrExist = errors.New("object exists already")
	// ErrUnavailable: nothing happened; try later.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrUnknown: the answer to a write is lost; it may have happened, or may
	// still. Read to find out: what is there then, stays. A store that can't
	// tell any more whether that is so (a disk that failed) answers
	// ErrUnavailable from then on, to reads too.
	ErrUnknown = errors.New("outcome of the write is unknown")
	// ErrInvalid: the caller's mistake: a bad key, a size that differs from
	// what the reader gave, an object too large, a range outside the object.
	ErrInvalid = errors.New("invalid storage request")
)

// Read is a part of an object. The zero value is the whole object.
type Read struct {
	Offset int64 // bytes to leave out at the start
	Length int64 // bytes to read; 0 means up to the end
}

// Info describes one object.
type Info struct {
	Key      string
	Size     int64     // of the whole object in bytes, also when a part was asked for
	Modified time.Time // when it was written, by the store's clock
}

// Store keeps objects. All methods may be called from many goroutines.
type Store interface {
	// Get opens an object, or a part of it, in one request (a part of an empty
	// object may take two). The error for an absent key comes from Get itself, not from the reader. An Offset at or
	// beyond the end is ErrInvalid (0 never is); a Length beyond it reads up to
	// the end. The reader may end with an error, never early without one. It
	// reads one version of the object, also when that is replaced or deleted
	// meanwhile, or fails.
	Get(ctx context.Context, key string, o Read) (io.ReadCloser, Info, error)

	// Put writes an object of exactly size bytes, which it reads from where r
	// stands, replacing what was there.
	// When it returns nil the object is durable and whole. Get and List never
	// show a part of it, nor what is not durable yet: what was seen stays, also
	// when Put then returns ErrUnknown. When r gives more or fewer bytes, or an error, or
	// ctx ends, Put returns an error and what was there before stays. It does
	// not use r after it has returned. It may wait for readers of what it
	// replaces (MinIO). At most MaxPut bytes.
	Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error

	// Create writes an object only if the key is absent: of racing creates
	// exactly one returns nil, the others ErrExist. It never answers ErrExist
	// for its own write, nor for one that is not durable yet. Durable and shown
	// like Put. At most MaxCreate bytes.
	Create(ctx context.Context, key string, data []byte) error

	// List gives the objects whose keys begin with prefix and are greater than
	// after, in byte order of their keys. It stops at the first error, which is
	// never ErrNotExist. Both may
	// be any string; a prefix that no key can begin with lists nothing.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes an object. Deleting what is absent is no error, and after
	// any other the object may be gone all the same. It may wait for readers of
	// the object (MinIO). It may only be used for keys that are never written
	// again.
	Delete(ctx context.Context, key string) error
}

// CheckKey returns an error that wraps ErrInvalid and says what is wrong with
// key, or nil.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: key of %d bytes; 1 to %d are allowed", ErrInvalid, len(key), MaxKey)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("%w: key %q has a segment %q", ErrInvalid, key, segment)
		}
		if len(segment) > MaxSegment {
			return fmt.Errorf("%w: key %q has a segment of %d bytes; at most %d are allowed", ErrInvalid, key, len(segment), MaxSegment)
		}
		for _, c := range []byte(segment) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("@._~-", c) >= 0) {
				return fmt.Errorf("%w: key %q has the byte %q; allowed are a-z 0-9 @ . _ ~ - and / between segments", ErrInvalid, key, c)
			}
		}
	}
	return nil
}

// ValidPrefix reports whether a key can begin with prefix.
func ValidPrefix(prefix string) bool {
	return CheckKey(prefix) == nil || CheckKey(prefix+"a") == nil
}
