package artifact

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// hostile is one archive that must be refused, and by which code.
type hostile struct {
	code, name string
	data       []byte
}

// hostileArchives makes all of them.
func hostileArchives() []hostile {
	all := append(hostileNames(), hostileZips()...)
	all = append(all, hostileEntries()...)
	all = append(all, hostileWheels()...)
	all = append(all, hostileTars()...)
	return append(all, hostilePackages()...)
}

func hostileNames() []hostile {
	ok := honest().bytes()
	return []hostile{
		{"name-length", strings.Repeat("a", 252) + ".whl", ok},
		{"name-character", "a/b-1-py3-none-any.whl", ok},
		{"name-start", ".kube-1-py3-none-any.whl", ok},
		{"name-kind", "kube.exe", ok},
		{"name-parts", "kube-1.0.0.whl", ok},
		{"name-build", "kube-1.0.0-x1-py3-none-any.whl", ok},
		{"name-grammar", "_kube-1.0.0-py3-none-any.whl", ok},
		{"name-grammar", "kube__x-1.0.0-py3-none-any.whl", ok},
		{"name-grammar", "ku+be-1.0.0-py3-none-any.whl", ok},
		{"name-version", "kube-1.0.0_1-py3-none-any.whl", ok},
		{"name-version", "kube-one-py3-none-any.whl", ok},
		{"name-version", "kube-1.0.0+local_-py3-none-any.whl", ok},
		{"name-tag", "kube-1.0.0-3-none-any.whl", ok},
		{"name-tag", "kube-1.0.0-py3.2-none-any.whl", ok},
		{"name-build", "kube-1.0.0-_1-py3-none-any.whl", ok},
		{"name-tag", "kube-1.0.0-py3..py2-none-any.whl", ok},
		{"name-tags", "kube-1.0.0-" + strings.Repeat("a.", 30) + "a-" + strings.Repeat("b.", 30) + "b-any.whl", ok},
		{"name-sdist", "kube.tar.gz", sdistWith()},
	}
}

// lie makes a hostile wheel of the honest one.
func lie(code string, change func(z *zfile, e *zent)) hostile {
	z := honest(file{"kube/a.py", strings.Repeat("a = 1\n", 50)}, file{"kube/b.py", "b = 2\n"})
	change(z, z.all[1])
	return hostile{code, wheelFile, z.bytes()}
}

