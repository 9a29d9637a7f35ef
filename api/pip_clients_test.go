package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"appstore/registry"
	"appstore/schema"
	"appstore/storage"
)

// The clients of the tests.
const (
	pipVersion   = "26.3"
	uvVersion    = "0.13.9"
	twineVersion = "7.0.0"
)

// pythonClients is a virtual environment with pip, uv and twine. It is made
// once, in the cache folder.
func pythonClients(t *testing.T) string {
	t.Helper()
	missing := func(what string, args ...any) {
		t.Helper()
		text := fmt.Sprintf(what, args...) + ": that pip, uv and twine work with the AppStore is NOT checked"
		if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		missing("there is no python3")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		missing("%v", err)
	}
	all := filepath.Join(cache, "appstore", "clients")
	if err := os.MkdirAll(all, 0o755); err != nil {
		missing("%v", err)
	}
	dir := filepath.Join(all, "pip-"+pipVersion+"-uv-"+uvVersion+"-twine-"+twineVersion)
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		missing("%v", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	beside := dir + ".making"
	os.RemoveAll(beside)
	for _, command := range [][]string{
		{"python3", "-m", "venv", beside},
		{filepath.Join(beside, "bin", "python"), "-m", "pip", "install", "-q", "pip==" + pipVersion, "uv==" + uvVersion, "twine==" + twineVersion},
	} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			missing("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	if err := os.Rename(beside, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// python runs what is in that environment, with no configuration but the
// test's own.
type python struct {
	t   *testing.T
	bin string
	env []string
	dir string
}

func newPython(t *testing.T) *python {
	t.Helper()
	home := t.TempDir()
	p := &python{t: t, bin: filepath.Join(pythonClients(t), "bin", "python"), dir: home}
	for _, one := range os.Environ() {
		name, _, _ := strings.Cut(one, "=")
		if !strings.HasPrefix(name, "PIP_") && !strings.HasPrefix(name, "UV_") && !strings.HasPrefix(name, "TWINE_") &&
			!strings.HasPrefix(name, "PYTHON") && !strings.HasPrefix(name, "XDG_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			p.env = append(p.env, one)
		}
	}
	p.env = append(p.env, "HOME="+home, "PIP_CONFIG_FILE="+os.DevNull, "PIP_NO_CACHE_DIR=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_RETRIES=0",
		"UV_NO_CONFIG=1", "UV_NO_CACHE=1", "UV_HTTP_RETRIES=0", "PYTHONDONTWRITEBYTECODE=1", "NO_COLOR=1", "COLUMNS=400",
		"TWINE_NON_INTERACTIVE=1", "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring")
	return p
}

func (p *python) try(args ...string) (string, error) {
	c := exec.CommandContext(p.t.Context(), p.bin, args...)
	c.Env, c.Dir = p.env, p.dir
	c.WaitDelay = 10 * time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

func (p *python) run(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatalf("python %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs what must fail, saying each of the words.
func (p *python) refused(args []string, words ...string) {
	p.t.Helper()
	out, err := p.try(args...)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		p.t.Fatalf("python %s: %v; it should have failed\n%s", strings.Join(args, " "), err, out)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			p.t.Errorf("python %s does not say %q:\n%s", strings.Join(args, " "), word, out)
		}
	}
}

// The walk of a plugin's back end with the clients that people have.
func TestPipClients(t *testing.T) {
	pythonClients(t)
	everyPair(t, func(t *testing.T, p *place) {
		py := newPython(t)
		simple := p.url + "/simple/"
		first, second := kubeWheel(t, "1.0.0", "one"), kubeWheel(t, "1.1.0", "two")
		for _, w := range []pyFile{first, second} {
			w.write(t, py.dir)
		}

		twine := func(file, password string) []string {
			return []string{"-m", "twine", "upload", "--disable-progress-bar", "--repository-url", p.url + "/legacy/", "-u", "__token__", "-p", password, file}
		}
		py.refused(twine(first.name, "wrong"), "401 Unauthorized", "the token is not the one of this server", "TWINE_PASSWORD")
		py.run(twine(first.name, testToken)...)
		py.run(twine(first.name, testToken)...) // the same again is no error
		other := kubeWheel(t, "1.0.0", "other bytes")
		os.Mkdir(filepath.Join(py.dir, "other"), 0o755)
		other.write(t, filepath.Join(py.dir, "other"))
		py.refused(twine("other/"+other.name, testToken), "409 Conflict", "is published already with other bytes")
		py.refused([]string{"-m", "uv", "publish", "--publish-url", p.url + "/legacy/", "--token", testToken, "other/" + other.name}, "is published already with other bytes")
		py.run("-m", "uv", "publish", "--publish-url", p.url+"/legacy/", "--token", testToken, second.name)

		if r, err := p.client.Release(t.Context(), "KubePlugin", "1.1.0"); err != nil || len(r.Files) != 1 || r.Files[0].SHA256 != second.sha256() {
			t.Fatalf("the release that uv completed: %+v, %v", r, err)
		}
		if out := py.run("-m", "pip", "index", "versions", "--index-url", simple, "kube-back"); !strings.Contains(out, "Available versions: 1.1.0, 1.0.0") {
			t.Errorf("pip index versions: %s", out)
		}
		py.run("-m", "pip", "download", "--index-url", simple, "-d", "got", "Kube.Back==1.0.0")
		if got, err := os.ReadFile(filepath.Join(py.dir, "got", first.name)); err != nil || !bytes.Equal(got, first.content) {
			t.Errorf("pip download brought %d bytes, %v", len(got), err)
		}

		locked := func(w pyFile) string {
			name := "locked-" + w.name + ".txt"
			line := "kube-back==" + strings.Split(w.name, "-")[1] + " --hash=sha256:" + w.sha256() + "\n"
			if err := os.WriteFile(filepath.Join(py.dir, name), []byte(line), 0o644); err != nil {
				t.Fatal(err)
			}
			return name
		}
		pipInstall := func(to string, w pyFile) []string {
			return []string{"-m", "pip", "install", "--index-url", simple, "--require-hashes", "-r", locked(w), "--target", to}
		}
		uvInstall := func(to string, w pyFile) []string {
			return []string{"-m", "uv", "pip", "install", "--index-url", simple, "--require-hashes", "-r", locked(w), "--target", to}
		}
		works := func(to, says string) {
			t.Helper()
			if out := py.run("-c", "import sys; sys.path.insert(0, sys.argv[1]); import kube_back; print(kube_back.Plugin().deploy())", to); strings.TrimSpace(out) != says {
				t.Errorf("the installed plugin says %q, want %q", out, says)
			}
		}
		py.run(pipInstall("by-pip", first)...)
		works("by-pip", "one")
		py.run(uvInstall("by-uv", second)...)
		works("by-uv", "two")
		py.run("-m", "uv", "pip", "install", "--index-url", simple, "--target", "by-uv-newest", "kube-back")
		works("by-uv-newest", "two")

		if _, err := p.client.Yank(t.Context(), "KubePlugin", "1.1.0", "deletes <volumes>"); err != nil {
			t.Fatal(err)
		}
		py.run("-m", "pip", "install", "--index-url", simple, "--target", "after-yank", "kube-back")
		works("after-yank", "one")
		if out := py.run("-m", "pip", "install", "--index-url", simple, "--target", "yanked", "kube-back==1.1.0"); !strings.Contains(out, "deletes <volumes>") {
			t.Errorf("pip does not tell the yank's reason: %s", out)
		}
		if out := py.run("-m", "uv", "pip", "install", "--index-url", simple, "--target", "yanked-uv", "kube-back==1.1.0"); !strings.Contains(out, "deletes <volumes>") {
			t.Errorf("uv does not tell the yank's reason: %s", out)
		}
		py.refused([]string{"-m", "pip", "install", "--index-url", simple, "--target", "x", "no-such-package"}, "No matching distribution found for no-such-package")

		downloads := p.reg.Downloads("kubeplugin")
		if downloads.Clients["pip"] < 6 {
			t.Errorf("downloads were counted as %v", downloads.Clients)
		}

		tamperPip(t, p, first.name)
		py.refused(pipInstall("tampered-pip", first), "DO NOT MATCH THE HASHES")
		py.refused([]string{"-m", "pip", "install", "--index-url", simple, "--target", "tampered", "kube-back==1.0.0"}, "DO NOT MATCH THE HASHES")
		py.refused(uvInstall("tampered-uv", first), "kube-back==1.0.0") // as a wrong hash, or as an archive that can not be read
		py.refused([]string{"-m", "pip", "download", "--index-url", simple, "-d", "tampered", "kube-back==1.0.0"}, "DO NOT MATCH THE HASHES")
	})
}

// A bundle of two packages: twine's upload is kept as a draft until the other
// package is there.
func TestTwineDraft(t *testing.T) {
	pythonClients(t)
	everyPair(t, func(t *testing.T, p *place) {
		py := newPython(t)
		descriptor := bundle("KubePlugin", "1.0.0")
		w := pyWheel(t, "kubeplugin-back", "1.0.0", "py3-none-any", map[string]string{
			"kubeplugin_back/__init__.py":            "class Plugin:\n    pass\n",
			"kubeplugin_back/" + descriptorInPackage: descriptor,
		})
		w.write(t, py.dir)
		out := py.run("-m", "twine", "--no-color", "upload", "--verbose", "--disable-progress-bar", "--repository-url", p.url+"/legacy/", "-u", "__token__", "-p", testToken, w.name)
		if !strings.Contains(out, "kept as a draft of KubePlugin 1.0.0") || !strings.Contains(out, `the npm package "@example/kubeplugin"`) {
			t.Errorf("twine does not show that it is a draft:\n%s", out)
		}
		if res := p.get("/simple/kubeplugin-back/"); res.StatusCode != 404 {
			t.Errorf("a draft is on the index: %d", res.StatusCode)
		}
		front := tarball(t, "@example/kubeplugin", "1.0.0")
		content, err := front.Open()
		if err != nil {
			t.Fatal(err)
		}
		u, err := p.reg.UploadFile(t.Context(), front.Name, content, "test")
		if err != nil || u.Published == nil {
			t.Fatalf("the rest of the bundle: %+v, %v", u, err)
		}
		if res := p.get("/simple/kubeplugin-back/"); res.StatusCode != 200 || !strings.Contains(res.text, w.name) {
			t.Errorf("the published bundle is not on the index: %d %s", res.StatusCode, res.text)
		}
	})
}

// tamperPip turns one bit of a stored file.
func tamperPip(t *testing.T, p *place, name string) {
	t.Helper()
	all, err := p.reg.PackageFiles(t.Context(), schema.PyPI, "kube-back")
	if err != nil {
		t.Fatal(err)
	}
	var f *registry.PackageFile
	for i := range all {
		if all[i].Name == name {
			f = &all[i]
		}
	}
	r, _, err := p.store.Get(t.Context(), f.Key, storage.Read{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := p.store.Put(t.Context(), f.Key, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}
