package artifact

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// hostileTars are sdists that must be refused for what their archive is.
func hostileTars() []hostile {
	ok := sdistWith()
	sdist := func(code string, parts ...[]byte) hostile { return hostile{code, sdistFile, sdistWith(parts...)} }
	raw := func(code string, parts ...[]byte) hostile { return hostile{code, sdistFile, gz(parts...)} }
	first := tarFile("kube-1.0.0/PKG-INFO", metadata)
	next := tarFile("kube-1.0.0/x", "1")
	changed := func(f func(h []byte)) []byte {
		h := tarHead("kube-1.0.0/x", '0', 0)
		f(h)
		return sealed(h)
	}
	flags := bytes.Clone(ok)
	flags[3] |= 0x80
	crc := bytes.Clone(ok)
	crc[len(crc)-8] ^= 1
	damaged := bytes.Clone(ok)
	for i := 12; i < 60; i++ {
		damaged[i] = 0xff
	}
	var zip bytes.Buffer // in the gzip header's extra field
	w := gzip.NewWriter(&zip)
	w.Extra = []byte("PK")
	w.Write(append(first, tarEnd...))
	w.Close()
	sum := tarHead("kube-1.0.0/x", '0', 0)
	sum[148] ^= 1
	return []hostile{
		{"gzip-short", sdistFile, []byte{0x1f, 0x8b}},
		{"gzip-is-zip", sdistFile, honest().bytes()},
		{"gzip-none", sdistFile, append(bytes.Clone(first), tarEnd...)},
		{"gzip-extra", sdistFile, zip.Bytes()},
		{"gzip-flags", sdistFile, flags},
		{"gzip-truncated", sdistFile, ok[:len(ok)-20]},
		{"gzip-members", sdistFile, append(bytes.Clone(ok), ok...)},
		{"gzip-trailing", sdistFile, append(bytes.Clone(ok), "more"...)},
		{"gzip-nested", sdistFile, gz(ok)},
		{"content-gzip-crc", sdistFile, crc},
		{"content-gzip-damaged", sdistFile, damaged},
		{"polyglot-zip", sdistFile, append(bytes.Clone(ok), shifted(len(ok))...)},
		{"polyglot-zip", sdistFile, storedGzip(tarFile("kube-1.0.0/PKG-INFO", metadata), tarFile("kube-1.0.0/tests/data.zip", string(honest().bytes())), tarEnd)},
		{"polyglot-zip", sdistFile, storedGzip(first, tarFile("kube-1.0.0/x", sigEnd+strings.Repeat("\x00", endSize)), tarEnd)},
		{"polyglot-zip", sdistFile, storedGzip(first, tarFile("kube-1.0.0/x", sigLocator64+strings.Repeat("\xff", locatorSize-4)+sigEnd+strings.Repeat("\xff", endSize)), tarEnd)},
		raw("tar-empty", tarEnd),
		raw("tar-truncated", first),
		raw("tar-half-end", first, tarEnd[:tarBlock]),
		raw("tar-trailing", first, tarEnd, next),
		raw("tar-cut", first, tarHead("kube-1.0.0/x", '0', 5000)),
		raw("tar-loose-header", first, paxPart('x', "path=kube-1.0.0/y"), tarEnd),
		sdist("tar-checksum", sum),
		sdist("tar-size", changed(func(h []byte) { h[124] = 0x80 })),
		sdist("tar-kind", tarPart("kube-1.0.0/x", 'V', "")),
		sdist("tar-format", changed(func(h []byte) { copy(h[257:], "other") })),
		sdist("tar-prefix", changed(func(h []byte) { copy(h[257:], "ustar  \x00evil"); copy(h[345:], "evil") })),
		sdist("tar-prefix", changed(func(h []byte) { copy(h[257:], "ustar\x00  "); copy(h[345:], "kube-1.0.0") })),
		sdist("tar-prefix-and-long", tarPart("L", 'L', "kube-1.0.0/a\x00"), changed(func(h []byte) { copy(h[345:], "kube-1.0.0") })),
		sdist("tar-prefix-tail", changed(func(h []byte) { h[350] = '\n' })),
		sdist("tar-prefix-tail", changed(func(h []byte) { copy(h, "kube-1.0.0/y"); h[476] = 0x81 })),
		sdist("tar-prefix-tail", changed(func(h []byte) {
			copy(h, "z"+strings.Repeat("\x00", 99))
			copy(h[345:], "kube-1.0.0/"+strings.Repeat("p", 125)+"\x00\n")
		})),
		sdist("tar-name-tail", changed(func(h []byte) { copy(h[20:], "\n/setup.py") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[100:], "zzzzzzz") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[108:], "0000008") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[116:], "\x80\x10") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[136:], "\x81") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[329:], "\xff") })),
		sdist("tar-number", changed(func(h []byte) { copy(h[337:], "1_0") })),
		sdist("tar-checksum-end", func() []byte {
			h := changed(func([]byte) {})
			copy(h[148:], fmt.Sprintf("%08o", checksum(h)))
			return h
		}()),
		sdist("tar-link-name", changed(func(h []byte) { h[157] = 'x' })),
		sdist("tar-link-name", changed(func(h []byte) { copy(h, "kube-1.0.0/y"); h[160] = '\n' })),
		sdist("tar-header-name", tarPart("", 'x', "22 path=kube-1.0.0/a\n"), next),
		sdist("tar-header-padding", func() []byte {
			b := paxPart('x', "path=kube-1.0.0/a")
			copy(b[tarBlock+22:], "22 path=kube-1.0.0/b\n")
			return b
		}(), next),
		sdist("tar-header-large", tarHead("PaxHeaders/x", 'x', MaxPAX+1)),
		sdist("tar-two-sizes", paxPart('x', "size=700"), next),
		sdist("tar-two-long-names", tarPart("L", 'L', "kube-1.0.0/a\x00"), tarPart("L", 'L', "kube-1.0.0/b\x00"), next),
		sdist("tar-no-long-name", tarPart("L", 'L', "\x00"), next),
		sdist("tar-two-names", tarPart("L", 'L', "kube-1.0.0/a\x00"), paxPart('x', "path=kube-1.0.0/b"), next),
		sdist("tar-long-and-pax", paxPart('x', "mtime=1"), tarPart("L", 'L', "kube-1.0.0/a\x00"), next),
		sdist("pax-twice", paxPart('x', "path=kube-1.0.0/a"), paxPart('x', "path=kube-1.0.0/b"), next),
		sdist("pax-between", paxPart('x', "mtime=1"), paxPart('g', "comment=x"), next),
		sdist("pax-link", paxPart('x', "linkpath=kube-1.0.0/a"), next),
		sdist("pax-damaged", tarPart("PaxHeaders/x", 'x', "999 path=a\n"), next),
		sdist("pax-record", tarPart("PaxHeaders/x", 'x', "9 noval..\n"[:8]+"\n"), next),
		sdist("pax-record", paxPart('x', "=value"), next),
		sdist("pax-length", tarPart("PaxHeaders/x", 'x', "022 path=kube-1.0.0/a\n"), next),
		sdist("pax-length", tarPart("PaxHeaders/x", 'x', "+22 path=kube-1.0.0/a\n"), next),
		sdist("pax-line", paxPart('x', "comment=x\n28 path=kube-1.0.0/setup.py"), next),
		sdist("pax-line", paxPart('x', "path=kube-1.0.0/a\x00b"), next),
		sdist("pax-line", paxPart('g', "SCHILY.xattr.user=\n21 hdrcharset=BINARY"), next),
		sdist("pax-charset", paxPart('x', "comment=21 hdrcharset=BINARY"), next),
		sdist("entry-nul", tarPart("L", 'L', "kube-1.0.0/a\x00b\x00"), next),
		sdist("entry-control", tarPart("L", 'L', "kube-1.0.0/a\nb\x00"), next),
		sdist("pax-duplicate", paxPart('x', "path=kube-1.0.0/a", "path=kube-1.0.0/b"), next),
		sdist("pax-sparse", paxPart('x', "GNU.sparse.major=1"), next),
		sdist("pax-charset", paxPart('x', "hdrcharset=BINARY"), next),
		sdist("pax-global", paxPart('g', "path=kube-1.0.0/a"), next),
		sdist("pax-empty-path", paxPart('x', "path="), next),
		sdist("entry-hard-link", tarPart("kube-1.0.0/hard", '1', "")),
		sdist("entry-link", tarPart("kube-1.0.0/soft", '2', "")),
		sdist("entry-device", tarPart("kube-1.0.0/null", '3', "")),
		sdist("entry-pipe", tarPart("kube-1.0.0/pipe", '6', "")),
		sdist("entry-sparse", tarPart("kube-1.0.0/sparse", 'S', "")),
		sdist("entry-no-top", tarFile("setup.py", "")),
		sdist("entry-two-tops", tarFile("evil-1.0.0/setup.py", "")),
		sdist("entry-outside", tarFile("kube-1.0.0/../../setup.py", "")),
		sdist("entry-absolute", tarFile("/kube-1.0.0/setup.py", "")),
		sdist("entry-backslash", tarFile(`kube-1.0.0\..\setup.py`, "")),
		sdist("entry-duplicate", next, next),
		sdist("entry-case", tarFile("kube-1.0.0/X", ""), tarFile("kube-1.0.0/x", "")),
		sdist("entry-case", next, tarFile("kube-1.0.0/x\u200d", "")),
		sdist("entry-file-and-folder", next, tarFile("kube-1.0.0/x/y", "")),
		sdist("entry-kind", tarPart("kube-1.0.0/d/", '0', "")),
		sdist("entry-raw-folder", paxPart('x', "path=kube-1.0.0/data"), tarPart("kube-1.0.0/d/", 0, string(next))),
		sdist("entry-raw-folder", tarPart("L", 'L', "kube-1.0.0/long\x00"), tarPart("kube-1.0.0/d/", 0, "")),
		sdist("entry-old-folder", paxPart('x', "path=kube-1.0.0/e/"), tarPart("kube-1.0.0/d", 0, "")),
		sdist("entry-folder-content", tarPart("kube-1.0.0/d/", '5', "1")),
		sdist("entry-not-utf8", tarFile("kube-1.0.0/\xfe", "")),
		sdist("bomb-ratio", tarPart("kube-1.0.0/zeros", '0', strings.Repeat("\x00", FreeUnpacked))),
		sdist("bomb-entries", manyFiles()),
		sdist("bomb-headers", bytes.Repeat(paxPart('g', "comment=x"), MaxHeaders+1)),
	}
}

