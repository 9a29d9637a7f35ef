package s3

import (
	"testing"

	"appstore/storage/storagetest"
)

func BenchmarkStore(b *testing.B) {
	s, err := Open(b.Context(), testOptions(b))
	if err != nil {
		b.Fatal(err)
	}
	storagetest.Bench(b, s)
}
