package api_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellBlocks are the blocks of a page that are marked as sh.
func shellBlocks(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "\n```") {
		if block, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// Every block of the page for people works as it stands there.
func TestPipDocs(t *testing.T) {
	p := embedded(t)
	py := newPython(t)
	one := kubeWheel(t, "1.0.0", "one")
	p.publish(kubeDescriptor("1.0.0"), source(one.name, one.content))

	bin := filepath.Join(py.dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pip", "uv", "twine"} {
		script := fmt.Sprintf("#!/bin/sh\nexec %q -m %s \"$@\"\n", py.bin, name)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var env []string
	for _, one := range py.env {
		if !strings.HasPrefix(one, "PIP_CONFIG_FILE=") && !strings.HasPrefix(one, "UV_NO_CONFIG=") {
			env = append(env, one)
		}
	}
	env = append(env, "PATH="+bin+":"+os.Getenv("PATH"), "APPSTORE_TOKEN="+testToken, "UV_PYTHON="+py.bin)
	blocks := shellBlocks(t, "clients-pip.md")
	if len(blocks) < 9 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	for i, block := range blocks {
		c := exec.CommandContext(t.Context(), "sh", "-eu", "-c", strings.ReplaceAll(block, "https://appstore.example.org", p.url))
		c.Dir, c.Env = py.dir, append(env, "PIP_TARGET="+filepath.Join(py.dir, fmt.Sprint("target", i)))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v in the block\n%s\n%s", err, block, out)
		}
	}
	if r, err := p.client.Release(t.Context(), "KubePlugin", "latest"); err != nil || r.Version != "1.1.0" {
		t.Errorf("what the page publishes: %+v, %v", r, err)
	}
	for _, folder := range []string{"target0", "wheels", ".venv/lib"} {
		if all, err := os.ReadDir(filepath.Join(py.dir, folder)); err != nil || len(all) == 0 {
			t.Errorf("%s: %v, %v", folder, all, err)
		}
	}
}