func hostileZips() []hostile {
	ok := honest().bytes()
	twoEnds := ok[len(ok)-endSize:]
	lies := []hostile{
		{"zip-short", wheelFile, []byte("PK")},
		{"zip-none", wheelFile, bytes.Repeat([]byte("hello "), 50)},
		{"zip-truncated", wheelFile, ok[:len(ok)-endSize-5]},
		{"zip-two-archives", wheelFile, append(bytes.Clone(ok), ok...)},
		{"zip-prepended", wheelFile, append([]byte("#!/bin/sh\nexit\n"), ok...)},
		{"zip-cut-comment", wheelFile, func() []byte {
			b := bytes.Clone(ok)
			b[len(b)-2] = 9
			return append(b, "cut"...)
		}()},
		{"polyglot-tar", wheelFile, tarZip()},
	}
	return append(lies, []hostile{
		lie("zip-trailing", func(z *zfile, _ *zent) { z.tail = []byte("more") }),
		lie("zip-comment", func(z *zfile, _ *zent) { z.comment = "hello" }),
		lie("zip-prepended-entries", func(z *zfile, _ *zent) { z.prefix = []byte("#!/bin/sh\n") }),
		lie("zip-two-ends", func(z *zfile, _ *zent) { z.afterDir = twoEnds }),
		lie("zip-gap-end", func(z *zfile, _ *zent) { z.afterDir = []byte("hidden") }),
		lie("zip-gap-directory", func(z *zfile, _ *zent) { z.beforeDir = []byte("hidden") }),
		lie("zip-gap", func(_ *zfile, e *zent) { e.before = []byte("hidden") }),
		lie("zip-zip64-end", func(z *zfile, _ *zent) { z.afterDir = append([]byte(sigLocator64), make([]byte, 16)...) }),
		lie("zip-zip64-missing", func(z *zfile, _ *zent) { z.count = 0xffff }),
		lie("zip-zip64-entry", func(_ *zfile, e *zent) { e.extra = zip64Extra(300, 20) }),
		lie("zip-zip64-local", func(_ *zfile, e *zent) {
			e.localExtra, e.localPacked, e.localSize = zip64Extra(7, 7), 0xffffffff, 0xffffffff
		}),
		lie("zip-disks", func(z *zfile, _ *zent) { z.disk = 1 }),
		lie("zip-entry-disk", func(_ *zfile, e *zent) { e.disk = 2 }),
		lie("zip-directory-outside", func(z *zfile, _ *zent) { z.dirSize = 1 << 30 }),
		lie("zip-directory-short", func(z *zfile, _ *zent) { z.count = 900 }),
		lie("zip-directory-long", func(z *zfile, _ *zent) { z.count = int64(len(z.all)) - 1 }),
		lie("zip-directory-damaged", func(z *zfile, _ *zent) {
			z.dirTail, z.count = make([]byte, centralSize), int64(len(z.all))+1
		}),
		lie("zip-directory-cut", func(z *zfile, _ *zent) {
			tail := make([]byte, centralSize)
			copy(tail, sigCentral)
			tail[28] = 90
			z.dirTail, z.count = tail, int64(len(z.all))+1
		}),
		lie("zip-count", func(z *zfile, _ *zent) { z.count = int64(len(z.all)) + 1 }),
		lie("zip-empty", func(z *zfile, _ *zent) { z.all = nil }),
		lie("bomb-entries", func(z *zfile, _ *zent) { z.count = MaxEntries + 1 }),
		lie("zip-entry-comment", func(_ *zfile, e *zent) { e.comment = "hello" }),
		lie("zip-extra-long", func(_ *zfile, e *zent) { e.extra = make([]byte, maxExtra+1) }),
		lie("zip-extra-damaged", func(_ *zfile, e *zent) { e.extra = []byte{9, 9, 200, 0, 1} }),
		lie("zip-extra-twice", func(_ *zfile, e *zent) { e.extra = []byte{9, 9, 0, 0, 9, 9, 0, 0} }),
		lie("zip-second-name", func(_ *zfile, e *zent) { e.extra = append([]byte{0x75, 0x70, 9, 0, 1, 0, 0, 0, 0}, "evil"...) }),
		lie("zip-encrypted", func(_ *zfile, e *zent) { e.flags, e.localFlags = 1, 1 }),
		lie("zip-patch", func(_ *zfile, e *zent) { e.flags, e.localFlags = bitPatch, bitPatch }),
		lie("zip-flags", func(_ *zfile, e *zent) { e.flags, e.localFlags = 1<<15, 1<<15 }),
		lie("zip-method", func(_ *zfile, e *zent) { e.mode, e.locMode = 12, 12 }),
		lie("zip-stored-size", func(_ *zfile, e *zent) { e.mode, e.locMode = 0, 0 }),
		lie("zip-stored-descriptor", func(z *zfile, _ *zent) {
			z.all[1] = stored("kube/a.py", "a")
			z.all[1].flags = bitDescriptor
		}),
		lie("zip-overlap", func(_ *zfile, e *zent) { e.offset = 3 }),
		lie("zip-overlap-directory", func(z *zfile, _ *zent) {
			last := z.all[len(z.all)-1]
			last.packed, last.localPacked = last.packed+9000, last.packed+9000
		}),
		lie("zip-local-missing", func(z *zfile, _ *zent) { z.prefix = []byte("x"); z.all[0].offset = 0 }),
		lie("zip-local-name", func(_ *zfile, e *zent) { e.localName = "kube/other.py" }),
		lie("zip-local-other-name", func(_ *zfile, e *zent) { e.localName = "kube/z.py" }),
		lie("zip-local-flags", func(_ *zfile, e *zent) { e.localFlags = bitUTF8 }),
		lie("zip-local-method", func(_ *zfile, e *zent) { e.locMode = 0 }),
		lie("zip-local-size", func(_ *zfile, e *zent) { e.localSize++ }),
		lie("zip-local-crc", func(_ *zfile, e *zent) { e.localCRC++ }),
		lie("zip-local-extra-long", func(_ *zfile, e *zent) { e.localExtra = make([]byte, maxExtra+1) }),
		lie("zip-descriptor", func(_ *zfile, e *zent) {
			e.flags, e.localFlags, e.after = bitDescriptor, bitDescriptor, make([]byte, 16)
		}),
		lie("content-long", func(z *zfile, _ *zent) { z.all = append(z.all, signature(9)) }),
		lie("content-short", func(z *zfile, _ *zent) { z.all = append(z.all, signature(900)) }),
		lie("content-crc", func(_ *zfile, e *zent) { e.crc, e.localCRC = 9, 9 }),
		lie("content-damaged", func(_ *zfile, e *zent) { e.data = bytes.Repeat([]byte{0xff}, len(e.data)) }),
		lie("content-hidden", func(_ *zfile, e *zent) {
			e.data = append(bytes.Clone(e.data), "hidden"...)
			e.packed, e.localPacked = e.packed+6, e.localPacked+6
		}),
		lie("bomb-entry", func(_ *zfile, e *zent) { e.size, e.localSize = FreeEntry+1, FreeEntry+1 }),
		lie("bomb-ratio", func(z *zfile, _ *zent) {
			for _, e := range z.all[:5] {
				e.size = FreeEntry
			}
		}),
	}...)
}

