package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrInUse is wrapped by the error of Open for a folder that another process,
// or another Store of this one, has open. The error says who.
var ErrInUse = errors.New("the data folder is in use")

// takeLock locks the file at path and writes who holds it into it. The lock is
// the kernel's and ends with the process, however that ends; the text is for
// people, and means nothing while nobody holds the lock.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		holder := "somebody who has not said who"
		if text, err := io.ReadAll(io.LimitReader(f, 1000)); err == nil && len(text) > 0 {
			holder = strings.TrimSpace(string(text))
		}
		return nil, fmt.Errorf("%w by %s: stop it, ask it over HTTP, or choose another folder", ErrInUse, holder)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	holder := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(holder), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}
