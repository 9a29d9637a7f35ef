package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"appstore/api/client"
)

// serverProcess is a server in a process of its own, which can be killed.
type serverProcess struct {
	cmd *exec.Cmd
	out *lockedBuffer
	err *lockedBuffer
	url string
}

// startProcess starts the program as its users do.
func startProcess(t *testing.T, data string, env ...string) *serverProcess {
	t.Helper()
	s := &serverProcess{
		cmd: exec.Command("appstore", "serve", "--addr", "127.0.0.1:0", "--data", data, "--log-level", "warn"),
		out: &lockedBuffer{}, err: &lockedBuffer{},
	}
	s.cmd.Env = append(append(os.Environ(), "APPSTORE_TOKEN=of-the-test"), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.err
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	for range 600 {
		if m := readyLine.FindStringSubmatch(s.out.String()); m != nil {
			s.url = m[1]
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the server is not ready after 30 s:\n%s", s.err.String())
	return nil
}

// kill is kill -9.
func (s *serverProcess) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // it says that it was killed
}

// TestKill kills the server at random instants while clients publish 200
// releases, each with a descriptor and two files. After the last restart every
// acknowledged release is there, whole, and so is every listed one (truth 2);
// and each can be published again, with 200 or 201.
func TestKill(t *testing.T) {
	const releases, clients = 200, 4
	data := filepath.Join(t.TempDir(), "data")
	server := startProcess(t, data)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	var mu sync.Mutex // guards address, acknowledged
	address := server.url
	acknowledged := map[string]string{} // version: digest
	work := make(chan string)
	var publishers sync.WaitGroup
	for range clients {
		publishers.Go(func() {
			for version := range work {
				mu.Lock()
				c := client.New(address, "of-the-test")
				mu.Unlock()
				// An error is no acknowledgement, and no fault: the server is killed.
				if p, err := publishKilled(t.Context(), c, version); err == nil {
					mu.Lock()
					acknowledged[version] = p.Digest
					mu.Unlock()
				}
			}
		})
	}
	kills := 0
	next := random.IntN(20)
	for i := range releases {
		work <- killedVersion(i)
		if i == next {
			time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
			server.kill()
			kills++
			server = startProcess(t, data)
			mu.Lock()
			address = server.url
			mu.Unlock()
			next = i + 10 + random.IntN(20)
		}
	}
	close(work)
	publishers.Wait()
	server.kill()

	server = startProcess(t, data)
	c := client.New(server.url, "of-the-test")
	listed := allReleases(t, c, "Killed")
	for version, digest := range acknowledged {
		if listed[version] != digest {
			t.Errorf("%s was acknowledged with digest %.12s and is listed with %.12q", version, digest, listed[version])
		}
	}
	for version := range listed {
		if err := whole(t.Context(), c, version); err != nil {
			t.Errorf("%s is listed, and not whole: %v", version, err)
		}
	}
	t.Logf("%d kills, %d of %d acknowledged, %d listed", kills, len(acknowledged), releases, len(listed))
	if len(acknowledged) == 0 || kills < 5 {
		t.Errorf("that tests little")
	}
	for i := range releases {
		if _, err := publishKilled(t.Context(), c, killedVersion(i)); err != nil {
			t.Errorf("%s can't be published again: %v", killedVersion(i), err)
		}
	}
	if n := len(allReleases(t, c, "Killed")); n != releases {
		t.Errorf("%d releases are listed, want %d", n, releases)
	}
	if code, out, errs := command(t, nil, "journal", "verify", "--data", data); code != 0 {
		t.Errorf("the journal: %s%s", out, errs)
	}
}

func killedVersion(i int) string { return fmt.Sprintf("1.%d.0", i) }

// publishKilled publishes a release of the plugin Killed; it may be cut off.
func publishKilled(ctx context.Context, c *client.Client, version string) (*client.Published, error) {
	descriptor := fmt.Sprintf("name: Killed\nversion: %s\nbackend: killed\nbackend_component: killed.Plugin\nfront_end: killed-ui\nfrontend_component: Killed\n", version)
	files := []client.FileSource{
		memoryFile("killed-"+version+"-py3-none-any.whl", wheel("killed", version, "")),
		memoryFile("killed-ui-"+version+".tgz", tarball("killed-ui", version, "")),
	}
	return c.Publish(ctx, "Killed", []byte(descriptor), files, nil)
}

func memoryFile(name string, content []byte) client.FileSource {
	return client.FileSource{
		Name: name, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// allReleases gives the digest of each release of a plugin.
func allReleases(t *testing.T, c *client.Client, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for after := ""; ; {
		page, err := c.Releases(t.Context(), name, "", after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			all[r.Version] = r.Digest
		}
		if after = page.Next; after == "" {
			return all
		}
	}
}

// whole downloads all of a release and compares it with its digests.
func whole(ctx context.Context, c *client.Client, version string) error {
	r, err := c.Release(ctx, "Killed", version)
	if err != nil {
		return err
	}
	if len(r.Files) != 2 {
		return fmt.Errorf("it has %d files", len(r.Files))
	}
	files, err := filesOf(r)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := c.Download(ctx, r, f, io.Discard, nil); err != nil {
			return err
		}
	}
	return nil
}
