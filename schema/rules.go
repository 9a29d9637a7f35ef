package schema

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var (
	dottedName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	hexDigest   = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	pypiVersion = regexp.MustCompile(`^([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9]+([._-][a-z0-9]+)*)?$`)
	npmVersion  = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

func checkURL(s string) error {
	const fix = "write the whole URL, with https://, or leave the key out"
	const most = 2048 // characters, CloudLaunch's limit
	u, err := url.Parse(s)
	switch {
	case s == "":
		return errorf("bad-url", fix, "the URL is empty")
	case len([]rune(s)) > most:
		return errorf("too-long", "shorten it", "the URL has %d characters, at most %d are allowed", len([]rune(s)), most)
	case err != nil:
		return errorf("bad-url", fix, "%s is no URL", quote(s))
	case u.Scheme != "http" && u.Scheme != "https":
		return errorf("bad-url", fix, "%s is no URL of http or https", quote(s))
	case u.Hostname() == "" || strings.ContainsAny(s, " \t\r\n"):
		return errorf("bad-url", fix, "%s is no URL", quote(s))
	}
	return nil
}

func checkClass(s string) error {
	const fix = `write module.Class, for example "cloudlaunch_kube.KubeAppPlugin"`
	switch {
	case isPlaceholder(s):
		return errorf("bad-component", "put the real name in the place of the placeholder: module.Class", "%s is a placeholder", quote(s))
	case len(s) > 255:
		return errorf("too-long", "shorten it", "the name of the class has over 255 characters")
	case !dottedName.MatchString(s):
		return errorf("bad-component", fix, "%s is no name of a Python class", quote(s))
	}
	return nil
}

func checkSHA256(s string) error {
	if !hexDigest.MatchString(s) {
		return errorf("bad-sha256", "write the 64 hexadecimal digits that sha256sum gives", "%s is no SHA-256 digest", quote(s))
	}
	return nil
}

// checkPackageVersion is about exact versions: PEP 440 in its normal form, or npm's
// semantic versions, which may have build metadata.
func checkPackageVersion(ecosystem, s string) error {
	const most = 64
	grammar, example := pypiVersion, `for example "1.2.3" or "1.2.3rc1"`
	if ecosystem == NPM {
		grammar, example = npmVersion, `for example "1.2.3"`
	}
	if len(s) > most || !grammar.MatchString(s) {
		return errorf("bad-package-version", "write one exact version as the package has it, "+example, "%s is no exact version of a package of %s", quote(s), map[string]string{PyPI: "PyPI", NPM: "npm"}[ecosystem])
	}
	return nil
}

// A use is a place of a descriptor where a package may be named.
type use struct {
	Package
	pointer string            // of the mapping that names it
	keys    map[string]string // what the keys package, version, ... are called there
}

func (u use) key(name string) string {
	if key, ok := u.keys[name]; ok {
		name = key
	}
	return u.pointer + "/" + name
}

// rules are the rules that no JSON Schema can say. A place that has a problem
// already is skipped by Parse.
func (d *draft) rules() []Problem {
	var problems []Problem
	problem := func(pointer, code, fix, format string, args ...any) {
		problems = append(problems, Problem{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...), Fix: fix})
	}
	check := func(err error, pointer string) {
		if err != nil {
			problems = append(problems, ProblemAt(pointer, err))
		}
	}
	if d.Version != "" {
		_, err := ParseVersion(d.Version)
		check(err, "/version")
	}
	for key, text := range d.Requires {
		_, err := ParseRange(text)
		check(err, "/requires/"+pointerEscapes.Replace(key))
	}
	for _, l := range []struct{ key, url string }{
		{"homepage", d.Links.Homepage}, {"source", d.Links.Source}, {"documentation", d.Links.Documentation}, {"icon", d.Links.Icon},
	} {
		if l.url != "" {
			check(checkURL(l.url), "/links/"+l.key)
		}
	}
	if len(d.DefaultConfig) > MaxSize {
		problem("/default_config", "too-long", "leave out what the plugin can fetch when it runs", "default_config is over 1 MiB as JSON")
	}
	for _, c := range d.classes {
		if !strings.Contains(c.class, ".") && !c.inPackage {
			problem(c.pointer, "bad-component", "write module.Class", "%s comes with the host, so it needs its module", quote(c.class))
		}
	}
	first := map[[2]string]use{}
	for _, u := range d.uses {
		if u.Name == "" {
			for _, key := range u.extras() {
				problem(u.key(key), "version-without-package", "name the package too, or leave this out", "%s stands without a package", lastKey(u.key(key)))
			}
			continue
		}
		if u.External && (u.Version == "" || u.SHA256 == "") {
			problem(u.key("external"), "external-incomplete", "add version and sha256 of the file that the host is to install", "an external package needs its exact version and sha256")
		}
		if !u.External && u.SHA256 != "" {
			problem(u.key("sha256"), "external-incomplete", "add external: true, or leave sha256 out: the digests of uploaded files are taken here", "sha256 is only for external packages")
		}
		id := [2]string{u.Ecosystem, NormalisePackage(u.Ecosystem, u.Name)}
		f, ok := first[id]
		switch {
		case !ok:
			first[id] = u
		case f.Version == "" && u.Version != "" && f.External == u.External:
			first[id] = u
		case f.Version != "" && u.Version != "" && f.Version != u.Version:
			problem(u.key("version"), "package-conflict", "one release has one version of a package: use the same everywhere", "the package %s is in version %s here, and in %s at %s", quote(u.Name), u.Version, f.Version, f.pointer)
		case f.External != u.External || !strings.EqualFold(f.SHA256, u.SHA256):
			problem(u.key("package"), "package-conflict", "give the same version, external and sha256 wherever the package is named", "the package %s is named in another way at %s", quote(u.Name), cmpOr(f.pointer, "the top"))
		}
	}
	return problems
}

