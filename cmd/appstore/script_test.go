package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the program, too, when it is called appstore:
// scripts and the tests that kill servers run what main runs.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"appstore": main})
}

// TestScripts runs testdata/script. Beside testscript's own commands there are
//
//	server start [NAME=VALUE...] [FLAG...]  run a server on a free port; sets APPSTORE_URL
//	server stop                             stop it as SIGTERM does
//	status CODE COMMAND...                  run it; it must exit with CODE
//	until PATTERN COMMAND...                run it until its output matches, for a minute
//	token FILE                              set APPSTORE_TOKEN from a file; - unsets it
//	damage PATTERN                          change a byte in the one file that matches
//	remove-one PATTERN                      remove the one file that matches
func TestScripts(t *testing.T) {
	catalogue, err := filepath.Abs("../../testdata/catalogue")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CATALOGUE", catalogue)
			e.Values[serverKey] = &testServer{}
			e.Defer(func() { e.Values[serverKey].(*testServer).stop() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":     serverCommand,
			"status":     statusCommand,
			"until":      untilCommand,
			"token":      tokenScriptCommand,
			"damage":     damageCommand,
			"remove-one": removeCommand,
		},
	})
}

const serverKey = "server"

// testServer is a server that runs in the test's process.
type testServer struct {
	cancel context.CancelFunc
	exit   chan int
	out    *lockedBuffer
	err    *lockedBuffer
}

// lockedBuffer collects what a server writes while others read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var readyLine = regexp.MustCompile(`AppStore is ready at (http://\S+)/\n`)

// start runs a server until it says that it is ready; it returns its address.
func (s *testServer) start(env map[string]string, flags ...string) (url string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.exit, s.out, s.err = cancel, make(chan int, 1), &lockedBuffer{}, &lockedBuffer{}
	args := append([]string{"serve", "--addr", "127.0.0.1:0", "--log-level", "warn"}, flags...)
	go func() {
		s.exit <- run(ctx, args, strings.NewReader(""), s.out, s.err, func(name string) string { return env[name] })
	}()
	for range 600 {
		if m := readyLine.FindStringSubmatch(s.out.String()); m != nil {
			return m[1], nil
		}
		select {
		case code := <-s.exit:
			s.cancel = nil
			return "", errors.New("the server exited with " + strconv.Itoa(code) + ":\n" + s.err.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return "", errors.New("the server is not ready after 30 s:\n" + s.err.String())
}

// stop stops the server, if it runs, and returns its exit code.
func (s *testServer) stop() int {
	if s.cancel == nil {
		return 0
	}
	s.cancel()
	s.cancel = nil
	return <-s.exit
}

func serverCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(serverKey).(*testServer)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server start|stop")
	}
	switch args[0] {
	case "start":
		env := map[string]string{}
		args = args[1:]
		for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			name, value, _ := strings.Cut(args[0], "=")
			env[name], args = value, args[1:]
		}
		url, err := s.start(env, append([]string{"--data", ts.MkAbs("data")}, args...)...)
		ts.Check(err)
		ts.Setenv("APPSTORE_URL", url)
	case "stop":
		if code := s.stop(); code != 0 {
			ts.Fatalf("the server exited with %d:\n%s", code, s.err.String())
		}
	default:
		ts.Fatalf("server %s?", args[0])
	}
}

func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	have := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		have = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if have != want {
		ts.Fatalf("%v exits with %d, want %d", args[1:], have, want)
	}
}

func untilCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v does not print %s within a minute", args[1:], args[0])
		}
	}
}

func tokenScriptCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: token FILE")
	}
	token := ""
	if args[0] != "-" {
		token = strings.TrimSpace(ts.ReadFile(args[0]))
	}
	ts.Setenv("APPSTORE_TOKEN", token)
}

func oneFile(ts *testscript.TestScript, args []string) string {
	if len(args) != 1 {
		ts.Fatalf("one pattern is needed")
	}
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s matches %d files: %v", args[0], len(found), found)
	}
	return found[0]
}

func damageCommand(ts *testscript.TestScript, _ bool, args []string) {
	name := oneFile(ts, args)
	data, err := os.ReadFile(name)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(name, data, 0o600))
}

func removeCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Remove(oneFile(ts, args)))
}
