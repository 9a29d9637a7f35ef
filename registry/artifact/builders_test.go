package artifact

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The build tools whose files must be accepted, pinned.
var (
	pythonBuilders = []string{"setuptools==84.2.1", "flit_core==4.2.0", "hatchling==1.33.0", "poetry-core==2.5.0", "maturin==1.16.0"}
	nodeBuilders   = []string{"pnpm@12.21.0", "yarn@1.22.22"}
)

// builders gives a cache folder with the tools, which are fetched when it is
// missing: only when asked for, since that needs a network.
func builders(t *testing.T, name, program string, fill func(dir string) *exec.Cmd) string {
	t.Helper()
	required := os.Getenv("APPSTORE_TEST_REQUIRE") == "1"
	if _, err := exec.LookPath(program); err != nil {
		if required {
			t.Fatalf("%s is required: %v", program, err)
		}
		t.Skipf("not checked: files of %s, since there is no %s", name, program)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	base = filepath.Join(base, "appstore", "engines")
	dir := filepath.Join(base, name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if !required && os.Getenv("APPSTORE_TEST_BUILDERS") != "1" {
		t.Skipf("not checked: files of the real build tools (%s); APPSTORE_TEST_BUILDERS=1 fetches them", name)
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		t.Fatal(err)
	}
	// In a folder beside, which gets the name when it is complete.
	part, err := os.MkdirTemp(base, name+"-part-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(part)
	if out, err := fill(part).CombinedOutput(); err != nil {
		t.Fatalf("the build tools can't be fetched: %v\n%s", err, out)
	}
	if err := os.Rename(part, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// folderName names the cache folder by what is in it.
func folderName(what string, tools []string) string {
	return what + "-" + strings.NewReplacer("==", "-", "@", "-").Replace(strings.Join(tools, "-"))
}

// project copies a project of testdata, to be built.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "builders", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// accepted inspects what was built.
func accepted(t *testing.T, pattern string) (name string, data []byte, info Info) {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s has %q (%v)", pattern, all, err)
	}
	if data, err = os.ReadFile(all[0]); err != nil {
		t.Fatal(err)
	}
	name = filepath.Base(all[0])
	if info, err = inspect(name, data); err != nil {
		t.Fatalf("%s is refused: %v", name, err)
	}
	if info.Package.Version != "1.0.0" {
		t.Errorf("%s is %+v", name, info.Package)
	}
	return name, data, info
}

func TestPythonBuilders(t *testing.T) {
	tools := builders(t, folderName("python-builders", pythonBuilders), "python3", func(dir string) *exec.Cmd {
		args := append([]string{"-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", dir}, pythonBuilders...)
		return exec.Command("python3", args...)
	})
	for _, tool := range []struct{ name, backend string }{
		{"setuptools", "setuptools.build_meta"},
		{"flit", "flit_core.buildapi"},
		{"hatch", "hatchling.build"},
		{"poetry", "poetry.core.masonry.api"},
		{"maturin", "maturin"},
	} {
		t.Run(tool.name, func(t *testing.T) {
			if _, err := exec.LookPath("cargo"); err != nil && tool.name == "maturin" {
				if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
					t.Fatalf("maturin needs cargo: %v", err)
				}
				t.Skip("not checked: files of maturin, since there is no cargo")
			}
			dir := project(t, tool.name)
			// The hooks of PEP 517, each in a process of its own, as pip calls them.
			for _, hook := range []string{"build_wheel", "build_sdist"} {
				build := exec.Command("python3", "-c", "import os, sys, importlib\nos.makedirs('out', exist_ok=True)\ngetattr(importlib.import_module(sys.argv[1]), sys.argv[2])('out')", tool.backend, hook)
				build.Dir = dir
				build.Env = append(os.Environ(), "PYTHONPATH="+tools, "PATH="+filepath.Join(tools, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", hook, err, out)
				}
			}
			for _, pattern := range []string{"*.whl", "*.tar.gz"} {
				name, data, info := accepted(t, filepath.Join(dir, "out", pattern))
				if info.RequiresPython != ">=3.8" || len(info.Dependencies) != 1 {
					t.Errorf("%s requires %q, depends on %q", name, info.RequiresPython, info.Dependencies)
				}
				class, err := FindClass(name, strings.NewReader(string(data)), int64(len(data)), "kube_"+tool.name+".Kube")
				if err != nil || class.Verdict != Pass || !slices.Equal(class.Methods, []string{"delete"}) {
					t.Errorf("the class in %s is %+v, %v", name, class, err)
				}
			}
		})
	}
}

func TestNodeBuilders(t *testing.T) {
	tools := builders(t, folderName("node-builders", nodeBuilders), "npm", func(dir string) *exec.Cmd {
		return exec.Command("npm", append([]string{"install", "--silent", "--no-audit", "--no-fund", "--prefix", dir}, nodeBuilders...)...)
	})
	bin := filepath.Join(tools, "node_modules", ".bin")
	for name, command := range map[string][]string{
		"npm":  {"npm", "pack", "--silent"},
		"pnpm": {filepath.Join(bin, "pnpm"), "pack"},
		"yarn": {filepath.Join(bin, "yarn"), "pack"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t, "js")
			pack := exec.Command(command[0], command[1:]...)
			pack.Dir = dir
			if out, err := pack.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, data, info := accepted(t, filepath.Join(dir, "*.tgz"))
			if len(info.InstallScripts) != 1 {
				t.Errorf("the install scripts are %q", info.InstallScripts)
			}
			export, err := FindExport(strings.NewReader(string(data)), int64(len(data)), "KubeForm")
			if err != nil || export.Verdict != Pass {
				t.Errorf("the export is %+v, %v", export, err)
			}
		})
	}
}
