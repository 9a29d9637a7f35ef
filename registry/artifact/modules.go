package artifact

import (
	"io"
	"path"
	"strings"
)

// wheelFiles reads the modules of a wheel when they are asked for.
type wheelFiles struct {
	z     *zipArchive
	roots []string        // "", and the .data folders that are installed beside
	tops  map[string]bool // first parts of names, under the roots
	stems map[string]bool // paths of compiled modules, without their endings
}

func wheelModules(src *source) (pyFiles, error) {
	z, err := openZip(src)
	if err != nil {
		return nil, err
	}
	w := &wheelFiles{z: z, roots: []string{""}, tops: map[string]bool{}, stems: map[string]bool{}}
	for i := range z.entries {
		name, err := z.name(&z.entries[i])
		if err != nil {
			return nil, err
		}
		if top, rest, _ := strings.Cut(name, "/"); strings.HasSuffix(top, ".data") {
			part, inner, _ := strings.Cut(rest, "/")
			if part != "purelib" && part != "platlib" {
				continue
			}
			if root := top + "/" + part + "/"; len(w.roots) < 3 && !strings.Contains(strings.Join(w.roots, "\n"), root) {
				w.roots = append(w.roots, root)
			}
			name = inner
		}
		top, _, _ := strings.Cut(name, "/")
		top, _, _ = strings.Cut(top, ".")
		w.tops[top] = true
		if stem, ok := compiledModule(name); ok && len(w.stems) < maxNames {
			w.stems[stem] = true
		}
	}
	return w, nil
}

// compiledModule gives the path of an extension module without its ending:
// "a/b" of a/b.cpython-311-x86_64-linux-gnu.so.
func compiledModule(name string) (string, bool) {
	if !strings.HasSuffix(name, ".so") && !strings.HasSuffix(name, ".pyd") && !strings.HasSuffix(name, ".pyc") {
		return "", false
	}
	stem, _, _ := strings.Cut(path.Base(name), ".")
	return strings.TrimPrefix(path.Dir(name)+"/"+stem, "./"), true
}

func (w *wheelFiles) has(top string) bool { return w.tops[top] }

func (w *wheelFiles) load(module string) (*pyModule, string, bool, error) {
	// A package hides a module of its name, wherever in the wheel they are: they
	// are installed side by side.
	for _, inner := range []string{module + "/__init__.py", module + ".py"} {
		for _, root := range w.roots {
			file := root + inner
			e := w.z.find(file)
			if e == nil {
				continue
			}
			if e.size > maxSource {
				return &pyModule{dynamic: true}, file, false, nil
			}
			data, err := w.z.small(e, file)
			if err != nil {
				return nil, file, false, err
			}
			return scanPython(data), file, false, nil
		}
	}
	return nil, "", w.stems[module], nil
}

// sdistFiles has the modules of an sdist that belong to one top package, read
// in one pass; where in the archive their folder is (src/ or any other) is
// found by their names.
type sdistFiles struct {
	top     string
	modules map[string]*pyModule // by the path from the top package on
	files   map[string]string
	stems   map[string]bool
	kept    int // names in modules
}

// Limits of what is kept in memory of an sdist's modules.
const (
	maxModules = 2000
	maxKept    = 20_000
)

func sdistModules(src *source, top string) (pyFiles, error) {
	s := &sdistFiles{top: top, modules: map[string]*pyModule{}, files: map[string]string{}, stems: map[string]bool{}}
	_, err := walkTar(src, func(e tarEntry, content io.Reader) error {
		module, ok := s.place(e.name)
		if !ok {
			return nil
		}
		if stem, ok := compiledModule(module); ok {
			if len(s.stems) < maxModules {
				s.stems[stem] = true
			}
			return nil
		}
		// The folder nearest to the archive's root wins: tests and vendored
		// copies lie deeper.
		if was, there := s.files[module]; there && strings.Count(was, "/") <= strings.Count(e.name, "/") {
			return nil
		}
		if len(s.modules) >= maxModules || s.kept >= maxKept {
			s.modules[module], s.files[module] = &pyModule{dynamic: true}, e.name
			return nil
		}
		m := &pyModule{dynamic: true}
		if e.size <= maxSource {
			data := make([]byte, e.size)
			if _, err := io.ReadFull(content, data); err != nil {
				return err
			}
			m = scanPython(data)
		}
		s.kept += m.names()
		s.modules[module], s.files[module] = m, e.name
		return nil
	})
	return s, err
}

// place gives the path of a module from its top package on.
func (s *sdistFiles) place(name string) (string, bool) {
	_, inner, _ := strings.Cut(name, "/")
	if _, compiled := compiledModule(name); !compiled && !strings.HasSuffix(name, ".py") {
		return "", false
	}
	inner = "/" + inner
	if i := strings.Index(inner, "/"+s.top+"/"); i >= 0 {
		return inner[i+1:], true
	}
	if base := path.Base(inner); base == s.top+".py" {
		return base, true
	}
	return "", false
}

func (s *sdistFiles) has(top string) bool {
	return top == s.top && (len(s.modules) > 0 || len(s.stems) > 0)
}

func (s *sdistFiles) load(module string) (*pyModule, string, bool, error) {
	for _, file := range []string{module + "/__init__.py", module + ".py"} {
		if m := s.modules[file]; m != nil {
			return m, s.files[file], false, nil
		}
	}
	return nil, "", s.stems[module], nil
}
