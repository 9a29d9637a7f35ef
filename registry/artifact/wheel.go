package artifact

import (
	"regexp"
	"slices"
	"strings"

	"appstore/schema"
)

// wheelName is a wheel's file name by PEP 427 and PEP 425:
// name-version[-build]-python-abi-platform.whl, the tags compressed by dots.
type wheelName struct {
	name, version, build string
	tags                 []string // expanded: "py2-none-any", "py3-none-any"
}

var (
	wheelPart  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.!+]*$`)
	wheelBuild = regexp.MustCompile(`^[0-9][A-Za-z0-9_.]*$`)
	wheelTags  = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$`)
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
	if !wheelPart.MatchString(w.name) || !wheelPart.MatchString(w.version) {
		return wheelName{}, refuse("name-grammar", again, "the wheel's name has the package %q and the version %q", w.name, w.version)
	}
	tags := parts[len(parts)-3:]
	for _, t := range tags {
		if !wheelTags.MatchString(t) {
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
// NAME-VERSION.data folder's parts (PEP 427).
func (z *zipArchive) distInfo(w wheelName) (string, error) {
	found := ""
	for i := range z.entries {
		name, err := z.name(&z.entries[i])
		if err != nil {
			return "", err
		}
		top, rest, inside := strings.Cut(name, "/")
		switch {
		case !inside:
		case strings.HasSuffix(top, ".dist-info"):
			if found != "" && found != top {
				return "", refuse("wheel-two-infos", again, "it has two .dist-info folders: %s and %s", found, top)
			}
			found = top
		case strings.HasSuffix(top, ".data") && w.owns(strings.TrimSuffix(top, ".data")):
			part, _, _ := strings.Cut(rest, "/")
			if rest != "" && !slices.Contains([]string{"purelib", "platlib", "headers", "scripts", "data"}, part) {
				return "", refuse("wheel-data", again, "it has %q; a .data folder has purelib, platlib, headers, scripts and data only", name)
			}
		}
	}
	switch {
	case found == "":
		return "", refuse("wheel-no-info", again, "it has no NAME-VERSION.dist-info folder")
	case !w.owns(strings.TrimSuffix(found, ".dist-info")):
		return "", refuse("wheel-other-info", again, "its folder %s is not %s-%s.dist-info, as its file name says", found, w.name, w.version)
	}
	return found + "/", nil
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
		if !slices.Contains(tags, t) {
			return refuse("wheel-tag-missing", again, "the file name says the tag %s, which %s does not have", t, path)
		}
	}
	for _, t := range tags {
		if !slices.Contains(w.tags, t) {
			return refuse("wheel-tag-extra", again, "%s has the tag %.80s, which the file name does not say", path, t)
		}
	}
	return nil
}
