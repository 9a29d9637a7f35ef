package artifact

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

const plugin = `"""Launches class Fake(object): things."""
import abc
from cloudlaunch.backend_plugins.app_plugin import AppPlugin

if True:
    class Kube(
        AppPlugin,   # the interface
    ):
        '''
        def delete(self): a docstring is no method
        '''
        @staticmethod
        def validate_app_config(provider, name,
                                cloud_config, app_config):
            def restart(): pass
            return {"a": """
        def health_check(self): no
"""}
        sanitise_app_config = staticmethod(lambda c: c)
        async def deploy(self, name, \
            task): pass
        # def delete(self): pass
        class Inner:
            def delete(self): pass
`

func TestFindClass(t *testing.T) {
	modules := []file{
		{"kube/plugin.py", plugin},
		{"kube/old.py", "from .plugin import Kube as Base\nclass Old(Base):\n\tdef process_app_config(self): pass\n\tdef launch_app(self): pass\n\tdef health_check(self): pass\n\tdef restart(self): pass\n\tdef delete(self): pass\n"},
		{"kube/api/__init__.py", "from ..old import (Old, \n  Old as Renamed)\nfrom .deep import *\nfrom other.package import Foreign\nAlias = Old\nMade = make('Made')\n"},
		{"kube/api/deep.py", "class Deep(object, metaclass=abc.ABCMeta): restart = None; delete = None\n"},
		{"kube/star.py", "from other import *\n"},
		{"kube/half.py", "from .fast import *\n"},
		{"kube/half2.py", "from .half import *\nfrom .plugin import *\n"},
		{"kube/lazy.py", "def __getattr__(name): return 1\n"},
		{"kube/circle.py", "from kube.circle2 import C\n"},
		{"kube/circle2.py", "from kube.circle import C\n"},
		{"kube/dotted.py", "from . import old\nimport kube.api.deep\nclass D(old.Old): pass\nclass E(kube.api.deep.Deep): pass\n"},
		{"kube/fast.cpython-311-x86_64-linux-gnu.so", "\x7fELF"},
	}
	wheel := honest(modules...).bytes()
	var parts [][]byte
	for _, m := range modules {
		parts = append(parts, tarFile("kube-1.0.0/src/"+m.name, m.text))
	}
	parts = append(parts, tarFile("kube-1.0.0/src/kube/__init__.py", ""), tarFile("kube-1.0.0/tests/data/kube/plugin.py", "x=1"))
	sdist := sdistWith(parts...)
	for _, c := range []struct {
		component string
		verdict   Verdict
		methods   string
		missing   string
		words     string
	}{
		{"kube.plugin.Kube", Pass, "validate_app_config sanitise_app_config deploy", "health_check restart delete", "AppPlugin"},
		{"kube.old.Old", Pass, "validate_app_config process_app_config sanitise_app_config deploy launch_app health_check restart delete", "", "6 of 6"},
		{"kube.api.Old", Pass, "validate_app_config process_app_config sanitise_app_config deploy launch_app health_check restart delete", "", "kube/old.py"},
		{"kube.api.Renamed", Pass, "validate_app_config process_app_config sanitise_app_config deploy launch_app health_check restart delete", "", ""},
		{"kube.api.Alias", Pass, "validate_app_config process_app_config sanitise_app_config deploy launch_app health_check restart delete", "", ""},
		{"kube.api.Deep", Pass, "restart delete", "validate_app_config sanitise_app_config deploy health_check", "2 of 6"},
		{"kube.dotted.D", Pass, "validate_app_config process_app_config sanitise_app_config deploy launch_app health_check restart delete", "", ""},
		{"kube.dotted.E", Pass, "restart delete", "validate_app_config sanitise_app_config deploy health_check", ""},
		{"kube.api.Foreign", Unknown, "", "", "other.package"},
		{"kube.api.Made", Unknown, "", "", "computed"},
		{"kube.star.X", Unknown, "", "", "star.py"},
		{"kube.half2.X", Unknown, "", "", "half2.py"},
		{"kube.half2.Kube", Pass, "validate_app_config sanitise_app_config deploy", "health_check restart delete", ""},
		{"kube.lazy.X", Unknown, "", "", "lazy.py"},
		{"kube.circle.C", Unknown, "", "", "circle"},
		{"kube.fast.X", Unknown, "", "", "compiled"},
		{"kube.plugin.Fake", Fail, "", "", "no class Fake"},
		{"kube.plugin.Inner", Fail, "", "", "no class Inner"},
	} {
		for name, data := range map[string][]byte{wheelFile: wheel, sdistFile: sdist} {
			got, err := FindClass(name, bytes.NewReader(data), int64(len(data)), c.component)
			if err != nil {
				t.Errorf("%s in %s: %v", c.component, name, err)
				continue
			}
			if got.Verdict != c.verdict || strings.Join(got.Methods, " ") != c.methods || strings.Join(got.Missing, " ") != c.missing || !strings.Contains(got.Detail, c.words) {
				t.Errorf("%s in %s: %+v", c.component, name, got)
			}
		}
	}
	// What a wheel lacks is not there; what an sdist lacks, a build may add.
	for _, component := range []string{"kube.ghost.X", "ghost.X"} {
		if got, err := FindClass(wheelFile, bytes.NewReader(wheel), int64(len(wheel)), component); err != nil || got.Verdict != Fail {
			t.Errorf("%s in the wheel: %+v, %v", component, got, err)
		}
		if got, err := FindClass(sdistFile, bytes.NewReader(sdist), int64(len(sdist)), component); err != nil || got.Verdict != Unknown {
			t.Errorf("%s in the sdist: %+v, %v", component, got, err)
		}
	}
	for _, bad := range []string{"", "Kube", "a..b", "../x.Y", "a.b\n"} {
		if _, err := FindClass(wheelFile, bytes.NewReader(wheel), int64(len(wheel)), bad); err == nil {
			t.Errorf("%q passes as a component", bad)
		}
	}
	purelib := honest(file{"kube-1.0.0.data/purelib/far/p.py", "class P: pass\n"}).bytes()
	if got, err := FindClass(wheelFile, bytes.NewReader(purelib), int64(len(purelib)), "far.p.P"); err != nil || got.Verdict != Pass {
		t.Errorf("in purelib: %+v, %v", got, err)
	}
	// A package in purelib hides a module that lies beside.
	hidden := honest(file{"far.py", "class P: pass\n"}, file{"kube-1.0.0.data/purelib/far/__init__.py", "class Q: pass\n"}).bytes()
	for component, want := range map[string]Verdict{"far.P": Fail, "far.Q": Pass} {
		if got, err := FindClass(wheelFile, bytes.NewReader(hidden), int64(len(hidden)), component); err != nil || got.Verdict != want {
			t.Errorf("%s, where purelib hides it: %+v, %v", component, got, err)
		}
	}
}

