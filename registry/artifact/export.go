package artifact

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Export is what an npm tarball shows of a front-end component without being run.
type Export struct {
	// Verdict is Pass when an entry file exports the name, Fail when all entry
	// files were understood and none does, and Unknown else.
	Verdict Verdict
	Detail  string
	File    string // that exports it, in the package
}

// maxScanned is how many bytes of a package's scripts are looked through.
const maxScanned = 32 << 20

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// FindExport looks for a name among the exports of the entry files that
// package.json tells (main, module, browser, es20xx, types and exports "."), and
// of the files that these export from. An error is of r, or an *Error when name
// is no identifier.
func FindExport(r io.ReaderAt, size int64, name string) (Export, error) {
	if err := checkExport(name); err != nil {
		return Export{}, err
	}
	all, err := FindExports(r, size, []string{name})
	if err != nil {
		return Export{}, err
	}
	return all[0], nil
}

func checkExport(name string) error {
	if len(name) > MaxName || !identifier.MatchString(name) {
		return refuse("component-export", "write the exported name alone", "%.300q is no name of JavaScript", name)
	}
	return nil
}

// FindExports is FindExport for several names, for which the tarball is
// decompressed once. Of what is no identifier the verdict is Unknown.
func FindExports(r io.ReaderAt, size int64, names []string) ([]Export, error) {
	all := make([]Export, len(names))
	wanted := map[string]bool{}
	for i, name := range names {
		if err := checkExport(name); err != nil {
			all[i] = Export{Verdict: Unknown, Detail: err.Error()}
			continue
		}
		wanted[name] = true
	}
	if len(wanted) == 0 {
		return all, nil
	}
	src := &source{r: r, size: size}
	files := map[string]jsFile{}
	var entries []string
	var scanned int64
	_, err := walkTar(src, func(e tarEntry, content io.Reader) error {
		_, file, _ := strings.Cut(e.name, "/")
		switch {
		case file == "package.json":
			data, err := bounded(content, e)
			entries = entryFiles(data)
			return err
		case !scripts.MatchString(file) || strings.Contains(file, "node_modules/") || len(files) >= maxModules:
			return nil
		case e.size > maxSource || scanned > maxScanned:
			files[file] = jsFile{unsure: "it, or the package, is too large to be read"}
			return nil
		}
		data := make([]byte, e.size)
		if _, err := io.ReadFull(content, data); err != nil {
			return err
		}
		scanned += e.size
		files[file] = scanScript(string(data), wanted)
		return nil
	})
	if err = src.blame(err); err != nil {
		return nil, err
	}
	for i, name := range names {
		if wanted[name] {
			all[i] = findExport(files, entries, name)
		}
	}
	return all, nil
}

// scripts are the files that can export: also TypeScript's declarations.
var scripts = regexp.MustCompile(`\.([cm]?jsx?|d\.[cm]?ts)$`)

// entryFiles lists what package.json names as the package's entry, in its order
// of preference.
func entryFiles(data []byte) (files []string) {
	var p map[string]any
	if json.Unmarshal(withoutBOM(data), &p) != nil {
		return nil
	}
	add := func(v any) {
		if s, ok := v.(string); ok && s != "" && len(files) < 20 {
			if s = path.Clean(s); !slices.Contains(files, s) {
				files = append(files, s)
			}
		}
	}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		switch v := v.(type) {
		case string:
			add(v)
		case []any:
			for _, x := range v {
				walk(x, depth)
			}
		case map[string]any:
			if x, ok := v["."]; ok && depth == 0 {
				walk(x, 1)
				return
			}
			for _, condition := range []string{"import", "module", "es2022", "es2020", "es2015", "browser", "default", "require", "node", "types"} {
				if x := v[condition]; x != nil && depth < 6 {
					walk(x, depth+1)
				}
			}
		}
	}
	walk(p["exports"], 0)
	for _, k := range []string{"module", "es2020", "es2015", "fesm2022", "fesm2015", "browser", "main", "types", "typings"} {
		add(p[k])
	}
	if len(files) == 0 {
		add("index.js")
	}
	return files
}

// jsFile is what one file shows of the names that are looked for.
type jsFile struct {
	exports []string // those of them that it exports
	from    []string // files that it exports everything from, or the name
	unsure  string   // why it may export what is not seen
}

func findExport(files map[string]jsFile, entries []string, name string) Export {
	unsure, read := "", false
	seen := map[string]bool{}
	for len(entries) > 0 && len(seen) < maxFollowed {
		want := entries[0]
		entries = entries[1:]
		file := ""
		for _, ending := range []string{"", ".js", ".mjs", ".cjs", ".d.ts", "/index.js", "/index.mjs", "/index.d.ts"} {
			if _, ok := files[want+ending]; ok && file == "" {
				file = want + ending
			}
		}
		if file == "" {
			unsure = want + " is not a script in the package"
			continue
		}
		if seen[file] {
			continue
		}
		seen[file], read = true, true
		f := files[file]
		if slices.Contains(f.exports, name) {
			return Export{Verdict: Pass, File: file, Detail: fmt.Sprintf("%s exports %s", file, name)}
		}
		if f.unsure != "" {
			unsure = file + ": " + f.unsure
		}
		for _, from := range f.from {
			if strings.HasPrefix(from, ".") {
				entries = append(entries, path.Join(path.Dir(file), from))
			} else {
				unsure = file + " exports from " + from
			}
		}
	}
	switch {
	case !read || len(entries) > 0:
		return Export{Verdict: Unknown, Detail: "the entry files of the package are not seen"}
	case unsure != "":
		return Export{Verdict: Unknown, Detail: "no export of the name is seen, but " + unsure}
	}
	return Export{Verdict: Fail, Detail: fmt.Sprintf("no entry file of the package exports %s", name)}
}

