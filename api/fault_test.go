package api_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"appstore/api"
	"appstore/api/client"
	"appstore/storage"
	"appstore/storage/files"
)

// failing is a store that can be switched off.
type failing struct {
	storage.Store
	down atomic.Bool
}

func (f *failing) err() error {
	if f.down.Load() {
		return storage.ErrUnavailable
	}
	return nil
}

func (f *failing) Get(ctx context.Context, key string, o storage.Read) (io.ReadCloser, storage.Info, error) {
	if err := f.err(); err != nil {
		return nil, storage.Info{}, err
	}
	return f.Store.Get(ctx, key, o)
}

func (f *failing) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Put(ctx, key, r, size)
}

func (f *failing) Create(ctx context.Context, key string, data []byte) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.Store.Create(ctx, key, data)
}

func (f *failing) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	if err := f.err(); err != nil {
		return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, err) }
	}
	return f.Store.List(ctx, prefix, after)
}

// Without storage every answer that needs it is a clear 503; what the
// catalogue knows is still told; afterwards all goes on.
func TestStorageDown(t *testing.T) {
	below, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { below.Close() })
	store := &failing{Store: below}
	p := serve(t, store, openBleve(t), "")
	r := p.publish(bundle("Up", "1.0.0"), bundleFiles(t, "Up", "1.0.0")...)
	store.down.Store(true)

	body, kind := formOf(bodyPart{`form-data; name="descriptor"; filename="plugin.yaml"`, plain("Down", "1.0.0", "Text")})
	for name, q := range map[string]request{
		"publish": {method: "POST", path: "/api/v1/plugins/down/releases", body: body, header: map[string]string{"Content-Type": kind}},
		"file":    {path: r.Files[0].URL},
		"ready":   {path: "/readyz"},
		"missing": {path: "/api/v1/plugins/elsewhere"}, // may be another replica's news
	} {
		res := p.do(q)
		if e := problemIn(t, res); e.Status != 503 || e.Code != "unavailable" || res.Header.Get("Retry-After") == "" || e.Fix == "" {
			t.Errorf("%s: %s", name, res.text)
		}
	}
	for _, path := range []string{"/healthz", "/api/v1/plugins/up", "/api/v1/plugins/up/releases/1.0.0", "/api/v1/plugins"} {
		if res := p.get(path); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
	store.down.Store(false)
	if _, err := p.client.Plugin(t.Context(), "down"); err == nil {
		t.Error("half of a publish is there")
	}
	if again := p.publish(plain("Down", "1.0.0", "Text")); !again.Created {
		t.Error("the refused publish left something")
	}
}

// A large upload is refused before it is sent.
func TestRefusedBeforeSent(t *testing.T) {
	p := embedded(t)
	c := client.New(p.url, "wrong")
	opened := false
	big := client.FileSource{Name: "big-1.0.0.tgz", Size: 1 << 30, Open: func() (io.ReadCloser, error) {
		opened = true
		return io.NopCloser(endless{}), nil
	}}
	_, err := c.Publish(t.Context(), "Big", []byte(plain("Big", "1.0.0", "x")), []client.FileSource{big}, nil)
	wantError(t, err, "unauthorised")
	if opened {
		t.Error("the file was opened although the token is wrong")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// sluggish is a store that takes its time to write files.
type sluggish struct{ storage.Store }

func (s sluggish) Put(ctx context.Context, key string, r io.ReadSeeker, size int64) error {
	select {
	case <-time.After(1500 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Store.Put(ctx, key, r, size)
}

// A body that stands still is given up; storing what has come may take longer.
func TestBodyPause(t *testing.T) {
	defer api.SetBodyPause(time.Second)()
	store, err := files.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p := serve(t, sluggish{store}, openBleve(t), "")
	p.publish(bundle("Slow", "1.0.0"), bundleFiles(t, "Slow", "1.0.0")...)

	stuck, stop := io.Pipe()
	defer stop.Close()
	go stop.Write([]byte("--x\r\nContent-Disposition: form-data; name=\"descriptor\"\r\n\r\nname: "))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/v1/plugins/stuck/releases", stuck)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("a body that stands still is answered %d", res.StatusCode)
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it was given up after %s", took)
	}
}
