// Package registry is the domain: it publishes releases of plugins, resolves
// what a client asks for, and keeps the search index up to date.
//
// # One way through
//
// A change is a command. decide says which events it takes in the present
// state; one create-only object, the journal's next entry, makes them true;
// apply adds them to the catalogue, a local file that can be deleted. Files are
// stored before the entry that refers to them. Nothing else is a commit point:
// not the local file, not the index.
//
// # What is true
//
// Each has a test named after it (TestTruth1 ...).
//
//  1. A published name@version never changes its bytes; its number is never
//     reused, also after a withdrawal.
//  2. Before the entry nothing of a publish is visible, after it everything is.
//     A crash at any instant leaves one or the other, and files to sweep.
//  3. Publishing the same again (the same release digest: sha256 over the sorted
//     descriptor digest and file digests) answers with the same release;
//     different bytes are refused.
//  4. An exact name@version is found on every replica as soon as its publish is
//     acknowledged: a replica that misses it reads the journal's end before it
//     says that there is none. Everything movable (latest, channels, ranges,
//     lists, yanks) is current on the replica that changed it and at most 2 s
//     old on the others. A replica that can't read the journal for 30 s refuses
//     movable things; exact immutable releases go on.
//  5. (ecosystem, package, version, file name) names one sha256 for ever. The
//     same file again is no error; other bytes are refused. A later release may
//     add wheels to a PyPI version, never a tarball to an npm version.
//  6. A package name belongs to the plugin that first published it; any plugin
//     may use a stored version. A package version counts as yanked only when no
//     live release of its owner still brings or uses it; what others use does
//     not hold it up.
//  7. Names are unique after normalisation (lower case, runs of -_. become -;
//     the published spelling is kept), and a name equal to a taken one in its
//     skeleton (separators dropped, 0=o, 1=i=l, rn=m) is refused.
//  8. When only indexing fails the publication stands (Searchable is false); the
//     index catches up from its own position, unasked, at the cost of what
//     changed and not of what exists.
//  9. Any number of replicas run over one store and one index; no replica holds
//     what another needs. Local files may vanish at any time.
//  10. A store restored from a backup is noticed (the index's position and that
//     entry's hash are not in the journal) and the index is rebuilt.
//
// # What a crash leaves
//
// Files under files/ that no entry refers to: the sweep removes them after 24
// hours. A catalogue behind the journal: it reads on. An index behind the
// catalogue: it catches up. A spool: emptied at the start.
//
// # Sources
//
// Versions: semver.org 2.0.0. Names: PEP 503. Yanks: PEP 592. Metadata beside
// wheels: PEP 658.
package registry
