package artifact

import (
	"regexp"
	"slices"
	"strings"

	"appstore/schema"
)

// wheelName is a wheel's file name by PEP 427 and PEP 425, as strict as
// packaging.utils.parse_wheel_filename, by which installers read it:
// name-version[-build]-python-abi-platform.whl, the tags compressed by dots.
type wheelName struct {
	name, version, build string
	tags                 []string // expanded: "py2-none-any", "py3-none-any"
}

var (
	wheelPart  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.]*$`)
	wheelBuild = regexp.MustCompile(`^[0-9][A-Za-z0-9_.]*$`)
	// pythonDigit is an interpreter's tag that is no identifier.
	pythonDigit = regexp.MustCompile(`(^|\.)[0-9]`)
	wheelTags   = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$`)
)

func parseWheelName(file string) (wheelName, error) {
	parts := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	if len(parts) != 5 && len(parts) != 6 {
		return wheelName{}, refuse("name-parts", "name it name-version-python-abi-platform.whl, as build tools do", "the wheel's name has %d parts instead of 5 or 6", len(parts))
	}
	w := wheelName{name: parts[0], version: parts[1]}
	if len(parts) == 6 {
		if w.build = parts[2]; !wheelBuild.MatchString(w.build) {
			return wheelName{}, refuse("name-build", "let it begin with a digit (PEP 427)", "the wheel's name has the build tag %q", w.build)
		}
	}
	if !wheelPart.MatchString(w.name) || strings.Contains(w.name, "__") {
		return wheelName{}, refuse("name-grammar", again, "the wheel's name has the package %q, which is not written as wheels write names: letters, digits, dots and single underscores", w.name)
	}
	if _, ok := normalVersion(w.version); !ok {
		return wheelName{}, refuse("name-version", again, "the wheel's name has the version %q, which is none by PEP 440", w.version)
	}
	tags := parts[len(parts)-3:]
	for i, t := range tags {
		if !wheelTags.MatchString(t) || i == 0 && pythonDigit.MatchString(t) {
			return wheelName{}, refuse("name-tag", again, "the wheel's name has the tag %q", t)
		}
	}
	w.tags = expand(tags)
	if len(w.tags) > 200 {
		return wheelName{}, refuse("name-tags", "name fewer", "the wheel's name stands for %d tags; at most 200 are allowed", len(w.tags))
	}
	return w, nil
}

// expand writes a compressed tag set out (PEP 425).
func expand(tags []string) (all []string) {
	for p := range strings.SplitSeq(tags[0], ".") {
		for a := range strings.SplitSeq(tags[1], ".") {
			for o := range strings.SplitSeq(tags[2], ".") {
				all = append(all, strings.ToLower(p+"-"+a+"-"+o))
			}
		}
	}
	return all
}

func inspectWheel(rep *report, file string, src *source) (Info, error) {
	w, err := parseWheelName(file)
	if err != nil {
		return Info{}, err
	}
	rep.pass(CheckFileName)
	z, err := openZip(src)
	if err != nil {
		return Info{}, err
	}
	if err := alsoTar(src); err != nil {
		return Info{}, err
	}
	dir, err := z.distInfo(w)
	if err != nil {
		return Info{}, err
	}
	data, err := z.required(dir+"METADATA", "metadata-file")
	if err != nil {
		return Info{}, err
	}
	info, err := python(data, dir+"METADATA")
	if err != nil {
		return Info{}, err
	}
	if err := agrees("the file name", w.name, w.version, info.Package); err != nil {
		return Info{}, err
	}
	if data, err = z.required(dir+"WHEEL", "wheel-file"); err != nil {
		return Info{}, err
	}
	if err := w.agrees(data, dir+"WHEEL"); err != nil {
		return Info{}, err
	}
	if err := z.readRecord(dir); err != nil {
		return Info{}, err
	}
	if err := z.walk(func(e *zipEntry, sum [32]byte) error { return z.recorded(e, sum) }); err != nil {
		return Info{}, err
	}
	rep.pass(CheckMetadata, CheckAgrees, CheckWheel, CheckRecord, CheckEntries, CheckLimits, CheckContents, CheckArchive)
	if info.Descriptor, err = z.descriptor(); err != nil {
		return Info{}, err
	}
	info.Entries, info.Unpacked = len(z.entries), z.unpacked
	return info, nil
}

