// Package schema is what a plugin's descriptor is: the YAML text that links a
// back-end package with a front-end module.
//
// # Reading a descriptor
//
// [Parse] gives a [Descriptor], or every problem of the text at once. It goes
// through these steps; each looks at what the one before let through, and the
// first three refuse a text before it costs anything:
//
//  1. size, NUL bytes and UTF-8; nesting that the YAML parser should not meet;
//  2. YAML (gopkg.in/yaml.v3), one document; two repairs for the form that
//     CloudLaunch's issue 118 sketches ("..." lines, a key without its colon), told
//     as problems, so that the rest of the text is checked too;
//  3. the number of values with aliases written out, counted without doing so;
//  4. YAML to JSON's types: no duplicate keys, other keys than texts, tags, dates,
//     infinite numbers; merge keys (<<) are done, as launch configs use them;
//  5. keys without a value are taken out, so an empty key is an absent key;
//  6. the shape and its limits: the JSON Schema in plugin.v1.json;
//  7. the rules that no JSON Schema can say: versions, ranges, packages.
//
// Descriptors are never templated: {{ }} and {% %} in a text stay as they are.
//
// A [Problem] has a JSON Pointer (RFC 6901), line, column, a stable code, a message
// and how to fix it. Problems are ordered by line, column and code. [Codes] lists the
// codes; testdata/rules has a folder for each, with texts that break the rule and
// golden files of the answer (go test -update writes them).
//
// # The descriptor
//
// There are two forms. In the simple one backend, backend_version,
// backend_component, front_end, front_end_version and frontend_component are
// shorthand for interfaces.launch; both in one text is an error. [JSON] is the
// schema that says the rest, also to editors. [Template] is a text to start from.
// [Descriptor.YAML] writes a descriptor such that Parse gives it back.
//
// A back end's component is module.Class. A bare Class is taken where a package is
// named, since issue 118 says "name_of_class"; a host looks for it in the module of
// the package's name. Without a package the component comes with the host, which
// needs the module.
//
// Limits, in characters unless said otherwise; those with a star are CloudLaunch's:
//
//	the text                1 MiB, 20,000 values, 32 levels
//	name                    100 *
//	version, label          30 *
//	title                   60 *
//	summary                 140 *
//	maintainer, component   255 *
//	description             32,767 *
//	a URL                   2,048 *
//	default_config          1 MiB as JSON *
//	license                 100
//	categories, tags        20 of 50
//	interfaces, requires    20
//	libraries               50
//	network                 50 of 255
//	package, its version    214 (npm), 64
//	a range                 100
//
// # Names
//
// A name is a letter or a digit, then letters, digits, "-", "_" and ".". Names are
// unique after [Normalise] (the rule of PEP 503), and no two may have the same
// [Skeleton]. Names of packages follow PEP 508 and npm's rules for new packages
// ([CheckPackage], [NormalisePackage]); their versions PEP 440 in its normal form
// and semver.org.
//
// # Versions, ranges, channels, refs
//
// A [Version] is strictly semantic (semver.org 2.0.0), without build metadata, with
// numbers of at most 64 bits. [Version.Key] keeps its order in bytes. A [Range] is
// written as for npm; a pre-release is in it only where a comparator names one of
// the same three numbers (node-semver's rule). A channel ([CheckChannel]) is never a
// version or a range, so each [Ref] is one thing.
//
// # Reading and writing YAML
//
// [Reading] and [EncodeYAML] serve the packages below this one. What EncodeYAML
// writes is the same for readers of YAML 1.1 (PyYAML, so CloudLaunch) and of YAML
// 1.2: what either could take for something else is in quotes.
//
// # What was left out
//
// The form of an interface is any object; its own schema comes with package form.
// Licenses are not checked against SPDX's list, which changes. The YAML parser
// gives the line of a syntax error but no column, so the column is that of the
// line's first character. Integers beyond 64 bits are refused rather than rounded.
package schema
