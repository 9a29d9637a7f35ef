package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"appstore/api/client"
	"appstore/storage/s3"
)

// startReplicas runs two servers over one bucket and one Elasticsearch, each
// with a data folder of its own.
func startReplicas(t *testing.T) [2]*client.Client {
	t.Helper()
	env := realEngines(t, "two servers over one bucket and one Elasticsearch")
	return [2]*client.Client{startServer(t, env), startServer(t, env)}
}

// realEngines are the settings of servers over the real engines, with a place in
// them that is swept at the end; what says what is not checked without them.
func realEngines(t *testing.T, what string) map[string]string {
	t.Helper()
	v := needs(t, what,
		"APPSTORE_TEST_S3_ENDPOINT", "APPSTORE_TEST_S3_ACCESS_KEY", "APPSTORE_TEST_S3_SECRET_KEY", "APPSTORE_TEST_ELASTICSEARCH_URL")
	name := "appstore-test-" + strings.ToLower(rand.Text())
	env := map[string]string{
		"APPSTORE_S3_ENDPOINT": v[0], "APPSTORE_S3_ACCESS_KEY": v[1], "APPSTORE_S3_SECRET_KEY": v[2],
		"APPSTORE_S3_BUCKET": "appstore-test", "APPSTORE_S3_PREFIX": name,
		"APPSTORE_ELASTICSEARCH_URL": v[3], "APPSTORE_ELASTICSEARCH_INDEX": name,
	}
	t.Cleanup(func() { sweep(t, v, name) })
	return env
}

// sweep removes what the servers of a test have left in the shared engines.
func sweep(t *testing.T, v []string, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := s3.Open(ctx, s3.Options{Endpoint: v[0], AccessKey: v[1], SecretKey: v[2], Bucket: "appstore-test", Prefix: name})
	if err != nil {
		t.Error(err)
		return
	}
	for info, err := range store.List(ctx, "", "") {
		if err == nil {
			err = store.Delete(ctx, info.Key)
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v[3]+"/_cat/indices/"+name+"*?h=index", nil)
	if err != nil {
		t.Error(err)
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	var index string
	for {
		if _, err := fmt.Fscan(res.Body, &index); err != nil {
			return
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodDelete, v[3]+"/"+index, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}
}

const racers = 50

// upload is what one of many clients publishes.
type upload struct {
	name, version string
	descriptor    string
	files         []client.FileSource
}

// together publishes all uploads at the same moment, half of them at each
// server.
func together(t *testing.T, servers [2]*client.Client, uploads []upload) (published []*client.Published, errs []error) {
	t.Helper()
	published, errs = make([]*client.Published, len(uploads)), make([]error, len(uploads))
	start := make(chan struct{})
	var g sync.WaitGroup
	for i, u := range uploads {
		g.Go(func() {
			<-start
			published[i], errs[i] = servers[i%2].Publish(t.Context(), u.name, []byte(u.descriptor), u.files, nil)
		})
	}
	close(start)
	g.Wait()
	return published, errs
}

// TestReplicasRace: of many that publish the same name@version with different
// bytes exactly one wins, whatever it is that differs, and both servers agree
// on which (truths 1 and 9).
func TestReplicasRace(t *testing.T) {
	servers := startReplicas(t)
	for _, test := range []struct {
		name             string
		descriptor, file bool // what differs
	}{
		{"Descriptors", true, false},
		{"Files", false, true},
		{"Both", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := "Race" + test.name
			uploads := make([]upload, racers)
			for i := range uploads {
				summary, content := "The same", "the same"
				if test.descriptor {
					summary = fmt.Sprintf("Number %d", i)
				}
				if test.file {
					content = fmt.Sprintf("number %d", i)
				}
				pkg := strings.ToLower(name)
				uploads[i] = upload{
					name, "1.0.0",
					fmt.Sprintf("name: %s\nversion: 1.0.0\nsummary: %s\nbackend: %s\nbackend_component: %s.Plugin\nfront_end: %s-ui\nfrontend_component: Race\n", name, summary, pkg, pkg, pkg),
					[]client.FileSource{
						memoryFile(pkg+"-1.0.0-py3-none-any.whl", wheel(pkg, "1.0.0", content)),
						memoryFile(pkg+"-ui-1.0.0.tgz", tarball(pkg+"-ui", "1.0.0", "the same")),
					},
				}
			}
			published, errs := together(t, servers, uploads)
			winner := -1
			for i, err := range errs {
				var answer *client.Error
				switch {
				case err == nil && winner < 0:
					winner = i
				case err == nil:
					t.Errorf("%d and %d have both won", winner, i)
				case !errors.As(err, &answer) || answer.Status != http.StatusConflict:
					t.Errorf("%d lost with %v, want a conflict", i, err)
				}
			}
			if winner < 0 {
				t.Fatal("nobody has won")
			}
			if !published[winner].Created {
				t.Error("the winner is told that it was there already")
			}
			for i, server := range servers {
				r, err := server.Release(t.Context(), name, "1.0.0")
				if err != nil {
					t.Fatal(err)
				}
				if r.Digest != published[winner].Digest {
					t.Errorf("server %d has the digest %.12s, the winner's is %.12s", i, r.Digest, published[winner].Digest)
				}
				text, err := server.Descriptor(t.Context(), name, "1.0.0")
				if err != nil || string(text) != uploads[winner].descriptor {
					t.Errorf("server %d has another descriptor than the winner's: %v\n%s", i, err, text)
				}
			}
			// The winner again, at the other server: the same release.
			u := uploads[winner]
			again, err := servers[(winner+1)%2].Publish(t.Context(), u.name, []byte(u.descriptor), u.files, nil)
			if err != nil || again.Created || again.Digest != published[winner].Digest {
				t.Errorf("the winner again: %+v, %v", again, err)
			}
		})
	}
}

// TestReplicasTogether: of many different versions of one plugin that are
// published at once none is lost, and an exact one is found on every server as
// soon as it is acknowledged (truth 4).
func TestReplicasTogether(t *testing.T) {
	servers := startReplicas(t)
	uploads := make([]upload, racers)
	for i := range uploads {
		version := fmt.Sprintf("1.%d.0", i)
		uploads[i] = upload{"Together", version, fmt.Sprintf("name: Together\nversion: %s\nbackend_component: together.Together\n", version), nil}
	}
	_, errs := together(t, servers, uploads)
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", uploads[i].version, err)
			continue
		}
		for n, server := range servers {
			if _, err := server.Release(t.Context(), "Together", uploads[i].version); err != nil {
				t.Errorf("server %d does not know %s: %v", n, uploads[i].version, err)
			}
		}
	}
	newest := fmt.Sprintf("1.%d.0", racers-1)
	for n, server := range servers {
		// What is movable may be 2 s old on the server that did not change it, and
		// the index follows; both take longer on a machine that is busy.
		if !within(time.Minute, func() bool { return len(allReleases(t, server, "Together")) == racers }) {
			t.Errorf("server %d lists %d releases, want %d", n, len(allReleases(t, server, "Together")), racers)
		}
		if !within(time.Minute, func() bool {
			found, err := server.Search(t.Context(), client.Query{Text: "together"})
			return err == nil && found.Total == 1 && found.Items[0].Version == newest
		}) {
			t.Errorf("server %d does not find Together %s", n, newest)
		}
	}
}

// within tries until it is so, or the time is over.
func within(limit time.Duration, so func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if so() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
