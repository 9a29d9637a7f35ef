package elastic

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// Many who want the tokens of a letter wait for one request, which goes on
// when the one who asked first has gone.
func TestVocabularyIsReadOnce(t *testing.T) {
	var mu sync.Mutex
	reads := 0
	asked, release := make(chan struct{}, 9), make(chan struct{})
	v := &vocabulary{read: func(ctx context.Context, first string) ([]string, error) {
		mu.Lock()
		reads++
		mu.Unlock()
		asked <- struct{}{}
		<-release
		return []string{first + "x"}, ctx.Err()
	}}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := v.of(ctx, "g")
		gone <- err
	}()
	<-asked
	// On a slow machine the tokens may be too old before all have asked.
	v.mu.Lock()
	v.letters["g"].asked = time.Now().Add(time.Hour)
	v.mu.Unlock()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone gets %v", err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if tokens, err := v.of(t.Context(), "g"); err != nil || len(tokens) != 1 || tokens[0] != "gx" {
				t.Errorf("%v, %v", tokens, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if reads != 1 {
		t.Errorf("%d requests", reads)
	}
	v.mu.Lock()
	v.letters["g"].asked = time.Now().Add(-vocabularyAge)
	v.mu.Unlock()
	if _, err := v.of(t.Context(), "h"); err != nil {
		t.Error(err)
	}
	if _, err := v.of(t.Context(), "g"); err != nil || reads != 3 {
		t.Errorf("%v, %d requests, want 3: another letter, and one too old", err, reads)
	}
	if len(v.letters) > 2 {
		t.Errorf("%d letters are kept", len(v.letters))
	}
}
