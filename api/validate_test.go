package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"appstore/api"
)

// Texts take memory while they are read, and anybody may send them: few are read
// at the same time, and who waits for a place may leave.
func TestValidateWaitsForAPlace(t *testing.T) {
	h, free := api.Checking(embedded(t).reg)
	post := func(ctx context.Context) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/validate", strings.NewReader(plain("X", "1.0.0", "Text")))
		r.Header.Set("Content-Type", "application/yaml")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	leaves, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if w := post(leaves); w.Code == http.StatusOK {
		t.Errorf("with all places taken a text was read: %s", w.Body)
	}
	free()
	for range 2 { // the place is given back
		if w := post(t.Context()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"valid":true`) {
			t.Errorf("with a free place: %d %s", w.Code, w.Body)
		}
	}
}