// storedGzip is a gzip file with its content as it is, and so with any archive
// that is in it.
func storedGzip(parts ...[]byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	for _, p := range parts {
		w.Write(p)
	}
	w.Close()
	return b.Bytes()
}

// cutLetter is an npm tarball with a name of which a letter begins at the last
// byte of the first 16 KiB, where node-tar cuts it in two, and so reads the name
// in the entry's own header.
func cutLetter(name, content string) []byte {
	first := tarFile("package/package.json", packageJSON)
	comment := "comment=" + strings.Repeat("c", 16<<10-1-len(first)-tarBlock-len("16000 comment=\n")-len("30 path=package/"))
	return gz(first, paxPart('x', comment, "path=package/"+strings.Repeat("é", 7)), tarFile(name, content), tarEnd)
}

// shifted is a zip archive whose offsets count from n bytes before it.
func shifted(n int) []byte {
	z := honest()
	z.dirOffset = 0
	b := z.bytes()
	at := bytes.Index(b, []byte(sigCentral))
	binary.LittleEndian.PutUint32(b[len(b)-6:], uint32(at+n))
	return b
}

func manyFiles() []byte {
	var b []byte
	for i := range MaxEntries {
		b = append(b, tarHead("kube-1.0.0/"+strconv.Itoa(i), '0', 0)...)
	}
	return b
}

