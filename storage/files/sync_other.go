//go:build !linux

package files

import (
	"io/fs"
	"os"
	"path/filepath"
)

// syncAll fsyncs every folder in dir, and dir. The files have been fsynced
// before they came there.
func syncAll(dir *os.File) error {
	return filepath.WalkDir(dir.Name(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
