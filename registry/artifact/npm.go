package artifact

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"appstore/schema"
)

// manifestKeys are what npm's abbreviated metadata has of package.json.
var manifestKeys = []string{
	"name", "version", "deprecated", "dependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"devDependencies", "bundleDependencies", "bundledDependencies", "acceptDependencies", "bin", "directories", "engines", "os", "cpu", "libc", "funding",
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
	gyp := false
	var plugin carried
	w, err := walkTar(src, func(e tarEntry, content io.Reader) (err error) {
		switch _, rest, _ := strings.Cut(e.name, "/"); rest {
		case "package.json":
			data, err = bounded(content, e)
		case "binding.gyp":
			gyp = true
		default:
			err = plugin.see(e, content, 0)
		}
		return err
	})
	if err != nil {
		return Info{}, err
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
	if info.Manifest, err = abbreviated(all, len(info.InstallScripts) > 0); err != nil {
		return Info{}, err
	}
	info.Descriptor = plugin.data
	info.Entries, info.Unpacked = w.entries, w.unpacked
	return info, nil
}

// manifest reads package.json. The keys are taken from a map, since Go would
// else match them in any case, and npm does not.
func manifest(data []byte, path string) (Info, map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return Info{}, nil, refuse("metadata-json", "run npm pack again", "%s is no JSON object (%v)", path, err)
	}
	var name, version string
	if json.Unmarshal(all["name"], &name) != nil || json.Unmarshal(all["version"], &version) != nil {
		return Info{}, nil, refuse("metadata-npm-missing", "give the package a name and a version", "%s has no name or no version", path)
	}
	if err := schema.CheckPackage(schema.NPM, name); err != nil {
		return Info{}, nil, refuse("metadata-npm-name", "give the package a valid name", "%s: %v", path, err)
	}
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

// abbreviated gives what an installer needs of package.json to choose and resolve.
func abbreviated(all map[string]json.RawMessage, scripts bool) (json.RawMessage, error) {
	kept := map[string]any{}
	for _, k := range manifestKeys {
		if v, ok := all[k]; ok {
			kept[k] = v
		}
	}
	if scripts {
		kept["hasInstallScript"] = true
	}
	return json.Marshal(kept)
}