// FuzzScanPython: whatever the source, the scanner ends, and a class that it
// finds has its name in the source.
func FuzzScanPython(f *testing.F) {
	f.Add(plugin)
	f.Add("class A(B[C], D(x)):\n  def f(self): pass\n")
	f.Add("x = '''\\")
	f.Fuzz(func(t *testing.T, src string) {
		m := scanPython([]byte(src))
		for name, c := range m.classes {
			if !strings.Contains(src, name) {
				t.Errorf("found %q, which is not in the source", name)
			}
			for _, member := range c.members {
				if !slices.Contains(AppPluginMethods, member) {
					t.Errorf("found the method %q", member)
				}
			}
		}
	})
}

func TestFindExport(t *testing.T) {
	for _, c := range []struct {
		what, manifest string
		files          []file
		verdict        Verdict
		words          string
	}{
		{"class", `"main":"index.js"`, []file{{"index.js", "export class Form {}"}}, Pass, "index.js"},
		{"default main", ``, []file{{"index.js", "export default class Form {}"}}, Pass, ""},
		{"list", `"module":"./fesm/a.mjs"`, []file{{"fesm/a.mjs", "class F{}\nexport { F as Form, G };"}}, Pass, "fesm/a.mjs"},
		{"renamed away", `"module":"./a.mjs"`, []file{{"a.mjs", "export { Form as F };"}}, Fail, "no entry file"},
		{"re-exported", `"exports":{".":{"types":"./i.d.ts","import":"./lib/i.js"}}`, []file{{"lib/i.js", "export * from './form/form'"}, {"lib/form/form.js", "export const Form = 1"}}, Pass, "lib/form/form.js"},
		{"whole", `"types":"a.d.ts"`, []file{{"a.d.ts", "export = All; declare namespace All { export const a: 1 }"}}, Unknown, "whole"},
		{"required", `"main":"a.js"`, []file{{"a.js", "module.exports = require('./b');"}, {"b.js", "exports.Form = 1"}}, Pass, "b.js"},
		{"compiled star", `"main":"a.js"`, []file{{"a.js", "__exportStar(require(\"./b\"), exports);"}, {"b.js", "exports.Form = 1"}}, Pass, "b.js"},
		{"folder", `"main":"lib"`, []file{{"lib/index.js", "exports.Form = Form"}}, Pass, ""},
		{"CommonJS object", `"main":"a.js"`, []file{{"a.js", "module.exports = { Form, other: 1 }"}}, Pass, ""},
		{"defined", `"main":"a.js"`, []file{{"a.js", `Object.defineProperty(exports, "Form", { get() {} })`}}, Pass, ""},
		{"declared", `"types":"a.d.ts"`, []file{{"a.d.ts", "export declare abstract class Form {}"}}, Pass, ""},
		{"in a comment", `"main":"a.js"`, []file{{"a.js", "// export class Form {}\n/* export { Form } */\nexport const a = 'http://x'"}}, Fail, ""},
		{"bundle", `"main":"a.js"`, []file{{"a.js", "!function(e,t){t(e.exports)}(this)"}}, Unknown, "no ES module"},
		{"from outside", `"main":"a.js"`, []file{{"a.js", "export * from 'other'"}}, Unknown, "other"},
		{"no file", `"main":"dist/a.js"`, nil, Unknown, "not seen"},
		{"circle", `"main":"a.js"`, []file{{"a.js", "export * from './b'"}, {"b.js", "export * from './a.js'"}}, Fail, ""},
		{"not an entry", `"main":"a.js"`, []file{{"a.js", "export const a = 1"}, {"b.js", "export class Form {}"}}, Fail, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			manifest := `{"name":"kube","version":"1.0.0"` + strings.TrimSuffix(","+c.manifest, ",") + "}"
			var parts [][]byte
			for _, f := range c.files {
				parts = append(parts, tarFile("package/"+f.name, f.text))
			}
			data := npmWith(manifest, parts...)
			if _, err := inspect("kube.tgz", data); err != nil {
				t.Fatal(err)
			}
			got, err := FindExport(bytes.NewReader(data), int64(len(data)), "Form")
			if err != nil || got.Verdict != c.verdict || !strings.Contains(got.Detail, c.words) {
				t.Errorf("it is %+v, %v", got, err)
			}
		})
	}
}