// extras are the keys that say nothing without a package.
func (u use) extras() []string {
	var keys []string
	if u.Version != "" {
		keys = append(keys, "version")
	}
	if u.External {
		keys = append(keys, "external")
	}
	if u.SHA256 != "" {
		keys = append(keys, "sha256")
	}
	return keys
}

// A class is a back end's component and where it stands.
type class struct {
	class, pointer string
	inPackage      bool
}

// draft is a descriptor in the making, with the places that rules are about.
type draft struct {
	Descriptor
	uses    []use
	classes []class
}

// draftOf reads the values that have the right kind; what has not is a problem of
// its shape already.
func draftOf(m map[string]any) *draft {
	d := &draft{Descriptor: Descriptor{
		Name: str(m["name"]), Version: str(m["version"]), Label: str(m["label"]), Title: str(m["title"]),
		Summary: str(m["summary"]), Description: str(m["description"]), Maintainer: str(m["maintainer"]), License: str(m["license"]),
		Categories: strs(m["categories"]), Tags: strs(m["tags"]), Permissions: encode(m["permissions"]), DefaultConfig: encode(m["default_config"]),
	}}
	if l := object(m["links"]); l != nil {
		d.Links = Links{str(l["homepage"]), str(l["source"]), str(l["documentation"]), str(l["icon"])}
	}
	for key, v := range object(m["requires"]) {
		if d.Requires == nil {
			d.Requires = map[string]string{}
		}
		d.Requires[key] = str(v)
	}
	for key, v := range m {
		if strings.HasPrefix(key, "x-") {
			if d.Extensions == nil {
				d.Extensions = map[string]rawJSON{}
			}
			d.Extensions[key] = encode(v)
			if v == nil {
				d.Extensions[key] = rawJSON("null")
			}
		}
	}
	d.simple(m)
	for _, name := range sortedKeys(object(m["interfaces"])) {
		d.addInterface(name, object(object(m["interfaces"])[name]), "/interfaces/"+pointerEscapes.Replace(name), nil)
	}
	libraries, _ := m["libraries"].([]any)
	for i, l := range libraries {
		if l := object(l); l != nil {
			u := use{Package: packageOf(l, str(l["ecosystem"])), pointer: "/libraries/" + strconv.Itoa(i)}
			d.uses = append(d.uses, u)
			d.Libraries = append(d.Libraries, u.Package)
		}
	}
	return d
}

// simple reads the simple form, which is shorthand for interfaces.launch.
func (d *draft) simple(m map[string]any) {
	back := map[string]any{"package": m["backend"], "version": m["backend_version"], "component": m["backend_component"]}
	front := map[string]any{"package": m["front_end"], "version": m["front_end_version"], "component": m["frontend_component"]}
	d.addInterface("launch", map[string]any{"backend": back, "frontend": front}, "", map[string]map[string]string{
		"backend":  {"package": "backend", "version": "backend_version", "component": "backend_component"},
		"frontend": {"package": "front_end", "version": "front_end_version", "component": "frontend_component"},
	})
}

func (d *draft) addInterface(name string, m map[string]any, pointer string, keys map[string]map[string]string) {
	component := func(side, ecosystem string) *Component {
		c := object(m[side])
		u := use{Package: packageOf(c, ecosystem), pointer: pointer, keys: keys[side]}
		if keys == nil {
			u.pointer += "/" + side
		}
		d.uses = append(d.uses, u)
		component := str(c["component"])
		if side == "backend" && component != "" {
			d.classes = append(d.classes, class{component, u.key("component"), u.Name != ""})
		}
		if u.Name == "" && component == "" {
			return nil
		}
		return &Component{u.Package, component}
	}
	i := Interface{Backend: component("backend", PyPI), Frontend: component("frontend", NPM), Form: encode(m["form"])}
	if i.Backend == nil && i.Frontend == nil && i.Form == nil {
		return
	}
	if d.Interfaces == nil {
		d.Interfaces = map[string]Interface{}
	}
	d.Interfaces[name] = i
}

func packageOf(m map[string]any, ecosystem string) Package {
	p := Package{Ecosystem: ecosystem, Name: str(m["package"]), Version: str(m["version"]), SHA256: strings.ToLower(str(m["sha256"]))}
	p.External, _ = m["external"].(bool)
	if p.Name == "" {
		p.Ecosystem = ""
	}
	return p
}
