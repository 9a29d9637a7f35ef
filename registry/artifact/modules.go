package artifact

import (
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// wheelFiles reads the modules of a wheel when they are asked for.
type wheelFiles struct {
	z     *zipArchive
	roots []string        // "", and the .data folders that are installed beside
	tops  map[string]bool // first parts of names, under the roots
	stems map[string]bool // paths of compiled modules, without their endings
}

// wheelModules fills in the files for all top packages: they are the same.
func wheelModules(src *source, tops map[string]pyFiles) error {
	z, err := openZip(src)
	if err != nil {
		return err
	}
	w := &wheelFiles{z: z, roots: []string{""}, tops: map[string]bool{}, stems: map[string]bool{}}
	for i := range z.entries {
		name, err := z.name(&z.entries[i])
		if err != nil {
			return err
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
	for top := range tops {
		tops[top] = w
	}
	return nil
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
// in one pass for all of them; where in the archive their folder is (src/ or any other) is
// found by their names.
type sdistFiles struct {
	top     string
	modules map[string]*pyModule // by the path from the top package on
	files   map[string]string
	stems   map[string]bool
}

// Limits of what is kept in memory of an sdist's modules, for all top packages.
const (
	maxModules = 2000
	maxKept    = 20_000
)

func sdistModules(src *source, tops map[string]pyFiles) error {
	var all []*sdistFiles
	for _, top := range slices.Sorted(maps.Keys(tops)) {
		s := &sdistFiles{top: top, modules: map[string]*pyModule{}, files: map[string]string{}, stems: map[string]bool{}}
		all, tops[top] = append(all, s), s
	}
	modules, stems, names := 0, 0, 0
	_, err := walkTar(src, func(e tarEntry, content io.Reader) error {
		var read *pyModule // once, though it may belong to several
		for _, s := range all {
			module, ok := s.place(e.name)
			if !ok {
				continue
			}
			if stem, ok := compiledModule(module); ok {
				if stems++; stems <= maxModules {
					s.stems[stem] = true
				}
				continue
			}
			// The folder nearest to the archive's root wins: tests and vendored
			// copies lie deeper.
			if was, there := s.files[module]; there && strings.Count(was, "/") <= strings.Count(e.name, "/") {
				continue
			}
			m := read
			switch {
			case m != nil:
			case modules >= maxModules || names >= maxKept || e.size > maxSource:
				m = &pyModule{dynamic: true}
			default:
				data := make([]byte, e.size)
				if _, err := io.ReadFull(content, data); err != nil {
					return err
				}
				m = scanPython(data)
				read = m
				modules++
				names += m.names()
			}
			s.modules[module], s.files[module] = m, e.name
		}
		return nil
	})
	return err
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
