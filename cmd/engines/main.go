// Command engines starts the real engines that the tests need, runs a command
// with the variables that point at them, stops them, and exits as the command
// did.
//
//	go run ./cmd/engines [-only s3,elasticsearch,elasticsearch-tls] [-require] -- go test ./...
//
// What it starts, on free ports of the loopback interface, with data that goes
// away afterwards:
//
//	s3                 versitygw: APPSTORE_TEST_S3_ENDPOINT, _ACCESS_KEY, _SECRET_KEY
//	elasticsearch      without security: APPSTORE_TEST_ELASTICSEARCH_URL
//	elasticsearch-tls  APPSTORE_TEST_ELASTICSEARCH_TLS_URL, _CA (path of a PEM file), _API_KEY
//
// An engine whose URL or endpoint is set already is not started, and neither
// of the Elasticsearches when APPSTORE_TEST_ELASTICSEARCH_URL is: the tests
// then use the servers that are there.
//
// The engines are fetched once, each in a pinned version, into
// ${XDG_CACHE_HOME:-~/.cache}/appstore/engines, for root (whose home others
// can't read) into /var/cache/appstore/engines. That takes Go for versitygw,
// and Maven and a Java of version 17 or newer for Elasticsearch; without them,
// or without a network, engines says so and runs the command without that
// engine's variables. With -require, or APPSTORE_TEST_REQUIRE=1, it fails.
//
// Elasticsearch is used to test and is not redistributed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	// The engines die with the thread that has started them (Pdeathsig): it
	// must be one that lives as long as the process.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes that are not the command's.
const (
	exitFailed = 1
	exitUsage  = 2
)

// engine is one that can be started.
type engine struct {
	name    string
	given   []string                                                     // it isn't started when one of these variables is set
	install func(ctx context.Context, c *cache) (home string, err error) // fetches it unless it is there
	start   func(home, dir string) (*process, error)
	ready   func(ctx context.Context, p *process) (env []string, err error) // waits until it answers
}

func engines() []engine {
	return []engine{
		{"s3", []string{"APPSTORE_TEST_S3_ENDPOINT"}, installVersitygw, startVersitygw, readyVersitygw},
		{"elasticsearch", []string{"APPSTORE_TEST_ELASTICSEARCH_URL"}, installElasticsearch, startPlain, readyPlain},
		{"elasticsearch-tls", []string{"APPSTORE_TEST_ELASTICSEARCH_TLS_URL", "APPSTORE_TEST_ELASTICSEARCH_URL"}, installElasticsearch, startTLS, readyTLS},
	}
}

// errUsage marks mistakes in the arguments.
var errUsage = errors.New("usage")

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("engines", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "engines [-only s3,elasticsearch,elasticsearch-tls] [-require] -- COMMAND [ARGUMENT...]")
		flags.PrintDefaults()
	}
	only := flags.String("only", "", "the engines to start, separated by commas; all if empty")
	require := flags.Bool("require", os.Getenv("APPSTORE_TEST_REQUIRE") == "1", "fail when an engine can't be started")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	wanted, err := choose(engines(), *only)
	if err == nil && flags.NArg() == 0 {
		err = fmt.Errorf("%w: no command given; put it behind --", errUsage)
	}
	if err != nil {
		fmt.Fprintln(stderr, "engines:", err)
		return exitUsage
	}

	log := &progress{w: stderr, start: time.Now()}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	dir, err := os.MkdirTemp("", "appstore-engines-")
	if err != nil {
		fmt.Fprintln(stderr, "engines:", err)
		return exitFailed
	}
	defer os.RemoveAll(dir)
	// Elasticsearch may run as somebody else: let it pass, though not look.
	if err := os.Chmod(dir, 0o711); err != nil {
		fmt.Fprintln(stderr, "engines:", err)
		return exitFailed
	}

	env, stop, signalled, err := startAll(wanted, dir, *require, signals, log)
	defer stop()
	if signalled != 0 {
		return 128 + int(signalled)
	}
	if err != nil {
		fmt.Fprintln(stderr, "engines:", err)
		return exitFailed
	}
	return runCommand(flags.Args(), env, signals, stdin, stdout, stderr)
}

// choose takes the engines named in only that are not given by the environment.
func choose(all []engine, only string) ([]engine, error) {
	var names []string
	if only != "" {
		names = strings.Split(only, ",")
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(e engine) bool { return e.name == name }) {
			return nil, fmt.Errorf("%w: -only: there is no engine %q", errUsage, name)
		}
	}
	isSet := func(name string) bool { return os.Getenv(name) != "" }
	return slices.DeleteFunc(all, func(e engine) bool {
		return names != nil && !slices.Contains(names, e.name) || slices.ContainsFunc(e.given, isSet)
	}), nil
}

// startAll installs, starts and awaits the engines, all at the same time. What
// can't be had is reported; it is an error only when required. stop ends all
// that was started. signalled is the signal that interrupted it, or 0.
func startAll(wanted []engine, dir string, require bool, signals <-chan os.Signal, log *progress) (env []string, stop func(), signalled syscall.Signal, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make([]*process, len(wanted))
	stop = func() {
		for _, p := range started {
			p.stop()
		}
	}
	// Processes are started here, by the thread that lives on; everything
	// that waits has a goroutine.
	starts := make(chan func())
	envs, errs := make([][]string, len(wanted)), make([]error, len(wanted))
	c := &cache{log: log}
	var wg sync.WaitGroup
	for i, e := range wanted {
		wg.Go(func() {
			home, err := e.install(ctx, c)
			if err != nil {
				errs[i] = err
				return
			}
			began, done := time.Now(), make(chan error)
			starts <- func() {
				var err error
				started[i], err = e.start(home, filepath.Join(dir, e.name))
				done <- err
			}
			if errs[i] = <-done; errs[i] != nil {
				return
			}
			log.print("%s: starting", e.name)
			env, err := e.ready(ctx, started[i])
			if err != nil {
				errs[i] = err
				return
			}
			envs[i] = env
			log.print("%s: ready after %.1f s", e.name, time.Since(began).Seconds())
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	for waiting := true; waiting; {
		select {
		case f := <-starts:
			f()
		case s := <-signals:
			signalled, _ = s.(syscall.Signal)
			cancel()
		case <-finished:
			waiting = false
		}
	}
	var missing []string
	for i, e := range wanted {
		env = append(env, envs[i]...)
		if errs[i] != nil && signalled == 0 {
			log.print("%s: NOT AVAILABLE, what needs it is not checked: %v", e.name, errs[i])
			missing = append(missing, e.name)
		}
	}
	if require && missing != nil {
		err = fmt.Errorf("required, and not available: %s", strings.Join(missing, ", "))
	}
	return env, stop, signalled, err
}

// runCommand runs the command and returns its exit code. Signals are passed on
// to it.
func runCommand(args, env []string, signals <-chan os.Signal, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "engines:", err)
		return exitFailed
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// It may have ended in this moment.
			_ = cmd.Process.Signal(s)
		case err := <-done:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return 0
			case errors.As(err, &exit):
				if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
					return 128 + int(status.Signal())
				}
				return exit.ExitCode()
			}
			fmt.Fprintln(stderr, "engines:", err)
			return exitFailed
		}
	}
}

// progress writes lines that tell what takes so long.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
}

func (p *progress) print(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "engines: %5.1fs  %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}
