package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// cache is the folder that fetched engines are kept in.
type cache struct {
	log     *progress
	elastic struct {
		once sync.Once
		home string
		err  error
	}
}

// cacheDir is outside the tree, and for root outside its home, which the user
// that Elasticsearch runs as can't read.
func cacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/appstore/engines", nil
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "appstore", "engines"), nil
}

// install returns the folder of an engine. If it is absent, fill makes it: in
// a folder beside, which gets its name when it is complete. Two processes that
// need the same engine fetch it once.
func (c *cache) install(ctx context.Context, name string, fill func(dir string) error) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	return c.installIn(ctx, dir, name, fill)
}

func (c *cache) installIn(ctx context.Context, dir, name string, fill func(dir string) error) (string, error) {
	target := filepath.Join(dir, name)
	if isDir(target) {
		return target, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(target+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := c.waitForLock(ctx, lock, name); err != nil {
		return "", err
	}
	if isDir(target) {
		return target, nil // another process was faster
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	beside := target + ".part"
	if err := os.RemoveAll(beside); err != nil { // left by one that was killed
		return "", err
	}
	if err := os.Mkdir(beside, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(beside)
	if err := fill(beside); err != nil {
		return "", err
	}
	return target, os.Rename(beside, target)
}

// waitForLock locks a file for as long as it is open.
func (c *cache) waitForLock(ctx context.Context, f *os.File, name string) error {
	for first := true; ; first = false {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if first {
			c.log.print("waiting for another process that fetches %s", name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func isDir(path string) bool {
	stat, err := os.Stat(path)
	return err == nil && stat.IsDir()
}

// checkSum compares the sha256 of a file, in hexadecimal digits.
func checkSum(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has the sha256 %s, not %s: it is not what was pinned, and is not used", filepath.Base(path), got, want)
	}
	return nil
}
