package s3

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"appstore/storage"
	"appstore/storage/storagetest"
)

// testOptions points at a new bucket of the server the tests are given, which
// goes away afterwards.
func testOptions(t testing.TB) Options {
	t.Helper()
	o := Options{
		Endpoint:  os.Getenv("APPSTORE_TEST_S3_ENDPOINT"),
		AccessKey: os.Getenv("APPSTORE_TEST_S3_ACCESS_KEY"),
		SecretKey: os.Getenv("APPSTORE_TEST_S3_SECRET_KEY"),
		Bucket:    "appstore-test-" + strings.ToLower(rand.Text()),
	}
	if o.Endpoint == "" {
		const message = "APPSTORE_TEST_S3_ENDPOINT is not set: storage on a real S3 server is NOT checked (make test starts one)"
		if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s, err := connect(o)
		if err != nil {
			t.Fatal(err)
		}
		objects := s.again.Client.ListObjects(ctx, o.Bucket, minio.ListObjectsOptions{Recursive: true})
		for e := range s.again.RemoveObjects(ctx, o.Bucket, objects, minio.RemoveObjectsOptions{}) {
			t.Log(e.Err)
		}
		if err := s.again.RemoveBucket(ctx, o.Bucket); err != nil {
			t.Log(err)
		}
	})
	return o
}

func TestConformance(t *testing.T) {
	o := testOptions(t)
	if _, err := Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var prefixes atomic.Int32
	storagetest.Run(t, func(t *testing.T) (a, b storage.Store) {
		o := o
		o.Prefix = fmt.Sprintf("test-%d/", prefixes.Add(1))
		client := func() storage.Store {
			s, err := connect(o) // Open has probed the bucket once
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return client(), client()
	})
}
