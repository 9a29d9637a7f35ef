// Package artifact reads wheels, sdists and npm tarballs, which are hostile
// input until shown otherwise. Nothing of them is run, and nothing is unpacked
// to disk.
//
// # What is read
//
// A wheel is a zip archive with NAME-VERSION.dist-info/METADATA, WHEEL and
// RECORD; an sdist a gzipped tar archive with NAME-VERSION/PKG-INFO; an npm
// tarball a gzipped tar archive with package.json in its one top folder. The
// kind follows from the file name.
//
// [Inspect] reads all of the file once, in the order of its bytes (of a wheel the
// directory and three small files first). It takes less than 8 MB of memory
// whatever the file has, and time in proportion to what the file decompresses
// to, which is limited. [FindClass] and [FindExport] look into the source of what
// Inspect accepted, for the components that a descriptor names; what can't be
// seen without running it is unknown, not wrong.
//
// # Fail closed
//
// Each kind has a list of checks. A check is pass, fail, error (the file could
// not be read) or not-run; a file is accepted when every check passed. A
// refusal is an *[Error] with a stable code, whose first word tells the check.
//
// # What is refused, and why so much
//
// An archive that two programs read differently can show one of them a harmless
// package and install another. So every byte must belong to something:
//
//   - zip: the end record is the last 22 bytes, without a comment; the directory
//     is directly before it, and the entries directly before that, without
//     gaps, overlaps, or anything in front. A local header says what the
//     directory says. Sizes and checksums agree with the content, also those
//     in a data descriptor, and nothing is behind the compressed bytes. A
//     descriptor after a stored content is refused: where that content ends
//     is anybody's guess. (PyPI refuses all descriptors; here they are verified,
//     since honest tools that write to pipes need them.) Methods are stored and
//     deflated; nothing is encrypted.
//   - zip64: end records and sizes in the directory are refused, since no file
//     of at most 4 GiB and 40,000 entries needs them. A local header may have
//     room for zip64 sizes, as Python's force_zip64 makes and Bazel for protobuf,
//     when all its sizes agree.
//   - gzip: one member without extra field or comment, and nothing behind it. gzip
//     would read several members as one stream; not every reader does.
//   - tar: ustar, pax and GNU long names. One name and one size of each entry, a
//     whole end mark, then nothing but zeros. A pax header for all entries may
//     comment, as git archive does, not rename. An entry has one extended header
//     at most; its records are lines, each as long as it says. Every field of every
//     header is one that Python and node-tar both read, and to the same: a
//     number that one of them can't parse makes it end the archive, or take a
//     content for headers. A prefix needs ustar's exact magic. In npm tarballs,
//     an entry with other than ASCII letters has the same name in its own header,
//     or its beginning: node-tar may not see the other.
//   - A file that is also an archive of the other kind, as Python sees it: it takes
//     an end record in the last 64 KiB, whatever follows it.
//   - Names: UTF-8 without control, direction-turning and invisible characters and
//     line separators, relative, without "..", ".", empty parts and backslashes;
//     nothing that Windows takes for something else: colons, dots and spaces at an
//     end, CON and its like. No two of them equal, or equal to a file system that
//     ignores case or composes letters; none a file and a folder. Those of an npm
//     tarball do not begin with "./", which npm would drop instead of the folder.
//   - Links, devices, pipes, sparse files. PEP 721 would let links in sdists
//     pass that stay inside. They are refused all the same: Windows does not
//     unpack them, and older versions of pip follow them wherever they lead.
//     tar's --dereference puts the files there.
//   - Bombs: see the limits ([MaxUnpacked] and others). An archive within an archive
//     is a file like any other, since no installer unpacks it; a gzip file in a
//     gzip file is refused.
//
// A wheel's RECORD must list every file with a sha256 that matches, and nothing
// that is not there; RECORD itself and its signatures RECORD.jws and RECORD.p7s
// are exempt. Other hashes are refused: no current tool writes them. The tags in
// WHEEL must be those of the file name. Files that are installed at one place
// (those of purelib and platlib beside the rest) are duplicates. Nothing at the
// top but the wheel's own folders ends with .dist-info or .data.
//
// METADATA and PKG-INFO have no carriage return in their head but at line ends:
// Python's e-mail parser ends a line there, others do not.
//
// Names and versions in the file name, the folders and the metadata must be the
// same by PEP 503 and PEP 440. An npm tarball's file name is not compared: yarn's
// is package.tgz. A field that readers could take from two places is refused.
//
// # How it is tested
//
// Besides the archives that must be refused, and those that must not, TestReaders
// makes thousands and compares what is accepted with what Python and node-tar
// read of them.
//
// # What is disclosed, not refused
//
// The commands that npm runs at an install (Info.InstallScripts), node-gyp for
// a binding.gyp included; dependencies, also such by URL.
//
// # Sources
//
// Wheels: PEP 427, tags PEP 425, RECORD PEP 376 and PEP 491. Sdists: PEP 625
// (names), PEP 643 and PEP 658 (metadata), PEP 721 (unpacking). Versions: PEP 440;
// requirements: PEP 508; names: PEP 503. npm: docs.npmjs.com, package.json and
// scripts. zip: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.9
// (descriptor), 4.3.12 (directory), 4.3.14 to 4.3.16 (ends), 4.4.4 (flags), 4.5.3
// (zip64), 4.6.9 (second names). gzip: RFC 1952; deflate: RFC 1951. tar:
// POSIX.1-2001, and the GNU tar manual for long names. The refusals follow what
// registries had to learn: PyPI's zip checks, crates.io's of tarballs.
package artifact
