// Package s3 keeps objects in a bucket of any server that speaks S3 and
// honours "If-None-Match: *" on PUT: AWS S3 (since August 2024), MinIO,
// versitygw and others. [Open] makes sure that the server does.
//
// # Requests
//
// A write is one PUT, and whether it is sent again is decided here: the client
// library would repeat one whose answer was lost, and the winner of a
// conditional one would then be told 412 by its own repetition. Create sends a
// random id along as x-amz-meta-writer; after a 412 or a lost answer it reads
// the id back and so knows whether the object is its own. Put is sent once
// more after a lost answer.
//
// A body is streamed and never buffered, whatever its size.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"appstore/storage"
)

var _ storage.Store = (*Store)(nil)

// afterCancel is how long a write whose body has been sent is given to be
// answered after its context has ended: a certain outcome is worth it.
const afterCancel = 5 * time.Second

// Options say where the objects are.
type Options struct {
	Endpoint  string // URL of the server without a path: https://s3.example.org, http://127.0.0.1:7070
	Region    string // "" means us-east-1
	Bucket    string // made by Open if it is absent
	Prefix    string // of all keys in the bucket: "" or segments that end with "/"; a missing "/" is added
	AccessKey string
	SecretKey string
	CA        string // file with PEM certificates to trust beside the system's; "" means none
}

// Store keeps objects in a bucket. Make one with Open.
type Store struct {
	once   *minio.Core // sends a request once: writes
	again  *minio.Core // repeats a request that failed: all else
	bucket string
	prefix string

	transport *transport // of both
}

// Open connects to the server, makes the bucket if it is absent, and makes
// sure that of racing creates exactly one wins: it refuses a server that
// checks first and writes later. That takes some 70 small requests.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(o)
	if err != nil {
		return nil, fmt.Errorf("open S3 storage: %w", err)
	}
	if err := s.makeBucket(ctx, o.Region); err != nil {
		return nil, fmt.Errorf("open S3 storage: bucket %q at %s: %w", o.Bucket, o.Endpoint, err)
	}
	if err := s.probe(ctx); err != nil {
		return nil, fmt.Errorf("open S3 storage: bucket %q at %s: %w", o.Bucket, o.Endpoint, err)
	}
	return s, nil
}

// OpenReadOnly connects to a bucket that is there, to read beside a server
// that writes; it writes nothing itself, not even the probe.
func OpenReadOnly(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(o)
	if err != nil {
		return nil, fmt.Errorf("open S3 storage: %w", err)
	}
	exists, err := s.again.BucketExists(ctx, s.bucket)
	if err != nil {
		err = readError(ctx, "look for it", "", err)
	} else if !exists {
		err = fmt.Errorf("%w: there is no such bucket", storage.ErrUnavailable)
	}
	if err != nil {
		return nil, fmt.Errorf("open S3 storage: bucket %q at %s: %w", o.Bucket, o.Endpoint, err)
	}
	return s, nil
}

// connect makes a Store without asking the server.
func connect(o Options) (*Store, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("%w: endpoint %q; give a URL without a path, such as https://s3.example.org", storage.ErrInvalid, o.Endpoint)
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, fmt.Errorf("%w: access key or secret key is empty", storage.ErrInvalid)
	}
	if o.Region == "" {
		o.Region = defaultRegion
	}
	if o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/") {
		o.Prefix += "/"
	}
	if len(o.Prefix) > 1024-storage.MaxKey {
		return nil, fmt.Errorf("%w: prefix of %d bytes; at most %d are allowed", storage.ErrInvalid, len(o.Prefix), 1024-storage.MaxKey)
	}
	transport, err := newTransport(o.CA)
	if err != nil {
		return nil, err
	}
	client := func(maxRetries int) (*minio.Core, error) {
		return minio.NewCore(u.Host, &minio.Options{
			Creds:      credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
			Secure:     u.Scheme == "https",
			Region:     o.Region,
			Transport:  transport,
			MaxRetries: maxRetries,
		})
	}
	once, err := client(1)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrInvalid, err)
	}
	again, err := client(3)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrInvalid, err)
	}
	return &Store{once: once, again: again, bucket: o.Bucket, prefix: o.Prefix, transport: transport}, nil
}

const defaultRegion = "us-east-1"

func (s *Store) makeBucket(ctx context.Context, region string) error {
	exists, err := s.again.BucketExists(ctx, s.bucket)
	if err != nil {
		return readError(ctx, "look for it", "", err)
	}
	if exists {
		return nil
	}
	if region == "" {
		region = defaultRegion
	}
	err = s.once.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region})
	if err != nil {
		// Another replica may have been faster.
		if exists, existsErr := s.again.BucketExists(ctx, s.bucket); existsErr == nil && exists {
			return nil
		}
		return readError(ctx, "it is absent and can't be made", "", err)
	}
	return nil
}