var (
	jsDeclares = regexp.MustCompile(`\bexport\s+(?:declare\s+|default\s+)?(?:abstract\s+|async\s+)?(?:class|function\s*\*?|const|let|var|enum)\s+([A-Za-z_$][\w$]*)`)
	jsList     = regexp.MustCompile(`\bexport\s*\{([^{}]*)\}(?:\s*from\s*["']([^"'\n]*)["'])?`)
	jsStar     = regexp.MustCompile(`\bexport\s*\*\s*(?:as\s+([\w$]+)\s+)?from\s*["']([^"'\n]*)["']`)
	jsDestruct = regexp.MustCompile(`\bexport\s+(?:const|let|var)\s*[\[{]`)
	jsWhole    = regexp.MustCompile(`\bexport\s*=`)
	cjsName    = regexp.MustCompile(`\bexports\s*(?:\.\s*([A-Za-z_$][\w$]*)|\[\s*["']([\w$]+)["']\s*\])\s*=[^=]`)
	cjsDefine  = regexp.MustCompile(`\bdefineProperty\s*\(\s*exports\s*,\s*["']([\w$]+)["']`)
	cjsObject  = regexp.MustCompile(`\bmodule\s*\.\s*exports\s*=\s*\{([^{}]*)\}`)
	cjsFrom    = regexp.MustCompile(`\b(?:module\s*\.\s*exports\s*=|__exportStar\s*\()\s*require\s*\(\s*["']([^"'\n]*)["']\s*\)`)
	cjsOther   = regexp.MustCompile(`\bexports\b`)
	jsExport   = regexp.MustCompile(`\bexport\b`)
	jsKey      = regexp.MustCompile(`^\s*([A-Za-z_$][\w$]*)\s*(?:[:(].*)?$`)
)

// scanScript looks for exports of names. ES modules that write their exports
// out are understood for certain; of CommonJS and bundles, what is seen is
// taken, and what is not seen is unknown.
func scanScript(src string, names map[string]bool) (f jsFile) {
	exports := func(name string) {
		if names[name] && !slices.Contains(f.exports, name) {
			f.exports = append(f.exports, name)
		}
	}
	src = withoutComments(src)
	if len(jsDeclares.FindAllString(src, 1))+len(jsList.FindAllString(src, 1))+len(jsStar.FindAllString(src, 1)) == 0 {
		if cjsOther.MatchString(src) || !jsExport.MatchString(src) {
			f.unsure = "it is no ES module"
		} else {
			f.unsure = "its exports are not seen"
		}
	}
	each := func(re *regexp.Regexp, do func(m []string)) {
		for _, m := range re.FindAllStringSubmatch(src, 10_000) {
			do(m)
		}
	}
	each(jsDeclares, func(m []string) { exports(m[1]) })
	each(jsStar, func(m []string) {
		if m[1] != "" {
			exports(m[1])
		} else if len(f.from) < maxFollowed {
			f.from = append(f.from, m[2])
		}
	})
	each(jsList, func(m []string) {
		for part := range strings.SplitSeq(m[1], ",") {
			// "type X" too; "a as X" exports X.
			if words := strings.Fields(part); len(words) > 0 {
				exports(words[len(words)-1])
			}
		}
	})
	each(cjsName, func(m []string) { exports(m[1] + m[2]) }) // one of them is empty
	each(cjsFrom, func(m []string) {
		if len(f.from) < maxFollowed {
			f.from = append(f.from, m[1])
		}
	})
	each(cjsDefine, func(m []string) { exports(m[1]) })
	each(cjsObject, func(m []string) {
		for part := range strings.SplitSeq(m[1], ",") {
			if k := jsKey.FindStringSubmatch(part); k != nil {
				exports(k[1])
			}
		}
	})
	switch {
	case jsDestruct.MatchString(src):
		f.unsure = "it exports by destructuring"
	case jsWhole.MatchString(src):
		f.unsure = "it exports one object as a whole"
	}
	return f
}

// withoutComments blanks comments, so that what they say is not taken for
// code. Strings stay: the names of files are in them. A regular expression with
// quotes or "//" in it can mislead it, to the end of its line at most.
func withoutComments(src string) string {
	out := []byte(src)
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"' || c == '\'':
			for i++; i < len(out) && out[i] != c && out[i] != '\n'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '/':
			for ; i < len(out) && out[i] != '\n'; i++ {
				out[i] = ' '
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '*':
			end := strings.Index(src[i+2:], "*/")
			if end < 0 {
				return string(out)
			}
			for stop := i + end + 4; i < stop; i++ {
				out[i] = ' '
			}
			i--
		}
	}
	return string(out)
}
