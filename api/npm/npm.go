// Package npm turns plugins' front-end packages into what the clients of an
// npm registry read, and takes in what they publish. It knows the documents;
// package api puts them on the wire, at /npm/.
//
// # Sources
//
//   - The packument, full and abbreviated: npm/registry, docs/REGISTRY-API.md
//     and docs/responses/package-metadata.md.
//   - dist.integrity: W3C Subresource Integrity, section 3.5; npm uses sha512
//     in base64. dist.shasum is the sha1 in hex.
//   - The body of a publish: npm/cli, workspaces/libnpmpublish/lib/publish.js.
//   - The search: docs/REGISTRY-API.md, "GET·/-/v1/search".
//   - Errors are {"error": "text"}: that is what npm shows
//     (npm-registry-fetch, lib/errors.js).
//
// # Choices
//
// What an installer reads of a version (its dependencies, engines, commands)
// comes from the package.json inside the tarball, never from what the
// publishing client said beside it: the two can't disagree.
//
// A dist-tag is a channel of the plugin that owns the package, mapped to the
// version of the package that the channel's release brings. The tag "latest",
// which every client needs, is the version that the plugin's default release
// brings.
package npm

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"appstore/registry"
	"appstore/schema"
)

// Abbreviated is the media type of the packument with only what an installer needs.
const Abbreviated = "application/vnd.npm.install-v1+json"

// integrity gives the sha512 of a file in the form of Subresource Integrity.
func integrity(f *registry.File) string {
	sum, err := hex.DecodeString(f.SHA512)
	if err != nil {
		return ""
	}
	return "sha512-" + base64.StdEncoding.EncodeToString(sum)
}

// FileURL is where a file of a release is served, under a server's address.
func FileURL(base, plugin, release, file string) string {
	return base + "/api/v1/plugins/" + url.PathEscape(plugin) + "/releases/" + url.PathEscape(release) + "/files/" + url.PathEscape(file)
}

// TarballName is the file name that npm's clients give to the tarball of a
// version: without the scope, as in kube-1.0.0.tgz of @cloudlaunch/kube.
func TarballName(name, version string) string {
	if _, after, ok := strings.Cut(name, "/"); ok {
		name = after
	}
	return name + "-" + version + ".tgz"
}

// packedName is the file name that `npm pack` gives it.
func packedName(name, version string) string {
	return strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-") + "-" + version + ".tgz"
}

// SplitPath decodes the path below /npm/ into segments. A scoped name is one
// of them, whether its slash was encoded (@s%2Fn) or not (@s/n).
func SplitPath(escaped string) ([]string, error) {
	var segments []string
	open := false // the last one is a scope that waits for its name
	for part := range strings.SplitSeq(strings.Trim(escaped, "/"), "/") {
		s, err := url.PathUnescape(part)
		if err != nil {
			return nil, err
		}
		if open {
			segments[len(segments)-1] += "/" + s
			open = false
			continue
		}
		segments = append(segments, s)
		open = strings.HasPrefix(s, "@") && !strings.Contains(s, "/")
	}
	return segments, nil
}

// IsName tells whether name can be the name of a package.
func IsName(name string) bool { return schema.CheckPackage(schema.NPM, name) == nil }