// Get implements storage.Store. A part at offset 0 of an empty object takes
// two requests: S3 has no range for it.
func (s *Store) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, storage.Info{}, err
	}
	if o.Offset < 0 || o.Length < 0 {
		return nil, storage.Info{}, fmt.Errorf("%w: get %q: offset %d, length %d", storage.ErrInvalid, key, o.Offset, o.Length)
	}
	var opts minio.GetObjectOptions
	part := o != storage.Read{}
	if part {
		span := fmt.Sprintf("bytes=%d-", o.Offset)
		if last := o.Offset + o.Length - 1; o.Length > 0 && last >= o.Offset {
			span += strconv.FormatInt(last, 10)
		}
		opts.Set("Range", span)
	}
	body, object, header, err := s.again.GetObject(ctx, s.bucket, s.prefix+key, opts)
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
		if o.Offset > 0 {
			return nil, storage.Info{}, fmt.Errorf("%w: get %q: offset %d is at or beyond the end", storage.ErrInvalid, key, o.Offset)
		}
		return s.Get(ctx, key, storage.Read{})
	}
	if err != nil {
		return nil, storage.Info{}, readError(ctx, "get", key, err)
	}
	info := storage.Info{Key: key, Size: object.Size, Modified: object.LastModified}
	left := info.Size
	if part {
		// Content-Range: bytes 0-9/1000
		_, total, _ := strings.Cut(header.Get("Content-Range"), "/")
		info.Size, err = strconv.ParseInt(total, 10, 64)
		if err != nil {
			body.Close()
			return nil, storage.Info{}, fmt.Errorf("%w: get %q: the server does not answer ranges", storage.ErrUnavailable, key)
		}
		left = info.Size - o.Offset
		if o.Length > 0 {
			left = min(left, o.Length)
		}
	}
	if left < 0 {
		body.Close()
		return nil, storage.Info{}, fmt.Errorf("%w: get %q: the server does not say how many bytes it has", storage.ErrUnavailable, key)
	}
	return &reader{ctx: ctx, key: key, body: body, left: left}, info, nil
}

// reader gives the errors of a broken connection those of the contract, and
// an end that comes too early such an error.
type reader struct {
	ctx  context.Context
	key  string
	body io.ReadCloser
	left int64 // bytes to come
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, readError(r.ctx, "read", r.key, err)
	case r.left != 0:
		return n, readError(r.ctx, "read", r.key, fmt.Errorf("the answer ended %d bytes from where it should: %w", r.left, io.ErrUnexpectedEOF))
	}
	return n, io.EOF
}

func (r *reader) Close() error { return r.body.Close() }

// List implements storage.Store, a thousand keys a request. Objects of the
// bucket whose names are no keys are left out.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if !storage.ValidPrefix(prefix) {
			return
		}
		// A server may refuse what is no key, such as "..", so it gets beginnings
		// that are, and what they let through is left out here.
		opts := minio.ListObjectsOptions{Prefix: s.prefix + beginning(prefix), Recursive: true}
		if start := beginning(after); start != "" {
			opts.StartAfter = s.prefix + start
		}
		before := ""
		for object := range s.again.ListObjectsIter(ctx, s.bucket, opts) {
			if object.Err != nil {
				// Nothing that a list can meet is an absent key.
				err := ctx.Err()
				if err == nil {
					err = fmt.Errorf("%w: list %q: %w", storage.ErrUnavailable, prefix, object.Err)
				}
				yield(storage.Info{}, err)
				return
			}
			key := strings.TrimPrefix(object.Key, s.prefix)
			if key <= after || !strings.HasPrefix(key, prefix) || storage.CheckKey(key) != nil {
				continue
			}
			if key <= before {
				yield(storage.Info{}, fmt.Errorf("%w: list %q: the server gives %q after %q; directory buckets, which are not in order, can't be used", storage.ErrUnavailable, prefix, key, before))
				return
			}
			before = key
			if !yield(storage.Info{Key: key, Size: object.Size, Modified: object.LastModified}, nil) {
				return
			}
		}
		// The library ends a list without a word when the context ends.
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, err)
		}
	}
}

// beginning is the longest beginning of text that is a key, or one with a "/"
// behind it.
func beginning(text string) string {
	for text != "" && storage.CheckKey(strings.TrimSuffix(text, "/")) != nil {
		text = text[:min(len(text)-1, storage.MaxKey)]
	}
	return text
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	err := s.again.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{})
	if err == nil {
		return nil
	}
	err = readError(ctx, "delete", key, err)
	if errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	return err
}