// counted counts the bytes that are read.
type counted struct {
	io.ReaderAt
	n int
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.n += n
	return n, err
}

// TestOnePass: however many components are looked for, an archive that must be
// decompressed from its beginning is read once.
func TestOnePass(t *testing.T) {
	sdist := sdistWith(
		tarFile("kube-1.0.0/src/kube/a.py", "class A:\n  def delete(self): pass\n"), tarFile("kube-1.0.0/src/kube/b.py", "from .a import A as B\n"),
		tarFile("kube-1.0.0/src/other/kube/c.py", "class C: pass\n"), tarFile("kube-1.0.0/far.py", "class F: pass\n"))
	r := &counted{ReaderAt: bytes.NewReader(sdist)}
	classes, err := FindClasses(sdistFile, r, int64(len(sdist)), []string{"kube.a.A", "kube.b.B", "kube.c.C", "other.kube.c.C", "far.F", "kube.a.X", "none", "gone.G"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Verdict{Pass, Pass, Pass, Pass, Pass, Fail, Unknown, Unknown} {
		if classes[i].Verdict != want {
			t.Errorf("class %d is %+v", i, classes[i])
		}
	}
	if r.n > 2*len(sdist) { // the end is looked at for a zip archive
		t.Errorf("an sdist of %d bytes was read for %d", len(sdist), r.n)
	}

	npm := npmWith(`{"name":"kube","version":"1.0.0","main":"a.js"}`, tarFile("package/a.js", "export class A {}\nexport { x as B };\nexport * as C from './b';\nexport * from './b'"), tarFile("package/b.js", "export const D = 1"))
	r = &counted{ReaderAt: bytes.NewReader(npm)}
	exports, err := FindExports(r, int64(len(npm)), []string{"A", "B", "C", "D", "E", "no name"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Verdict{Pass, Pass, Pass, Pass, Fail, Unknown} {
		if exports[i].Verdict != want {
			t.Errorf("export %d is %+v", i, exports[i])
		}
	}
	if r.n > 2*len(npm) {
		t.Errorf("a tarball of %d bytes was read for %d", len(npm), r.n)
	}
}

func TestInstallScripts(t *testing.T) {
	gyp := tarFile("package/binding.gyp", "{}")
	for _, c := range []struct {
		manifest string
		parts    [][]byte
		want     string
	}{
		{`"scripts":{"test":"x","prepare":"y"}`, nil, ""},
		{`"scripts":{"postinstall":"b","preinstall":"a"}`, nil, "preinstall: a; postinstall: b"},
		{`"scripts":{}`, [][]byte{gyp}, "install: node-gyp rebuild"},
		{`"scripts":{"install":"prebuild"}`, [][]byte{gyp}, "install: prebuild"},
		{`"gypfile":false`, [][]byte{gyp}, ""},
	} {
		info, err := inspect("kube.tgz", npmWith(`{"name":"kube","version":"1.0.0",`+c.manifest+`}`, c.parts...))
		if err != nil || strings.Join(info.InstallScripts, "; ") != c.want {
			t.Errorf("%s: %q, %v", c.manifest, info.InstallScripts, err)
		}
		if strings.Contains(string(info.Manifest), "hasInstallScript") != (c.want != "") {
			t.Errorf("%s: the manifest is %s", c.manifest, info.Manifest)
		}
	}
}

func TestNormalVersion(t *testing.T) {
	for s, want := range map[string]string{
		"1.0": "1.0", "v1.0.0": "1.0.0", "1.0.0-rc.1": "1.0.0rc1", "1.0alpha": "1.0a0", "1!2.03": "1!2.3", "0!1": "1",
		"1.0-1": "1.0.post1", "1.0.post": "1.0.post0", "1.0.REV2": "1.0.post2", "1.0.dev": "1.0.dev0", "1.0+Ubuntu-1_2": "1.0+ubuntu.1.2",
		"1.0c1.post2.dev3": "1.0rc1.post2.dev3", "": "", "1.": "", "1.0_x": "", "latest": "",
	} {
		if got, ok := normalVersion(s); got != want || ok != (want != "") {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
	if !sameVersion("1.0_1", "1.0-1") || !sameVersion("1.0_local.1", "1.0+local.1") || sameVersion("1.0", "1.0.0") {
		t.Error("versions of file names are compared wrongly")
	}
}
