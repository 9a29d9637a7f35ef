package storagetest

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"appstore/storage"
)

// Bench measures a new and empty store.
func Bench(b *testing.B, s storage.Store) {
	n := 0 // keys are never written again
	key := func() string {
		n++
		return fmt.Sprintf("bench/%06d/%03d", n/1000, n%1000)
	}
	entry := noise(4 << 10)
	b.Run("Create/4K", func(b *testing.B) {
		for b.Loop() {
			if err := s.Create(b.Context(), key(), entry); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, size := range []int{4 << 10, 1 << 20} {
		name := fmt.Sprintf("%dK", size>>10)
		data := noise(size)
		b.Run("Put/"+name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := s.Put(b.Context(), key(), bytes.NewReader(data), int64(size)); err != nil {
					b.Fatal(err)
				}
			}
		})
		there := key()
		if err := s.Create(b.Context(), there, data); err != nil {
			b.Fatal(err)
		}
		for how, o := range map[string]storage.Read{"Get/": {}, "GetPart/": {Offset: 1}} {
			b.Run(how+name, func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					r, _, err := s.Get(b.Context(), there, o)
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, r); err != nil || n < int64(size)-1 {
						b.Fatal(n, err)
					}
					r.Close()
				}
			})
		}
	}
}