// signature is a file that RECORD need not list, with a wrong size.
func signature(size uint32) *zent {
	e := entry(infoDir+"RECORD.jws", strings.Repeat("a = 1\n", 50))
	e.size, e.localSize = size, size
	return e
}

// tarZip is a zip archive whose first 512 bytes are a tar header: the first
// entry's name and content are the header's fields.
func tarZip() []byte {
	z := honest()
	name := "kube/" + strings.Repeat("x", 60)
	first := stored(name, strings.Repeat("\x00", 700))
	z.all = append([]*zent{first}, z.all...)
	b := z.bytes()
	h := b[:tarBlock]
	copy(h[257:], "ustar\x0000")
	copy(h[148:], "        ")
	sealed(h)
	return b
}

// hostileEntries are names and kinds of entries that no archive may have.
func hostileEntries() []hostile {
	named := func(code, name string) hostile {
		return lie(code, func(_ *zfile, e *zent) { e.name, e.localName = name, name })
	}
	all := []hostile{
		named("entry-empty-name", ""),
		named("entry-long-name", strings.Repeat("a/", MaxPath/2)+"b"),
		named("entry-not-utf8", "kube/\xff.py"),
		named("entry-nul", "kube/a.py\x00.txt"),
		named("entry-control", "kube/\x1b[2J.py"),
		named("entry-bidi", "kube/a\u202eyp.py"),
		named("entry-backslash", `kube\..\a.py`),
		named("entry-absolute", "/etc/passwd"),
		named("entry-drive", "C:/windows/a.py"),
		named("entry-drive", "kube/c:/windows/a.py"),
		named("entry-drive", "kube/d:a.py"),
		named("entry-colon", "kube/a.py:evil"),
		named("entry-trailing", "kube/a.py."),
		named("entry-trailing", "kube /a.py"),
		named("entry-trailing", "kube/.../a.py"),
		named("entry-reserved", "kube/CON"),
		named("entry-reserved", "kube/nul .tar.gz"),
		named("entry-reserved", "Aux/a.py"),
		named("entry-reserved", "kube/com1.py"),
		named("entry-reserved", "kube/LPT\u00b2"),
		named("entry-control", "kube/a\u0085b.py"),
		named("entry-separator", "kube/a\u2028b.py"),
		named("entry-separator", "kube/a\u2029b.py"),
		named("entry-invisible", "kube/a\u200bb.py"),
		named("entry-invisible", "kube/\ufeffa.py"),
		named("entry-bidi", "kube/a\u200fb.py"),
		named("entry-outside", "kube/../../a.py"),
		named("entry-dot", "kube/./a.py"),
		named("entry-empty-part", "kube//a.py"),
		named("entry-long-part", "kube/"+strings.Repeat("a", 256)),
		named("entry-depth", strings.Repeat("a/", MaxDepth)+"b"),
		named("entry-duplicate", "kube/b.py"),
		named("entry-case", "kube/B.py"),
		named("entry-file-and-folder", "kube/b.py/c.py"),
		named("zip-encoding", "kube/é.py"),
		lie("entry-link", func(_ *zfile, e *zent) { e.attributes = 0o120777 << 16 }),
		lie("entry-device", func(_ *zfile, e *zent) { e.attributes = 0o060666 << 16 }),
		lie("entry-kind", func(_ *zfile, e *zent) { e.attributes = 0o040755 << 16 }),
		named("entry-folder-content", "kube/folder/"),
	}
	many := tarPart("kube-1.0.0/", '5', "")
	for i := range MaxEntries {
		many = append(many, tarHead("kube-1.0.0/"+"folder-"+strconv.Itoa(i)+"/x", '0', 0)...)
	}
	return append(all, hostile{"bomb-folders", sdistFile, gz(many, tarEnd)})
}

