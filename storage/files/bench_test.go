package files

import (
	"testing"

	"appstore/storage/storagetest"
)

func BenchmarkStore(b *testing.B) {
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	storagetest.Bench(b, s)
}
