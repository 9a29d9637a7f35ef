package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a running engine.
type process struct {
	cmd    *exec.Cmd
	log    string        // file with what it says
	exited chan struct{} // closed when it has ended

	url, ca      string // where it answers
	user, secret string
}

// launch starts cmd in a process group of its own, so that a Ctrl-C at the
// terminal reaches the command first. Its output goes to a file in dir.
func launch(cmd *exec.Cmd, dir string) (*process, error) {
	p := &process{cmd: cmd, log: filepath.Join(dir, "output.log"), exited: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // its log says why
		close(p.exited)
	}()
	return p, nil
}

// stop ends the process and its children at once: nobody needs its data.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// startTimeout is how long an engine may take until it answers: Elasticsearch
// takes 20 s on an idle machine, and minutes on a busy one.
const startTimeout = 6 * time.Minute

// await asks again and again until ask succeeds.
func (p *process) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		once, cancelOnce := context.WithTimeout(ctx, 5*time.Second)
		err := ask(once)
		cancelOnce()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it has ended (%v); it said last:\n%s", p.cmd.ProcessState, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%w); it said last:\n%s", errors.Join(ctx.Err(), err), p.tail())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tail gives the end of the process's output.
func (p *process) tail() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-15):], []byte("\n"))
}

// freePort finds a port of the loopback interface that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
