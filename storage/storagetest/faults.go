package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"appstore/storage"
)

// LostAnswers is a store whose writes happen while their answers get lost: by
// a connection that breaks, or by a disk that fails after the object has been
// placed.
type LostAnswers struct {
	Store storage.Store
	Lose  func(writes int)     // lets the answers of the next writes get lost
	After func() storage.Store // the store after the trouble: what it has is what lasts
}

// RunLostAnswers tests what the contract says of writes whose answer is lost.
// open returns a new and empty store for each test.
func RunLostAnswers(t *testing.T, open func(t *testing.T) LostAnswers) {
	for _, writes := range []int{1, 1000} {
		for name, test := range map[string]func(t *testing.T, l LostAnswers, writes int){
			"Create":       testCreateLost,
			"CreateExists": testCreateExistsLost,
			"Put":          testPutLost,
		} {
			t.Run(fmt.Sprintf("%s/%d", name, writes), func(t *testing.T) { test(t, open(t), writes) })
		}
	}
}

// testCreateLost creates and, as a caller does who must know, asks until the
// outcome is certain. Whatever an answer has then shown must last.
func testCreateLost(t *testing.T, l LostAnswers, writes int) {
	data := noise(100)
	create(t, l.Store, "d/before", data)
	l.Lose(writes)
	err := l.Store.Create(t.Context(), "d/k", data)
	if err != nil {
		wantErr(t, "create", err, storage.ErrUnknown)
	}
	shown := ""
	if err == nil {
		shown = "create was answered with nil"
	}
	if got, _, err := read(t.Context(), l.Store, "d/k", storage.Read{}); err == nil {
		shown = "it was read"
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes were read, not those created", len(got))
		}
	} else if !errors.Is(err, storage.ErrNotExist) {
		wantErr(t, "get", err, storage.ErrUnavailable)
	}
	for info, err := range l.Store.List(t.Context(), "d/k", "") {
		if err != nil {
			wantErr(t, "list", err, storage.ErrUnavailable)
		} else if info.Key == "d/k" {
			shown = "it was listed"
		}
	}
	again := l.Store.Create(t.Context(), "d/k", data)
	switch {
	case again == nil && err == nil:
		t.Error("two creates were answered with nil")
	case again == nil:
		shown = "a second create was answered with nil"
	case errors.Is(again, storage.ErrExist):
		shown = "a second create was told that it exists"
	case !errors.Is(again, storage.ErrUnknown):
		wantErr(t, "create again", again, storage.ErrUnavailable)
	}

	after := l.After()
	wantObject(t, after, "d/before", data)
	got, _, err := read(t.Context(), after, "d/k", storage.Read{})
	switch {
	case err == nil && !bytes.Equal(got, data):
		t.Errorf("%d bytes are there, not those created", len(got))
	case err != nil:
		wantErr(t, "get", err, storage.ErrNotExist)
		if shown != "" {
			t.Errorf("%s, and now it is gone", shown)
		}
	}
}

// testCreateExistsLost creates what somebody else has created.
func testCreateExistsLost(t *testing.T, l LostAnswers, writes int) {
	data := noise(100)
	create(t, l.Store, "d/k", data)
	l.Lose(writes)
	for range 2 {
		wantErr(t, "create", l.Store.Create(t.Context(), "d/k", data), storage.ErrExist)
	}
	wantObject(t, l.After(), "d/k", data)
}

// testPutLost replaces an object.
func testPutLost(t *testing.T, l LostAnswers, writes int) {
	before, data := noise(100), noise(200)
	put(t, l.Store, "d/k", before)
	l.Lose(writes)
	err := l.Store.Put(t.Context(), "d/k", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		wantErr(t, "put", err, storage.ErrUnknown)
	}
	shown, _, readErr := read(t.Context(), l.Store, "d/k", storage.Read{})
	if readErr != nil {
		wantErr(t, "get", readErr, storage.ErrUnavailable)
	}
	if err == nil {
		shown = data
	}
	got, _, err := read(t.Context(), l.After(), "d/k", storage.Read{})
	switch {
	case err != nil:
		t.Errorf("get: %v", err)
	case !slices.ContainsFunc([][]byte{before, data}, func(d []byte) bool { return bytes.Equal(d, got) }):
		t.Errorf("%d bytes are there, which nobody has put", len(got))
	case shown != nil && !bytes.Equal(got, shown):
		t.Errorf("%d bytes are there, and %d were shown", len(got), len(shown))
	}
}
