package artifact

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Class is what a wheel or sdist shows of a back-end component without being run.
type Class struct {
	// Verdict is Pass when the class is there, Fail when it is not, and
	// Unknown when that can't be seen: it comes from another package, from
	// compiled code, or is made at run time.
	Verdict Verdict
	Detail  string // why, for people
	File    string // that defines the class, in the archive
	// Methods are those of CloudLaunch's AppPlugin that it defines, itself or by
	// its bases in the file, in the order of AppPluginMethods.
	Methods []string
	// Missing are those that it must have and does not show. They may still be
	// inherited when Outside names bases that are not in this file.
	Missing []string
	Outside []string
}

// AppPluginMethods are the methods of CloudLaunch's AppPlugin interface. Of
// validate_app_config and process_app_config, and of deploy and launch_app, the
// second is the older name.
var AppPluginMethods = []string{
	"validate_app_config", "process_app_config", "sanitise_app_config",
	"deploy", "launch_app", "health_check", "restart", "delete",
}

var appPluginNeeds = [][]string{
	{"validate_app_config", "process_app_config"},
	{"sanitise_app_config"},
	{"deploy", "launch_app"},
	{"health_check"},
	{"restart"},
	{"delete"},
}

var component = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`)

// FindClass looks for a component "package.module.Class" in a wheel or sdist
// that Inspect accepted. It reads the source and runs nothing. An error is of r,
// or an *Error when component is no dotted name.
func FindClass(name string, r io.ReaderAt, size int64, dotted string) (Class, error) {
	if err := checkClass(name, dotted); err != nil {
		return Class{}, err
	}
	all, err := FindClasses(name, r, size, []string{dotted})
	if err != nil {
		return Class{}, err
	}
	return all[0], nil
}

func checkClass(name, dotted string) error {
	if len(dotted) > MaxName || !component.MatchString(dotted) {
		return refuse("component-name", "write package.module.Class", "%.300q is no dotted name of a class", dotted)
	}
	switch kind, bad := kindOf(name); {
	case bad != nil:
		return bad
	case kind == NPM:
		return refuse("component-kind", "look in a wheel or an sdist", "%s holds no Python", name)
	}
	return nil
}

// FindClasses is FindClass for several components, for which an sdist is
// decompressed once. Of what is no dotted name the verdict is Unknown.
func FindClasses(name string, r io.ReaderAt, size int64, dotted []string) ([]Class, error) {
	all := make([]Class, len(dotted))
	tops := map[string]pyFiles{}
	for i, d := range dotted {
		if err := checkClass(name, d); err != nil {
			all[i] = Class{Verdict: Unknown, Detail: err.Error()}
			continue
		}
		top, _, _ := strings.Cut(d, ".")
		tops[top] = nil
	}
	if len(tops) == 0 {
		return all, nil
	}
	src := &source{r: r, size: size}
	sdist := !strings.HasSuffix(name, ".whl")
	var err error
	if sdist {
		err = sdistModules(src, tops)
	} else {
		err = wheelModules(src, tops)
	}
	if err = src.blame(err); err != nil {
		return nil, err
	}
	for i, d := range dotted {
		if all[i].Verdict != "" {
			continue
		}
		top, _, _ := strings.Cut(d, ".")
		// A build may add and move modules.
		f := &classFinder{seen: map[string]bool{}, files: tops[top], partial: sdist}
		dot := strings.LastIndexByte(d, '.')
		all[i] = f.find(d[:dot], d[dot+1:])
		if err := src.blame(f.err); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pyFiles gives the modules of a file.
type pyFiles interface {
	// load gives the module of a path without its ending ("a/b"), and its file;
	// nil when there is none. compiled tells that there is one without source.
	load(path string) (m *pyModule, file string, compiled bool, err error)
	// has tells whether there is anything in that folder.
	has(folder string) bool
}

type classFinder struct {
	files   pyFiles
	partial bool
	seen    map[string]bool
	err     error
}

// maxFollowed is how many classes and re-exports are looked at for one component.
const maxFollowed = 64

func (f *classFinder) find(module, class string) Class {
	where, c, why := f.resolve(module, class)
	switch {
	case f.err != nil:
		return Class{}
	case c == nil && why.verdict == Fail && f.partial && !why.read:
		return Class{Verdict: Unknown, Detail: why.text + "; a build may add it"}
	case c == nil:
		return Class{Verdict: why.verdict, Detail: why.text}
	}
	out := Class{Verdict: Pass, File: where.file}
	members := map[string]bool{}
	f.members(where, c, members, &out)
	for _, m := range AppPluginMethods {
		if members[m] {
			out.Methods = append(out.Methods, m)
		}
	}
	for _, names := range appPluginNeeds {
		if !slices.ContainsFunc(names, func(n string) bool { return members[n] }) {
			out.Missing = append(out.Missing, names[0])
		}
	}
	out.Detail = fmt.Sprintf("%s defines %d of %d methods", where.file, len(appPluginNeeds)-len(out.Missing), len(appPluginNeeds))
	if len(out.Outside) > 0 && len(out.Missing) > 0 {
		out.Detail += "; the others may come from " + strings.Join(out.Outside, ", ")
	}
	return out
}

// found is the module that a class is in.
type found struct {
	*pyModule
	dotted, file string
	pkg          bool // an __init__.py, from which relative imports begin one lower
}

// reason says why a class was not found. read tells that the place where it
// should be was read, so that the verdict is certain.
type reason struct {
	verdict Verdict
	text    string
	read    bool
}

// resolve finds a class by the names that lead to it.
func (f *classFinder) resolve(module, class string) (found, *pyClass, reason) {
	key := module + ":" + class
	if f.seen[key] || len(f.seen) > maxFollowed {
		return found{}, nil, reason{Unknown, "its imports lead in a circle or too far", true}
	}
	f.seen[key] = true
	m, file, compiled, err := f.files.load(strings.ReplaceAll(module, ".", "/"))
	if err != nil {
		f.err = err
	}
	switch {
	case compiled:
		return found{}, nil, reason{Unknown, fmt.Sprintf("the module %s is compiled", module), true}
	case m == nil:
		top, _, _ := strings.Cut(module, ".")
		if !f.files.has(top) {
			return found{}, nil, reason{Fail, fmt.Sprintf("the package %s is not in the file", top), false}
		}
		return found{}, nil, reason{Fail, fmt.Sprintf("the module %s is not in the file", module), false}
	}
	at := found{m, module, file, path.Base(file) == "__init__.py"}
	if c := m.classes[class]; c != nil {
		return at, c, reason{}
	}
	if to, ok := m.aliases[class]; ok {
		if to == "?" {
			return at, nil, reason{Unknown, fmt.Sprintf("%s is computed in %s", class, file), true}
		}
		return f.follow(at, to)
	}
	if _, ok := m.imports[class]; ok {
		return f.follow(at, class)
	}
	unsure := m.dynamic
	for _, star := range m.stars {
		if from, ok := at.absolute(star); ok && f.here(from) {
			w, c, why := f.resolve(from, class)
			if c != nil {
				return w, c, reason{}
			}
			unsure = unsure || why.verdict != Fail
		} else {
			unsure = true
		}
	}
	if unsure {
		return at, nil, reason{Unknown, fmt.Sprintf("%s makes names that can't be seen without running it", file), true}
	}
	return at, nil, reason{Fail, fmt.Sprintf("%s defines no class %s", file, class), true}
}

// follow resolves a name as it is used in a module: a class of it, or what an
// import gives.
func (f *classFinder) follow(at found, name string) (found, *pyClass, reason) {
	head, rest, dotted := strings.Cut(name, ".")
	if !dotted && at.imports[head].module == "" {
		return f.resolve(at.dotted, name)
	}
	imp, ok := at.imports[head]
	if !ok {
		return at, nil, reason{Unknown, fmt.Sprintf("%s is not seen in %s", name, at.file), true}
	}
	module, inside := at.absolute(imp.module)
	if !inside || !f.here(module) {
		return at, nil, reason{Unknown, fmt.Sprintf("%s comes from %s, which is not in the file", name, imp.module), true}
	}
	if !dotted {
		return f.resolve(module, imp.name)
	}
	// "from . import base", then base.Class; or "import pkg", then pkg.base.Class
	if imp.name != "" {
		module += "." + imp.name
	}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		module, rest = module+"."+rest[:i], rest[i+1:]
	}
	return f.resolve(module, rest)
}

func (f *classFinder) here(module string) bool {
	top, _, _ := strings.Cut(module, ".")
	return f.files.has(top)
}

// absolute gives the full name of a module that an import names.
func (at found) absolute(module string) (string, bool) {
	name := strings.TrimLeft(module, ".")
	up := len(module) - len(name)
	if up == 0 {
		return name, name != ""
	}
	parts := strings.Split(at.dotted, ".")
	if !at.pkg {
		up++
	}
	if up-1 > len(parts) {
		return "", false
	}
	parts = parts[:len(parts)-(up-1)]
	if name != "" {
		parts = append(parts, name)
	}
	return strings.Join(parts, "."), len(parts) > 0
}

// members gathers what a class and its bases in the file define.
func (f *classFinder) members(at found, c *pyClass, all map[string]bool, out *Class) {
	for _, m := range c.members {
		all[m] = true
	}
	for _, base := range c.bases {
		if base == "object" || len(f.seen) > maxFollowed {
			continue
		}
		where, b, why := f.follow(at, base)
		if b != nil {
			f.members(where, b, all, out)
		} else if why.verdict != "" && !slices.Contains(out.Outside, base) {
			out.Outside = append(out.Outside, base)
		}
	}
}