func hostileWheels() []hostile {
	wheel := func(code, meta, text string, record func(string) string) hostile {
		return hostile{code, wheelFile, with(meta, text, record).bytes()}
	}
	meta := func(code, meta string) hostile { return wheel(code, meta, wheelText, same) }
	text := func(code, old, new string) hostile {
		return wheel(code, metadata, strings.Replace(wheelText, old, new, 1), same)
	}
	record := func(code, old, new string) hostile {
		return wheel(code, metadata, wheelText, func(s string) string { return strings.Replace(s, old, new, 1) })
	}
	without := func(code, name string) hostile {
		z := honest()
		for i, e := range z.all {
			if e.name == infoDir+name {
				z.all = append(z.all[:i:i], z.all[i+1:]...)
				break
			}
		}
		return hostile{code, wheelFile, z.bytes()}
	}
	other := honest()
	evil := entry("kube/__init__.py", "y = 2\n")
	other.all[0] = evil
	unlisted := honest()
	unlisted.all = append(unlisted.all, entry("kube/evil.py", "evil()"))
	data := "kube-1.0.0.data/"
	bare := wheelOf(file{"kube.py", ""})
	return []hostile{
		{"wheel-no-info", wheelFile, bare.bytes()},
		{"wheel-two-infos", wheelFile, honest(file{"evil-1.0.0.dist-info/METADATA", metadata}).bytes()},
		{"wheel-other-info", "kube-9.0.0-py3-none-any.whl", honest().bytes()},
		{"wheel-two-infos", wheelFile, honest(file{"evil-1.0.0.DIST-INFO/METADATA", metadata}).bytes()},
		{"wheel-info-file", wheelFile, honest(file{"x.dist-info", ""}).bytes()},
		{"wheel-data-file", wheelFile, honest(file{"kube-1.0.0.data", ""}).bytes()},
		{"wheel-two-data", wheelFile, honest(file{"kube-1.0.0.data/data/a", ""}, file{"evil-1.data/scripts/pip", ""}).bytes()},
		{"wheel-other-data", wheelFile, honest(file{"evil-1.data/scripts/pip", ""}).bytes()},
		{"wheel-other-data", wheelFile, honest(file{"kube-1.0.0.DATA/scripts/pip", ""}).bytes()},
		{"wheel-other-data", wheelFile, honest(file{"Kube-1.0.0.data/scripts/pip", ""}).bytes()},
		{"wheel-overlap", wheelFile, honest(file{data + "purelib/kube/__init__.py", ""}).bytes()},
		{"wheel-overlap", wheelFile, honest(file{data + "platlib/Kube/x.py", ""}, file{"kube/x.py", ""}).bytes()},
		{"wheel-overlap", wheelFile, honest(file{data + "purelib/kube/__init__.py/x", ""}).bytes()},
		{"wheel-installs-info", wheelFile, honest(file{data + "purelib/" + infoDir + "WHEEL", ""}).bytes()},
		{"wheel-overlap", wheelFile, honest(file{data + "data/lib/python3.11/site-packages/kube/__init__.py", ""}).bytes()},
		{"wheel-overlap", wheelFile, honest(file{data + "data/bin/kube", ""}, file{data + "scripts/kube", ""}).bytes()},
		{"wheel-installs-info", wheelFile, honest(file{data + "purelib/pip-1.dist-info/METADATA", ""}).bytes()},
		{"wheel-data", wheelFile, honest(file{"kube-1.0.0.data/purelib", "x"}).bytes()},
		{"wheel-data", wheelFile, honest(file{"kube-1.0.0.data/etc/passwd", "x"}).bytes()},
		without("metadata-file", "METADATA"),
		without("wheel-file", "WHEEL"),
		without("record-missing", "RECORD"),
		meta("metadata-syntax", "Metadata-Version: 2.1\nName kube\n"),
		meta("metadata-return", strings.Replace(metadata, "\n\n", "\nSummary: nice\rRequires-Dist: evil\n\n", 1)),
		meta("metadata-return", strings.Replace(metadata, "\n", "\r\r\n", 1)),
		meta("metadata-return", strings.Replace(metadata, "\n\n", "\n more\rRequires-Dist: evil\n\n", 1)),
		text("metadata-return", "test\n", "test\rTag: py2-none-any\n"),
		meta("metadata-control", strings.Replace(metadata, "extra == 'x'", "extra == 'x'\vRequires-Dist: evil", 1)),
		meta("metadata-control", strings.Replace(metadata, "extra == 'x'", "extra == 'x'\n \u2028Requires-Dist: evil", 1)),
		meta("metadata-control", strings.Replace(metadata, "Name: kube", "Name: kube\u0085", 1)),
		meta("metadata-encoded-word", strings.Replace(metadata, "extra == 'x'", "=?utf-8?q?extra?= == 'x'", 1)),
		meta("metadata-version", strings.Replace(metadata, "2.1", "9.0", 1)),
		meta("metadata-missing", "Metadata-Version: 2.1\nName: kube\n"),
		meta("metadata-twice", "Name: other\n"+metadata),
		meta("metadata-name", strings.Replace(metadata, "kube", "-kube-", 1)),
		meta("metadata-pep440", strings.Replace(metadata, "1.0.0", "one", 1)),
		meta("metadata-python", strings.Replace(metadata, ">=3.8", "<script>\"", 1)),
		meta("metadata-dependency", strings.Replace(metadata, "requests", "$(reboot)", 1)),
		meta("metadata-dependencies", strings.Replace(metadata, "\n\n", strings.Repeat("\nRequires-Dist: a", MaxDeps)+"\n\n", 1)),
		meta("metadata-many", strings.Repeat("Tag: a-b-c\n", MaxDeps+200)+metadata),
		meta("metadata-long", "Tag: "+strings.Repeat("a", MaxLine+1)+"\n"+metadata),
		meta("metadata-not-utf8", "Tag: \xff\n"+metadata),
		meta("metadata-large", metadata+strings.Repeat("text\n", MaxMetadata/5+1)),
		meta("agree-name", strings.Replace(metadata, "kube", "other", 1)),
		meta("agree-version", strings.Replace(metadata, "1.0.0", "1.0.1", 1)),
		text("wheel-version", "Wheel-Version: 1.0", "Wheel-Version: 7.0"),
		text("wheel-purelib", "true", "maybe"),
		text("wheel-tag", "py3-none-any", "py3"),
		text("wheel-tag-missing", "py3-none-any", "py2-none-any"),
		text("wheel-tag-extra", "Tag: py3-none-any", "Tag: py3-none-any\nTag: py2-none-any"),
		record("record-syntax", "WHEEL,sha256=", "WHEEL;sha256="),
		record("record-control", "sha256=", "sha256=\r"),
		record("record-control", "RECORD,,", "RECORD,,\u2028"),
		record("record-itself", "RECORD,,", "RECORD,sha256=abc,"),
		record("record-absent", "RECORD,,\n", "RECORD,,\nkube/ghost.py,sha256=abc,3\n"),
		record("record-twice", "RECORD,,\n", "RECORD,,\n"+infoDir+"WHEEL,sha256="+strings.Repeat("A", 43)+",\n"),
		record("record-no-hash", "__init__.py,sha256=", "__init__.py,,6\n"+infoDir+"RECORD,"),
		record("record-algorithm", "sha256=", "md5="),
		record("record-digest", "sha256=", "sha256=AA"),
		record("record-size", ",6\n", ",7\n"),
		record("record-line", "RECORD,,\n", "RECORD,,\n"+strings.Repeat("a", MaxLine)+"\n"),
		{"record-unlisted", wheelFile, unlisted.bytes()},
		{"record-mismatch", wheelFile, other.bytes()},
	}
}

func TestHostile(t *testing.T) {
	messages := map[string]string{}
	codes := map[string]bool{}
	n := 0
	for _, h := range hostileArchives() {
		n++
		t.Run(h.code, func(t *testing.T) {
			info, err := inspect(h.name, h.data)
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("accepted, or a fault of ours: %v", err)
			}
			if bad.Code != h.code {
				t.Fatalf("refused by %s: %v", bad.Code, bad)
			}
			if was, there := messages[bad.Message]; there {
				t.Errorf("has the message of %s: %s", was, bad.Message)
			}
			messages[bad.Message], codes[bad.Code] = h.code, true
			failed := 0
			for _, c := range info.Checks {
				if c.Verdict == Fail {
					failed++
				}
			}
			if failed != 1 {
				t.Errorf("%d checks failed: %+v", failed, info.Checks)
			}
			if len(bad.Message) > 1000 {
				t.Errorf("the message has %d bytes", len(bad.Message))
			}
		})
	}
	t.Logf("%d hostile archives, %d codes", n, len(codes))
	if n < 40 || len(codes) < 40 {
		t.Errorf("only %d archives with %d codes", n, len(codes))
	}
}
