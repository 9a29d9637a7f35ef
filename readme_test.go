package appstore

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadme runs the terminal transcript of the README against a server that
// was started as `make run` starts it, and looks for the lines that it shows.
func TestReadme(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: the README's commands are NOT checked", tool)
		}
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```console\n")
	transcript, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no console block")
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "appstore"), "./cmd/appstore")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	address := freeAddress(t)
	env := append(os.Environ(), "APPSTORE_ADDR="+address, "APPSTORE_URL=http://"+address, "APPSTORE_TOKEN=", "APPSTORE_LOG_LEVEL=warn",
		"PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	server := exec.Command(filepath.Join(dir, "bin", "appstore"), "serve", "--import", filepath.Join(root, "testdata", "catalogue"))
	logName := filepath.Join(dir, "server.log")
	log, err := os.Create(logName)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server.Dir, server.Env, server.Stdout, server.Stderr = dir, env, log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		said, err := os.ReadFile(logName)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(said, []byte("AppStore is ready at http://"+address+"/")) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the server is not ready after a minute; it said:\n%s", said)
		}
	}

	session := newSession(t, dir, env)
	for _, step := range steps(transcript) {
		out := session.run(strings.ReplaceAll(step.command, "127.0.0.1:8080", address))
		for _, line := range step.lines {
			line = strings.ReplaceAll(line, "127.0.0.1:8080", address)
			pattern := "(?m)^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*") + "$"
			if !regexp.MustCompile(pattern).MatchString(out) {
				t.Errorf("$ %s\ndoes not print the line\n%s\nbut\n%s", step.command, line, out)
			}
		}
	}
}

type step struct {
	command string
	lines   []string
}

func steps(transcript string) (all []step) {
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, step{command: command})
		} else if line != "" && line != "..." && len(all) > 0 {
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

// session is one shell, as a reader would have it.
type session struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Scanner
	n   int
}

func newSession(t *testing.T, dir string, env []string) *session {
	t.Helper()
	cmd := exec.Command("bash")
	cmd.Dir, cmd.Env = dir, env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	s := &session{t: t, in: bufio.NewWriter(in), out: bufio.NewScanner(out)}
	s.out.Buffer(nil, 1<<20)
	return s
}

func (s *session) run(command string) string {
	s.t.Helper()
	s.n++
	end := fmt.Sprintf("--end-of-%d--", s.n)
	fmt.Fprintf(s.in, "%s\necho; echo %s\n", command, end)
	if err := s.in.Flush(); err != nil {
		s.t.Fatal(err)
	}
	var b strings.Builder
	for s.out.Scan() {
		if s.out.Text() == end {
			return b.String()
		}
		b.WriteString(s.out.Text() + "\n")
	}
	s.t.Fatalf("the shell ended in: %s", command)
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