// distInfo finds the one NAME-VERSION.dist-info folder, and looks at the
// NAME-VERSION.data folder's parts (PEP 427). Nothing else may have a name that
// ends so: pip takes every folder X.data for its own, and counts files too.
func (z *zipArchive) distInfo(w wheelName) (string, error) {
	found, data := "", ""
	for i := range z.entries {
		name, err := z.name(&z.entries[i])
		if err != nil {
			return "", err
		}
		top, rest, inside := strings.Cut(name, "/")
		switch lower := strings.ToLower(top); {
		case !inside && strings.HasSuffix(lower, ".dist-info"):
			return "", refuse("wheel-info-file", "rename it", "%q is a file with the name of a .dist-info folder", name)
		case strings.HasSuffix(lower, ".dist-info"):
			if found != "" && found != top {
				return "", refuse("wheel-two-infos", again, "it has two .dist-info folders: %s and %s", found, top)
			}
			found = top
		case !inside && strings.HasSuffix(lower, ".data"):
			return "", refuse("wheel-data-file", "rename it", "%q is a file with the name of a .data folder", name)
		case strings.HasSuffix(lower, ".data"):
			if data != "" && data != top {
				return "", refuse("wheel-two-data", "rename one of them", "it has two .data folders: %s and %s", data, top)
			}
			data = top
			part, _, below := strings.Cut(rest, "/")
			if rest != "" && (!below || !slices.Contains([]string{"purelib", "platlib", "headers", "scripts", "data"}, part)) {
				return "", refuse("wheel-data", again, "it has %q; a .data folder has the folders purelib, platlib, headers, scripts and data only", name)
			}
		}
	}
	own := strings.TrimSuffix(found, ".dist-info")
	switch {
	case found == "":
		return "", refuse("wheel-no-info", again, "it has no NAME-VERSION.dist-info folder")
	case !w.owns(own):
		return "", refuse("wheel-other-info", again, "its folder %s is not %s-%s.dist-info, as its file name says", found, w.name, w.version)
	case data == "":
		return found + "/", nil
	case data != own+".data":
		return "", refuse("wheel-other-data", "rename it", "its folder %s is not %s.data: some installers take it for that, others for a package", data, own)
	}
	return found + "/", z.overlap(data)
}

// overlap checks that no two files are installed at one place, of which one
// would hide the other.
func (z *zipArchive) overlap(data string) error {
	names := namespace{}
	for i := range z.entries {
		e := &z.entries[i]
		name, err := z.name(e)
		if err != nil {
			return err
		}
		place := installed(name, data)
		if place == "" {
			continue
		}
		if top, _, _ := strings.Cut(place, "/"); place != name && strings.HasSuffix(strings.ToLower(top), ".dist-info") {
			return refuse("wheel-installs-info", "leave it out", "%q is installed as %q, by which installers know a package", name, place)
		}
		if err := names.add(place, e.folder); err != nil {
			return refuse("wheel-overlap", "ship it once", "%q is installed as %q, where another file of the wheel is", name, place)
		}
	}
	return nil
}

// installed gives the place of a wheel's file in site-packages, or for a
// script in a folder that no package has; "" when it is in neither.
func installed(name, data string) string {
	rest, ok := strings.CutPrefix(name, data+"/")
	if !ok {
		return name
	}
	part, inner, _ := strings.Cut(rest, "/")
	const scripts = "\x00scripts/"
	switch part {
	case "purelib", "platlib":
		return inner
	case "scripts":
		return scripts + inner
	case "data":
		top, script, _ := strings.Cut(inner, "/")
		if top == "bin" || top == "Scripts" {
			return scripts + script
		}
		if i := strings.LastIndex(inner, "/site-packages/"); i >= 0 {
			return inner[i+len("/site-packages/"):]
		}
	}
	return ""
}

// owns tells whether the beginning of a folder's name is this wheel's.
func (w wheelName) owns(folder string) bool {
	name, version, ok := strings.Cut(folder, "-")
	return ok && schema.Normalise(name) == schema.Normalise(w.name) && (version == w.version || sameVersion(version, w.version))
}

func (z *zipArchive) required(name, code string) ([]byte, error) {
	e := z.find(name)
	if e == nil {
		return nil, refuse(code, again, "it has no %s", name)
	}
	return z.small(e, name)
}

// agrees checks WHEEL against the file name.
func (w wheelName) agrees(data []byte, path string) error {
	h, err := parseHeader(data, path)
	if err != nil {
		return err
	}
	version, err := h.one("Wheel-Version", path)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(version, "1.") {
		return refuse("wheel-version", again, "%s says Wheel-Version %.20q; 1.x is known", path, version)
	}
	purelib, err := h.one("Root-Is-Purelib", path)
	if err != nil {
		return err
	}
	if p := strings.ToLower(purelib); p != "true" && p != "false" {
		return refuse("wheel-purelib", again, "%s says Root-Is-Purelib %.20q instead of true or false", path, purelib)
	}
	var tags []string
	for _, t := range h["tag"] {
		parts := strings.Split(t, "-")
		if len(parts) != 3 {
			return refuse("wheel-tag", again, "%s has the tag %.80q", path, t)
		}
		tags = append(tags, expand(parts)...)
	}
	for _, t := range w.tags {
		if !slices.ContainsFunc(tags, func(said string) bool { return covers(said, t) }) {
			return refuse("wheel-tag-missing", again, "the file name says the tag %s, which %s does not have", t, path)
		}
	}
	for _, t := range tags {
		if !slices.ContainsFunc(w.tags, func(named string) bool { return covers(t, named) }) {
			return refuse("wheel-tag-extra", again, "%s has the tag %.80s, which the file name does not say", path, t)
		}
	}
	return nil
}

// covers tells whether a tag that WHEEL says is the file name's, or the same for any
// platform: projects that put programs into pure wheels rename those for each
// platform (playwright does). Installers go by the name alone.
func covers(said, named string) bool {
	if said == named {
		return true
	}
	all, ok := strings.CutSuffix(said, "-any")
	return ok && strings.HasPrefix(named, all+"-")
}
