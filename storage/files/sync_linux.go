package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll flushes the file system that dir is on, and so everything in dir.
func syncAll(dir *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(dir.Fd())))
}
