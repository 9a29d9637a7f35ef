package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The peers, pinned.
const (
	verdaccio  = "verdaccio@6.8.0" // the newest that runs on Node 20
	pypiserver = "pypiserver==2.4.2"
	token      = "of-the-benchmark"
)

// startUs builds and starts the AppStore on its embedded default.
func (b *bench) startUs(dir string) (url string, err error) {
	program := filepath.Join(dir, "appstore")
	if out, err := exec.CommandContext(b.ctx, "go", "build", "-o", program, "./cmd/appstore").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	c := exec.Command(program, "serve", "--addr", port, "--data", filepath.Join(dir, "data"), "--log-level", "error")
	c.Env = append(os.Environ(), "APPSTORE_TOKEN="+token)
	return "http://" + port, b.start(c, "http://"+port+"/readyz")
}

func (b *bench) startVerdaccio(dir string) (url string, err error) {
	modules, err := installed("verdaccio", verdaccio, func(to string) *exec.Cmd {
		// One of its dependencies names a tag that is not there any more.
		_ = os.WriteFile(filepath.Join(to, "package.json"), []byte(`{"private":true,"overrides":{"node-fetch":"2.7.0"}}`), 0o644)
		return exec.CommandContext(b.ctx, "npm", "install", "--prefix", to, "--no-audit", "--no-fund", verdaccio)
	})
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	config := filepath.Join(dir, "verdaccio.yaml")
	if err := os.WriteFile(config, []byte(`storage: `+filepath.Join(dir, "verdaccio")+`
packages: {"**": {access: $all, publish: $all, unpublish: $all}}
log: {type: stdout, level: error}
max_body_size: 100mb
userRateLimit: {windowMs: 1000, max: 1000000}
`), 0o600); err != nil {
		return "", err
	}
	c := exec.Command("node", filepath.Join(modules, "node_modules/verdaccio/bin/verdaccio"), "--config", config, "--listen", port)
	c.Dir = dir
	return "http://" + port, b.start(c, "http://"+port+"/-/ping")
}

func (b *bench) startPypiserver(dir, packages string) (url string, err error) {
	venv, err := installed("pypiserver", pypiserver, func(to string) *exec.Cmd {
		return exec.CommandContext(b.ctx, "sh", "-c", `python3 -m venv "$0" && "$0/bin/pip" install -q "$1" gunicorn setuptools\<81`, to, pypiserver)
	})
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	host, number, _ := strings.Cut(port, ":")
	c := exec.Command(filepath.Join(venv, "bin/pypi-server"), "run", "-i", host, "-p", number, "--server", "gunicorn", "-a", ".", "-P", ".", "--disable-fallback", packages)
	c.Dir = dir
	return "http://" + port, b.start(c, "http://"+port+"/simple/")
}

// installed is the folder of a peer in the cache; what is half installed has
// another name.
func installed(name, version string, install func(to string) *exec.Cmd) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "appstore", "peers", strings.NewReplacer("@", "-", "=", "-").Replace(version))
	done := filepath.Join(folder, ".installed")
	if _, err := os.Stat(done); err == nil {
		return folder, nil
	}
	fmt.Fprintf(os.Stderr, "bench: installing %s into %s\n", version, folder)
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	if out, err := install(folder).CombinedOutput(); err != nil {
		return "", fmt.Errorf("install %s: %w\n%s", name, err, out)
	}
	return folder, os.WriteFile(done, nil, 0o644)
}

// start starts a server, waits until it answers, and has it stopped at the end.
func (b *bench) start(c *exec.Cmd, ready string) error {
	var said lockedBuffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- c.Wait() }()
	b.closers = append(b.closers, func() error {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
		}
		return nil
	})
	for range 300 {
		select {
		case err := <-exited:
			exited <- err
			return fmt.Errorf("%s ended: %v\n%s", c.Path, err, said.String())
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if res, err := http.Get(ready); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("%s is not ready after 30 s\n%s", c.Path, said.String())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// lockedBuffer takes what a process says.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
