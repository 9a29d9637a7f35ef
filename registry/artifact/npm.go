package artifact

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"appstore/schema"
)

// manifestKeys are what npm's abbreviated metadata has of package.json.
var manifestKeys = []string{
	"name", "version", "deprecated", "dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"devDependencies", "acceptDependencies", "bin", "directories", "engines", "os", "cpu", "libc", "funding",
}

// semver is semver.org's grammar, which npm demands.
var semver = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)` +
	`(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?` +
	`(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// inspectTarball reads an npm tarball, which has package.json in its top
// folder ("package", but npm takes any). Its file name says nothing: yarn's is
// package.tgz.
func inspectTarball(rep *report, src *source) (Info, error) {
	rep.pass(CheckFileName)
	var data []byte
	gyp, shrinkwrap := false, false
	var plugin carried
	w, err := walkTar(src, func(e tarEntry, content io.Reader) (err error) {
		switch _, rest, _ := strings.Cut(e.name, "/"); rest {
		case "package.json":
			data, err = bounded(content, e)
		case "binding.gyp":
			gyp = true
		case "npm-shrinkwrap.json":
			shrinkwrap = true
		default:
			err = plugin.see(e, content, 0)
		}
		return err
	})
	if err != nil {
		return Info{}, err
	}
	if w.unfit != nil {
		return Info{}, w.unfit
	}
	rep.pass(CheckArchive, CheckEntries, CheckLimits, CheckContents)
	if data == nil {
		return Info{}, refuse("metadata-package-json", again, "it has no package.json in its top folder")
	}
	info, all, err := manifest(data, w.root+"package.json")
	if err != nil {
		return Info{}, err
	}
	rep.pass(CheckMetadata)
	if info.InstallScripts, err = installScripts(all, gyp); err != nil {
		return Info{}, err
	}
	rep.detail(CheckScripts, "%s", strings.Join(info.InstallScripts, "; "))
	if info.Manifest, err = abbreviated(all, len(info.InstallScripts) > 0, shrinkwrap); err != nil {
		return Info{}, err
	}
	info.Descriptor = plugin.data
	info.Entries, info.Unpacked = w.entries, w.unpacked
	return info, nil
}

// withoutBOM drops the byte order mark that editors on Windows write: npm, pnpm,
// yarn and Node.js all do.
func withoutBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// manifest reads package.json. The keys are taken from a map, since Go would
// else match them in any case, and npm does not.
func manifest(data []byte, path string) (Info, map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(withoutBOM(data), &all); err != nil {
		return Info{}, nil, refuse("metadata-json", "run npm pack again", "%s is no JSON object (%v)", path, err)
	}
	var name, version string
	if json.Unmarshal(all["name"], &name) != nil || json.Unmarshal(all["version"], &version) != nil {
		return Info{}, nil, refuse("metadata-npm-missing", "give the package a name and a version", "%s has no name or no version", path)
	}
	if err := schema.CheckPackage(schema.NPM, name); err != nil {
		return Info{}, nil, refuse("metadata-npm-name", "give the package a valid name", "%s: %v", path, err)
	}
	// npm publish writes "1.0.0" for "v1.0.0" into what it sends, but not into the
	// tarball: there would be two spellings of one version, so it is refused.
	if len(version) > 100 || !semver.MatchString(version) {
		return Info{}, nil, refuse("metadata-semver", "give the package a semantic version", "%s says the version %.100q", path, version)
	}
	return Info{Package: schema.Package{Ecosystem: schema.NPM, Name: name, Version: version}}, all, nil
}

// installScripts lists what npm runs when it installs a tarball (docs.npmjs.com,
// "scripts"): preinstall, install and postinstall; node-gyp for a binding.gyp
// without an install or preinstall script. prepare is run in checkouts only.
func installScripts(all map[string]json.RawMessage, gyp bool) (lines []string, err error) {
	scripts := map[string]json.RawMessage{}
	if raw := all["scripts"]; raw != nil {
		if json.Unmarshal(raw, &scripts) != nil {
			return nil, refuse("script-object", "write an object of commands", "the scripts of its package.json are no object")
		}
	}
	byHand := false
	for _, s := range []string{"preinstall", "install", "postinstall"} {
		var command string
		if raw := scripts[s]; raw != nil && json.Unmarshal(raw, &command) != nil {
			return nil, refuse("script-text", "write a command", "the script %q of its package.json is no text", s)
		}
		if len(command) > 500 {
			command = command[:500] + "..."
		}
		if command != "" {
			lines = append(lines, s+": "+command)
			byHand = byHand || s != "postinstall"
		}
	}
	if gyp && !byHand && string(all["gypfile"]) != "false" {
		lines = append(lines, "install: node-gyp rebuild")
	}
	return lines, nil
}

// abbreviated gives what an installer needs of package.json to choose and
// resolve. What npm knows of a package without its tarball it takes from here
// only: that it has install scripts, or an npm-shrinkwrap.json.
func abbreviated(all map[string]json.RawMessage, scripts, shrinkwrap bool) (json.RawMessage, error) {
	kept := map[string]any{}
	for _, k := range manifestKeys {
		if v, ok := all[k]; ok {
			kept[k] = v
		}
	}
	if scripts {
		kept["hasInstallScript"] = true
	}
	if shrinkwrap {
		kept["_hasShrinkwrap"] = true
	}
	if names, ok := bundled(all); ok {
		kept["bundleDependencies"] = names
	}
	return json.Marshal(kept)
}

// bundled lists the dependencies that are in the tarball itself, as npm does when
// it publishes: true stands for all of them, an object for its keys, and the
// other spelling counts when the first is not there.
func bundled(all map[string]json.RawMessage) (names []string, ok bool) {
	raw := all["bundleDependencies"]
	if raw == nil {
		raw = all["bundledDependencies"]
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil, false // it says none
	}
	names = []string{}
	switch v := v.(type) {
	case bool:
		var deps map[string]json.RawMessage
		if v && json.Unmarshal(all["dependencies"], &deps) == nil {
			names = slices.AppendSeq(names, maps.Keys(deps))
		}
	case map[string]any:
		names = slices.AppendSeq(names, maps.Keys(v))
	case []any:
		for _, n := range v {
			if s, ok := n.(string); ok {
				names = append(names, s)
			}
		}
		return names, true
	default:
		return nil, false
	}
	slices.Sort(names)
	return names, true
}