// hostilePackages are sdists and npm tarballs that must be refused for what
// they say.
func hostilePackages() []hostile {
	npm := func(code, manifest string) hostile { return hostile{code, "kube.tgz", npmWith(manifest)} }
	top := func(code, top string) hostile {
		return hostile{code, sdistFile, gz(tarFile(top+"/PKG-INFO", metadata), tarEnd)}
	}
	return []hostile{
		{"metadata-pkg-info", sdistFile, gz(tarFile("kube-1.0.0/setup.py", ""), tarEnd)},
		{"agree-name", "other-1.0.0.tar.gz", sdistWith()},
		{"agree-version", "kube-1.0.1.tar.gz", sdistWith()},
		top("agree-top", "kube"),
		{"metadata-package-json", "kube.tgz", gz(tarFile("package/index.js", ""), tarEnd)},
		{"tar-raw-folder", "kube.tgz", npmWith(packageJSON, paxPart('x', "path=package/data"), tarFile("package/d/", string(tarFile("package/index.js", ""))))},
		{"tar-raw-name", "kube.tgz", cutLetter("package/package.json", `{"name":"@example/kube","version":"6.6.6"}`)},
		{"tar-raw-name", "kube.tgz", npmWith(packageJSON, paxPart('x', "path=package/bindingé.gyp"), tarFile("package/binding.gyp", "{}"))},
		{"tar-long-letters", "kube.tgz", npmWith(packageJSON, tarPart("././@LongLink", 'L', "package/"+strings.Repeat("é", 60)+"\x00"), tarFile("package/binding.gyp", "{}"))},
		{"entry-dot-top", "kube.tgz", gz(tarFile("./package/package.json", packageJSON), tarEnd)},
		npm("metadata-json", "\ufeff\ufeff"+packageJSON),
		npm("metadata-json", `{"name":`),
		npm("metadata-npm-missing", `{"NAME":"kube","version":"1.0.0"}`),
		npm("metadata-npm-name", `{"name":"../kube","version":"1.0.0"}`),
		npm("metadata-semver", `{"name":"kube","version":"1.0"}`),
		npm("metadata-semver", `{"name":"kube","version":"v1.0.0"}`),
		npm("script-object", `{"name":"kube","version":"1.0.0","scripts":[1]}`),
		npm("script-text", `{"name":"kube","version":"1.0.0","scripts":{"install":{}}}`),
	}
}
