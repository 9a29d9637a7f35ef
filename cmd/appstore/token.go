package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// tokenFile is the server's token in its data folder. It is the only place
// where the token is written: what a server prints ends in log files.
const tokenFile = "token"

// tokenPrefix tells people, and scanners of leaked secrets, what it is.
const tokenPrefix = "appstore_"

// tokens gives a server its token: the one of APPSTORE_TOKEN, else what the
// file holds now, so that `appstore token reset` counts at once.
type tokens struct {
	fixed string
	path  string

	mu       sync.Mutex
	token    string
	modified time.Time
	size     int64
	inode    os.FileInfo
}

// openTokens makes the file if it is needed and absent.
func openTokens(fixed, folder string) (*tokens, error) {
	fixed = strings.TrimSpace(fixed)
	if err := checkToken(fixed); err != nil {
		return nil, err
	}
	t := &tokens{fixed: fixed, path: filepath.Join(folder, tokenFile)}
	if fixed != "" {
		return t, nil
	}
	if _, err := os.Stat(t.path); errors.Is(err, os.ErrNotExist) {
		return t, newToken(t.path)
	}
	_, err := t.current()
	return t, err
}

// current is the token that counts now.
func (t *tokens) current() (string, error) {
	if t.fixed != "" {
		return t.fixed, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.path)
	if err != nil {
		return "", err
	}
	if t.inode != nil && os.SameFile(info, t.inode) && info.ModTime().Equal(t.modified) && info.Size() == t.size {
		return t.token, nil
	}
	text, err := os.ReadFile(t.path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty: run `appstore token reset`", t.path)
	}
	t.token, t.modified, t.size, t.inode = token, info.ModTime(), info.Size(), info
	return token, nil
}

// newToken writes a new random token (128 bits) to path, whole or not at all.
func newToken(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(tokenPrefix + strings.ToLower(rand.Text()) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// checkToken refuses what can't be sent as a bearer token (RFC 6750, section 2.1).
func checkToken(token string) error {
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return usagef("the token has spaces or characters that are not ASCII: is APPSTORE_TOKEN, or the file, really the token?")
		}
	}
	return nil
}

func (a *app) tokenCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "token",
		Short: "Replace the server's token, or say where it is",
		Long: `A server that was started without APPSTORE_TOKEN keeps its token in a file of its
data folder that only its user can read. These commands run where that folder is.`,
		Example: `  export APPSTORE_TOKEN=$(cat "$(appstore token path)")
  appstore token reset --data /srv/appstore`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("say which: `appstore token path` or `appstore token reset`")
		},
	}
	c := &config{}
	reset := &cobra.Command{
		Use:   "reset",
		Short: "Make a new token; the old one stops working at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := c.tokenPath(cmd, a.env)
			if err != nil {
				return err
			}
			if err := newToken(path); err != nil {
				return err
			}
			a.say("A new token is in %s; the old one has stopped working.", path)
			if a.env("APPSTORE_TOKEN") != "" {
				a.note("APPSTORE_TOKEN is set here: a server started with it uses that, and not the file.")
			}
			return nil
		},
	}
	path := &cobra.Command{
		Use:   "path",
		Short: "Print the path of the file with the token",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := c.tokenPath(cmd, a.env)
			if err != nil {
				return err
			}
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("there is no token in %s: a server makes one at its start, `appstore token reset` now", filepath.Dir(path))
			}
			a.say("%s", path)
			return nil
		},
	}
	for _, sub := range []*cobra.Command{reset, path} {
		c.flags(sub, partData)
		parent.AddCommand(sub)
	}
	return parent
}

func (c *config) tokenPath(cmd *cobra.Command, env func(string) string) (string, error) {
	if err := c.read(cmd, env, partData); err != nil {
		return "", err
	}
	if info, err := os.Stat(c.data); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no data folder %s: name the server's with --data or APPSTORE_DATA", c.data)
	}
	folder, err := filepath.Abs(c.data)
	return filepath.Join(folder, tokenFile), err
}
