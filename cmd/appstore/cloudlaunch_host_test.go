package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"appstore/schema/cloudlaunch"
)

const (
	hostPackage = "../../host/cloudlaunch" // of appstore-cloudlaunch
	flitCore    = "flit_core==3.12.0"      // what it is built with: see its pyproject.toml
)

// TestCloudLaunchHost runs the tests of appstore-cloudlaunch against the real
// CloudLaunch, and takes it the whole way: built, published to an AppStore,
// installed from there by pip; then it syncs the real catalogue (a small one of
// ours, where there is none), and CloudLaunch's own API lists the apps.
func TestCloudLaunchHost(t *testing.T) {
	python := cloudLaunch(t)
	t.Run("its own tests", func(t *testing.T) {
		t.Parallel()
		python.in(hostPackage, "CLOUDLAUNCH_DATA="+t.TempDir(), "DJANGO_SETTINGS_MODULE=tests.settings").
			run(t, "-W", "ignore", "-m", "django", "test", "tests")
	})
	t.Run("the whole way", func(t *testing.T) {
		t.Parallel()
		wholeWay(t, python)
	})
}

func wholeWay(t *testing.T, python *interpreter) {
	registry := os.Getenv("APPSTORE_TEST_CLOUDLAUNCH_REGISTRY")
	if registry == "" {
		t.Log("APPSTORE_TEST_CLOUDLAUNCH_REGISTRY is not set: a small catalogue of ours is synced, CloudLaunch's own is NOT")
		registry = sampleRegistry(t)
	}
	text, err := os.ReadFile(registry)
	if err != nil {
		t.Fatal(err)
	}
	want, live, versions := appsOf(t, text), 0, 0
	for _, a := range want {
		versions += len(a.Versions)
		if a.Status == cloudlaunch.Live {
			live++
		}
	}
	if os.Getenv("APPSTORE_TEST_CLOUDLAUNCH_REGISTRY") != "" && (len(want) != 22 || live != 17) {
		t.Errorf("the catalogue has %d apps, %d of them LIVE; want 22 and 17", len(want), live)
	}
	c := startServer(t, nil)
	importInto(t, c, registry)

	// Built and published.
	dir := t.TempDir()
	python.run(t, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-cache-dir", "-w", dir, hostPackage)
	wheels, err := filepath.Glob(filepath.Join(dir, "appstore_cloudlaunch-*.whl"))
	if err != nil || len(wheels) != 1 {
		t.Fatal(wheels, err)
	}
	env := map[string]string{"APPSTORE_URL": c.URL(), "APPSTORE_TOKEN": "of-the-test"}
	if code, _, errs := command(t, env, "publish", hostPackage+"/appstore_cloudlaunch/appstore-plugin.yaml", wheels[0]); code != 0 {
		t.Fatalf("publish: %d\n%s", code, errs)
	}

	// Into a CloudLaunch that runs already, as the page for its administrators says.
	host := python.installation(t, dir)
	host.run(t, "manage.py", "migrate", "--verbosity", "0")
	var said string
	for _, b := range blocksOf(t, "../../docs/clients-cloudlaunch.md", c.URL()) {
		if b.language == "python" {
			appendTo(t, filepath.Join(dir, settingsFile), b.text)
			continue
		}
		said += host.shell(t, b.text)
	}
	for _, want := range []string{
		fmt.Sprintf("Nothing was done; this would be: %d added from", len(want)),
		fmt.Sprintf("\n%d added from", len(want)),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	if out := host.run(t, "manage.py", "appstore_sync", c.URL(), "--prune"); !strings.Contains(out, fmt.Sprintf("%d unchanged from", len(want))) {
		t.Errorf("the second time:\n%s", out)
	}
	out := host.run(t, "-c", "import django; django.setup(); from cloudlaunch.models import *; print(Application.objects.count(), ApplicationVersion.objects.count())")
	if have := strings.TrimSpace(out); have != fmt.Sprint(len(want), " ", versions) {
		t.Errorf("CloudLaunch knows %s apps and versions, want %d and %d", have, len(want), versions)
	}
	listed(t, host.serve(t), want, live)
}

// listed compares what CloudLaunch's own API lists with the file.
func listed(t *testing.T, url string, want map[string]cloudlaunch.App, live int) {
	t.Helper()
	res, err := http.Get(url + "/api/v1/applications/?page_size=100")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("CloudLaunch: %s %v\n%s", res.Status, err, body)
	}
	var page struct {
		Count   int
		Results []struct {
			Slug, Name, Status, Summary, Description string
			DefaultVersion                           string `json:"default_version"`
			DisplayOrder                             int    `json:"display_order"`
			Versions                                 []struct {
				Version  string
				Frontend string `json:"frontend_component_name"`
			}
		}
	}
	if err := json.Unmarshal(body, &page); err != nil {
		t.Fatal(err)
	}
	if page.Count != live || len(page.Results) != live {
		t.Errorf("CloudLaunch lists %d apps, want the %d that are LIVE", page.Count, live)
	}
	for _, have := range page.Results {
		a := want[have.Slug]
		if have.Name != a.Name || have.Status != a.Status || have.Summary != a.Summary || have.Description != a.Description ||
			have.DefaultVersion != a.DefaultVersion || have.DisplayOrder != a.DisplayOrder || len(have.Versions) != len(a.Versions) {
			t.Errorf("CloudLaunch has %+v, want %+v", have, a)
			continue
		}
		labels := map[string]string{}
		for _, v := range have.Versions {
			labels[v.Version] = v.Frontend
		}
		for _, v := range a.Versions {
			if frontend, ok := labels[v.Label]; !ok || frontend != v.Frontend {
				t.Errorf("%s %s: front end %q, want %q", have.Slug, v.Label, frontend, v.Frontend)
			}
		}
	}
}

// interpreter is a Python with CloudLaunch, a folder and an environment.
type interpreter struct {
	path, dir string
	env       []string
}

// cloudLaunch makes the virtual environment with the real cloudlaunch-server,
// once: 76 packages, a minute, 200 MB. It skips without Python 3.11 (the newest
// that it runs on) or the network.
func cloudLaunch(t *testing.T) *interpreter {
	t.Helper()
	missing := func(why string, details ...any) {
		t.Helper()
		message := why + ": appstore-cloudlaunch is NOT checked against the real CloudLaunch\n" + fmt.Sprint(details...)
		if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	if testing.Short() {
		t.Skip("-short: appstore-cloudlaunch is NOT checked against the real CloudLaunch")
	}
	requirements := filepath.Join(hostPackage, "requirements-cloudlaunch.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir() // XDG_CACHE_HOME, else ~/.cache
	if err != nil {
		missing("there is no cache folder", err)
	}
	// By what is in it, so that other requirements make another one.
	sum := sha256.Sum256(append(text, flitCore...))
	home := filepath.Join(cache, "appstore", "clients", "cloudlaunch-2.0.2-"+hex.EncodeToString(sum[:4]))
	python := &interpreter{path: filepath.Join(home, "bin", "python")}
	if _, err := os.Stat(python.path); err == nil {
		return python
	}
	base, err := exec.LookPath("python3.11")
	if err != nil {
		missing("there is no python3.11", err)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		t.Fatal(err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(home), "cloudlaunch-*.tmp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(beside)
	own := filepath.Join(beside, "bin", "python")
	for _, args := range [][]string{
		{base, "-m", "venv", beside},
		{own, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements, flitCore},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			missing("CloudLaunch can't be installed", strings.Join(args, " "), ": ", err, "\n", string(out))
		}
	}
	if err := os.Rename(beside, home); err != nil {
		if _, there := os.Stat(python.path); there != nil { // else another test run was faster
			t.Fatal(err)
		}
	}
	return python
}

const settingsFile = "cloudlaunch_settings.py"

// installation makes a CloudLaunch in dir: a virtual environment that has what p
// has, settings and manage.py.
func (p *interpreter) installation(t *testing.T, dir string) *interpreter {
	t.Helper()
	venv := filepath.Join(dir, "venv")
	p.run(t, "-m", "venv", "--without-pip", venv)
	packages, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(p.path)), "lib", "python*", "site-packages"))
	if err != nil || len(packages) != 1 {
		t.Fatal(packages, err)
	}
	own, err := filepath.Glob(filepath.Join(venv, "lib", "python*", "site-packages"))
	if err != nil || len(own) != 1 {
		t.Fatal(own, err)
	}
	settings, err := os.ReadFile(hostPackage + "/tests/settings.py")
	if err != nil {
		t.Fatal(err)
	}
	before, app, ok := strings.Cut(string(settings), "\nINSTALLED_APPS += ")
	if !ok || strings.Count(app, "\n") != 1 {
		t.Fatal("the last line of tests/settings.py does not add the app")
	}
	bin := filepath.Join(venv, "bin")
	for name, text := range map[string]string{
		filepath.Join(own[0], "cloudlaunch.pth"): packages[0] + "\n",
		filepath.Join(bin, "pip"):                "#!/bin/sh\nexec python -m pip \"$@\"\n",
		filepath.Join(dir, settingsFile):         before,
		filepath.Join(dir, "manage.py"):          "from django.core.management import execute_from_command_line\n\nexecute_from_command_line()\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	made := p.in(dir, "PYTHONPATH="+dir, "CLOUDLAUNCH_DATA="+dir, "DJANGO_SETTINGS_MODULE="+strings.TrimSuffix(settingsFile, ".py"),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "PIP_NO_CACHE_DIR=1")
	made.path = filepath.Join(bin, "python")
	return made
}

// shell runs a block of a page; it gives the output.
func (p *interpreter) shell(t *testing.T, block string) string {
	t.Helper()
	sh := *p
	sh.path = "sh"
	return sh.run(t, "-eu", "-c", block)
}

type block struct{ language, text string }

// blocksOf are the blocks of a page, for a server at url.
func blocksOf(t *testing.T, page, url string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(strings.ReplaceAll(string(text), "https://appstore.example.org", url), "\n```") {
		if i%2 == 1 {
			language, body, _ := strings.Cut(part, "\n")
			blocks = append(blocks, block{language, body + "\n"})
		}
	}
	if len(blocks) < 4 {
		t.Fatalf("%s has %d blocks", page, len(blocks))
	}
	return blocks
}

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	have, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, append(have, text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// in is the interpreter in a folder, with more variables.
func (p *interpreter) in(dir string, env ...string) *interpreter {
	return &interpreter{path: p.path, dir: dir, env: append(append([]string{}, p.env...), env...)}
}

func (p *interpreter) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PIP_DISABLE_PIP_VERSION_CHECK=1"), p.env...)
	return cmd
}

// run runs Python to its end, which must be a good one; it gives the output.
func (p *interpreter) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.command(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("python %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve runs CloudLaunch's web server until the test ends; it gives its address.
func (p *interpreter) serve(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	var out lockedBuffer
	ctx, stop := context.WithCancel(context.Background())
	cmd := p.command(ctx, "-m", "django", "runserver", "--noreload", address)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // killed
	})
	for range 300 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return "http://" + address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("CloudLaunch does not answer after 30 s:\n%s", out.String())
	return ""
}
