// Package pip makes a Python package index of the registry, so that pip, uv
// and poetry install the packages of plugins, and twine and uv publish them.
//
// It makes bytes and takes uploads; routes, headers and errors on the wire are
// those of package api.
//
// # What it follows
//
//   - PEP 503: the HTML pages; names are normalised, files carry #sha256=.
//   - PEP 691: the same as JSON, chosen by the header Accept or by ?format=.
//   - PEP 592: data-yanked with its reason.
//   - PEP 658 and 714: <file>.metadata is the wheel's METADATA, announced as
//     core-metadata and under its older name dist-info-metadata.
//   - PEP 700: versions, sizes and times of upload.
//   - PEP 792: the status of the project: active, or quarantined if the
//     registry has the package but shows no file of it.
//   - the legacy upload API of PyPI, whose only description is its own source
//     (warehouse/forklift/legacy.py) and its clients (twine, uv).
//
// # Whose a name is
//
// A name that was published here is answered from here alone, whatever an
// upstream has under it: nobody can slip in a higher version of it from
// elsewhere (dependency confusion). Only where the registry is certain that it
// has no such package may the operator's [Upstream] answer.
package pip
