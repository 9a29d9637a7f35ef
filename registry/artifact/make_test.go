package artifact

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// zent is one entry of a zip archive, each field of which can be made to lie.
type zent struct {
	name, localName                  string
	flags, localFlags, mode, locMode uint16
	crc, packed, size                uint32 // of the central directory
	localCRC, localPacked, localSize uint32
	attributes                       uint32
	extra, localExtra                []byte
	before, data, after              []byte // around the local header, and the packed content
	comment                          string
	disk                             uint16
	offset                           int64 // -1 is where it is
}

// deflate is one for all entries: a new one is 1 MB.
var deflate, _ = flate.NewWriter(nil, flate.BestSpeed)

func entry(name, content string) *zent {
	var b bytes.Buffer
	deflate.Reset(&b)
	deflate.Write([]byte(content))
	deflate.Close()
	return packedEntry(name, b.Bytes(), crc32.ChecksumIEEE([]byte(content)), uint32(len(content)))
}

func packedEntry(name string, packed []byte, crc, size uint32) *zent {
	n := uint32(len(packed))
	return &zent{
		name: name, localName: name, mode: 8, locMode: 8, crc: crc, packed: n, size: size,
		localCRC: crc, localPacked: n, localSize: size, data: packed, offset: -1,
	}
}

func stored(name, content string) *zent {
	e := packedEntry(name, []byte(content), crc32.ChecksumIEEE([]byte(content)), uint32(len(content)))
	e.mode, e.locMode = 0, 0
	return e
}

// zfile is a zip archive that can be made to lie.
type zfile struct {
	all                                  []*zent
	prefix, beforeDir, dirTail, afterDir []byte
	tail                                 []byte
	count, here, dirSize, dirOffset      int64 // -1 is the truth
	disk                                 uint16
	flip                                 int // the bit of a byte to flip at last, 0 for none
	comment                              string
}

func (z *zfile) bytes() []byte {
	le := binary.LittleEndian
	out := bytes.Clone(z.prefix)
	var dir []byte
	for _, e := range z.all {
		out = append(out, e.before...)
		at := e.offset
		if at < 0 {
			at = int64(len(out))
		}
		h := make([]byte, localSize)
		copy(h, sigLocal)
		h[4] = 20
		le.PutUint16(h[6:], e.localFlags)
		le.PutUint16(h[8:], e.locMode)
		le.PutUint32(h[14:], e.localCRC)
		le.PutUint32(h[18:], e.localPacked)
		le.PutUint32(h[22:], e.localSize)
		le.PutUint16(h[26:], uint16(len(e.localName)))
		le.PutUint16(h[28:], uint16(len(e.localExtra)))
		out = append(append(append(out, h...), e.localName...), e.localExtra...)
		out = append(append(out, e.data...), e.after...)

		c := make([]byte, centralSize)
		copy(c, sigCentral)
		c[4], c[5], c[6] = 20, 3, 20
		le.PutUint16(c[8:], e.flags)
		le.PutUint16(c[10:], e.mode)
		le.PutUint32(c[16:], e.crc)
		le.PutUint32(c[20:], e.packed)
		le.PutUint32(c[24:], e.size)
		le.PutUint16(c[28:], uint16(len(e.name)))
		le.PutUint16(c[30:], uint16(len(e.extra)))
		le.PutUint16(c[32:], uint16(len(e.comment)))
		le.PutUint16(c[34:], e.disk)
		le.PutUint32(c[38:], e.attributes)
		le.PutUint32(c[42:], uint32(at))
		dir = append(append(append(append(dir, c...), e.name...), e.extra...), e.comment...)
	}
	dir = append(dir, z.dirTail...)
	out = append(out, z.beforeDir...)
	or := func(n, truth int64) int64 {
		if n < 0 {
			return truth
		}
		return n
	}
	start := int64(len(out))
	out = append(append(out, dir...), z.afterDir...)
	end := make([]byte, endSize)
	copy(end, sigEnd)
	le.PutUint16(end[4:], z.disk)
	count := or(z.count, int64(len(z.all)))
	le.PutUint16(end[8:], uint16(or(z.here, count)))
	le.PutUint16(end[10:], uint16(count))
	le.PutUint32(end[12:], uint32(or(z.dirSize, int64(len(dir)))))
	le.PutUint32(end[16:], uint32(or(z.dirOffset, start)))
	le.PutUint16(end[20:], uint16(len(z.comment)))
	out = append(append(append(out, end...), z.comment...), z.tail...)
	if z.flip > 0 {
		out[z.flip/8%len(out)] ^= 1 << (z.flip % 8)
	}
	return out
}

// The honest wheel that hostile ones are made of.
const (
	wheelFile = "kube-1.0.0-py3-none-any.whl"
	sdistFile = "kube-1.0.0.tar.gz"
	infoDir   = "kube-1.0.0.dist-info/"
	metadata  = "Metadata-Version: 2.1\nName: kube\nVersion: 1.0.0\nRequires-Python: >=3.8\nRequires-Dist: requests (>=2)\nRequires-Dist: idna; extra == 'x'\n\nText.\n"
	wheelText = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)

// file is a name with its content, to put into archives.
type file struct{ name, text string }

func wheelOf(all ...file) *zfile {
	z := &zfile{count: -1, here: -1, dirSize: -1, dirOffset: -1}
	for _, f := range all {
		z.all = append(z.all, entry(f.name, f.text))
	}
	return z
}

func recordOf(all []file) string {
	var record strings.Builder
	record.WriteString(infoDir + "RECORD,,\n")
	for _, f := range all {
		if strings.HasSuffix(f.name, "/") {
			continue
		}
		sum := sha256.Sum256([]byte(f.text))
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.text))
	}
	return record.String()
}

// honest is a wheel with further files in it, which RECORD lists.
func honest(more ...file) *zfile {
	all := append([]file{{"kube/__init__.py", "x = 1\n"}}, more...)
	all = append(all, file{infoDir + "METADATA", metadata}, file{infoDir + "WHEEL", wheelText})
	return wheelOf(append(all, file{infoDir + "RECORD", recordOf(all)})...)
}

// with is the honest wheel with other texts in its .dist-info folder.
func with(meta, wheel string, record func(string) string) *zfile {
	all := []file{{"kube/__init__.py", "x = 1\n"}, {infoDir + "METADATA", meta}, {infoDir + "WHEEL", wheel}}
	return wheelOf(append(all, file{infoDir + "RECORD", record(recordOf(all))})...)
}

func same(s string) string { return s }

// tarHead makes a header of a tar archive.
func tarHead(name string, kind byte, size int) []byte {
	h := make([]byte, tarBlock)
	copy(h, name)
	copy(h[100:], "0000644\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	copy(h[136:], "00000000000\x00")
	h[156] = kind
	copy(h[257:], "ustar\x0000")
	return sealed(h)
}

func sealed(h []byte) []byte {
	copy(h[148:], fmt.Sprintf("%06o\x00 ", checksum(h)))
	return h
}

// changedTar is the header of an empty file, x, with something else in it.
func changedTar(f func(h []byte)) []byte {
	h := tarHead("x", '0', 0)
	f(h)
	return sealed(h)
}

func tarFile(name, content string) []byte { return tarPart(name, '0', content) }

func tarPart(name string, kind byte, content string) []byte {
	return append(tarHead(name, kind, len(content)), padded(content)...)
}

func padded(s string) []byte {
	return append([]byte(s), make([]byte, -len(s)&(tarBlock-1))...)
}

func paxPart(kind byte, records ...string) []byte {
	var b strings.Builder
	for _, r := range records {
		n := len(r) + 3
		for len(fmt.Sprint(n))+len(r)+2 != n {
			n++
		}
		fmt.Fprintf(&b, "%d %s\n", n, r)
	}
	return tarPart("PaxHeaders/x", kind, b.String())
}

var tarEnd = make([]byte, 2*tarBlock)

// gz compresses a tar archive of these parts.
func gz(parts ...[]byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for _, p := range parts {
		w.Write(p)
	}
	w.Close()
	return b.Bytes()
}

// sdistWith is an honest sdist with further parts.
func sdistWith(parts ...[]byte) []byte {
	all := append([][]byte{tarPart("kube-1.0.0/", '5', ""), tarFile("kube-1.0.0/PKG-INFO", metadata)}, parts...)
	return gz(append(all, tarEnd)...)
}

func npmWith(manifest string, parts ...[]byte) []byte {
	all := append([][]byte{tarFile("package/package.json", manifest)}, parts...)
	return gz(append(all, tarEnd)...)
}

const packageJSON = `{"name":"@example/kube","version":"1.0.0"}`

func inspect(name string, data []byte) (Info, error) {
	return Inspect(name, bytes.NewReader(data), int64(len(data)))
}

// archive is one to be read, and under which name.
type archive struct {
	what, name string
	data       []byte
}

// honestArchives must be accepted.
func honestArchives() []archive {
	longName := "kube-1.0.0/" + strings.Repeat("d/", 40) + strings.Repeat("long", 25) + ".py"
	streamed := honest()
	for _, e := range streamed.all {
		e.flags, e.localFlags = bitDescriptor, bitDescriptor
		e.after = binary.LittleEndian.AppendUint32([]byte(sigDescriptor), e.crc)
		e.after = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(e.after, e.packed), e.size)
		e.localCRC, e.localPacked, e.localSize = 0, 0, 0
	}
	room := honest()
	room.all[0].localExtra = zip64Extra(uint64(room.all[0].size), uint64(room.all[0].packed))
	room.all[0].localPacked, room.all[0].localSize = 0xffffffff, 0xffffffff
	utf8Name := honest(file{"kube/é.txt", "e"}, file{"kube/\U0001f469\u200d\U0001f52c.txt", ""}) // a scientist
	for _, e := range utf8Name.all[1:3] {
		e.flags, e.localFlags = bitUTF8, bitUTF8
	}
	return []archive{
		{"wheel", wheelFile, honest().bytes()},
		{"wheel with a build tag", "kube-1.0.0-2x-py3-none-any.whl", honest().bytes()},
		{"pure wheel renamed for one platform", "kube-1.0.0-py3-none-manylinux1_x86_64.whl", honest().bytes()},
		{"wheel with folders", wheelFile, honest(file{"kube/sub/", ""}, file{"kube/sub/a.py", ""}).bytes()},
		{"streamed wheel", wheelFile, streamed.bytes()},
		{"wheel with room for zip64", wheelFile, room.bytes()},
		{"wheel with a name in UTF-8", wheelFile, utf8Name.bytes()},
		{"wheel with data", wheelFile, honest(file{"kube-1.0.0.data/scripts/run", "#!python\n"}).bytes()},
		{"wheel with all kinds of data", wheelFile, honest(
			file{"kube-1.0.0.data/purelib/", ""}, file{"kube-1.0.0.data/purelib/kube/pure.py", ""}, file{"kube-1.0.0.data/platlib/kube/plat.py", ""},
			file{"kube-1.0.0.data/headers/kube.h", ""}, file{"kube-1.0.0.data/scripts/kube", ""}, file{"kube-1.0.0.data/data/share/kube", ""},
			file{"kube-1.0.0.data/data/kube/__init__.py", ""}, file{"kube-1.0.0.data/data/etc/x.data/y.dist-info", ""},
		).bytes()},
		{"wheel with names that are almost those of devices", wheelFile, honest(file{"kube/console.py", ""}, file{"kube/.nul", ""}, file{"kube/auxiliary/nul_.py", ""}, file{"kube/com.py", ""}, file{"kube/com10.py", ""}, file{"kube/.gitignore", ""}, file{"kube/a .. b", ""}, file{"kube/x.con", ""}).bytes()},
		{"wheel with other packages within", wheelFile, honest(file{"kube/_vendor/idna-3.0.dist-info/METADATA", metadata}, file{"kube/x.data/purelib", ""}).bytes()},
		{"wheel with stored zip inside", wheelFile, honest(file{"kube/inner.whl", string(honest().bytes())}).bytes()},
		{"wheel with CRLF", wheelFile, with(strings.ReplaceAll(metadata, "\n", "\r\n"), wheelText, func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }).bytes()},
		{"wheel with pages in its licence and a body with carriage returns", wheelFile, with(strings.Replace(metadata, "\n\n", "\nLicense: GNU\n\t\f\n        \u2028Page 2 \u0085\n\none\rtwo\r\r\n", 1), wheelText, same).bytes()},
		{"sdist", sdistFile, sdistWith()},
		{"sdist by git archive", sdistFile, gz(paxPart('g', "comment=0123"), tarFile("kube-1.0.0/PKG-INFO", metadata), tarEnd)},
		{"sdist with dots", sdistFile, gz(tarPart("./", '5', ""), tarPart("./kube-1.0.0/", '5', ""), tarFile("./kube-1.0.0/PKG-INFO", metadata), tarEnd)},
		{"pax name", sdistFile, sdistWith(paxPart('x', "path="+longName, "mtime=1.5"), tarFile("kube-1.0.0/x", "1"))},
		{"GNU name", sdistFile, sdistWith(tarPart("././@LongLink", 'L', longName+"\x00"), tarFile("kube-1.0.0/x", "1"))},
		{"sdist with an end record that leads nowhere", sdistFile, storedGzip(tarFile("kube-1.0.0/PKG-INFO", metadata), tarFile("kube-1.0.0/x", strings.Repeat("x", 100)+sigEnd+strings.Repeat("\x07", 200)), tarEnd)},
		{"sdist with a zip archive far from its end", sdistFile, storedGzip(tarFile("kube-1.0.0/PKG-INFO", metadata), tarFile("kube-1.0.0/a.zip", string(honest().bytes())), tarFile("kube-1.0.0/x", strings.Repeat("x", 70_000)), tarEnd)},
		{"sdist with a zip archive, compressed", sdistFile, sdistWith(tarFile("kube-1.0.0/a.zip", string(honest().bytes())))},
		{"as many pax headers as files", sdistFile, sdistWith(bytes.Join(manyTimes(MaxEntries-2), nil))},
		// Python cuts the name in the header itself off.
		{"pax name that is cut off at a slash", sdistFile, sdistWith(paxPart('x', "path=kube-1.0.0/"+strings.Repeat("d", 88)+"/x"), tarFile("kube-1.0.0/"+strings.Repeat("d", 88)+"/", string(tarFile("kube-1.0.0/y", ""))))},
		{"ustar prefix", sdistFile, sdistWith(changedTar(func(h []byte) { copy(h[345:], "kube-1.0.0/"+strings.Repeat("p", 144)) }))},
		{"ustar prefix and times, as of star", sdistFile, sdistWith(changedTar(func(h []byte) {
			copy(h[345:], "kube-1.0.0")
			copy(h[476:], "14000000000 14000000000 ")
		}))},
		// bsdtar shortens the name in the header itself, which then needs a prefix.
		{"pax name and prefix, as of bsdtar", sdistFile, sdistWith(paxPart('x', "path="+longName), changedTar(func(h []byte) { copy(h[345:], "kube-1.0.0/"+strings.Repeat("d/", 40)) }))},
		{"GNU format", sdistFile, sdistWith(changedTar(func(h []byte) {
			copy(h, "kube-1.0.0/x")
			copy(h[257:], "ustar  \x00user")
			copy(h[108:], "\x80\x00\x00\x00\x7f\xff\xff\xff")                 // a user beyond 2097151
			copy(h[136:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00") // before 1970
		}))},
		{"GNU format, incremental", sdistFile, sdistWith(changedTar(func(h []byte) {
			copy(h, "kube-1.0.0/x")
			copy(h[257:], "ustar  \x00")
			copy(h[483:], "00000000001\x00") // behind where a prefix ends
		}))},
		{"before POSIX", sdistFile, sdistWith(changedTar(func(h []byte) {
			copy(h, "kube-1.0.0/folder/")
			copy(h[257:], make([]byte, 8))
			h[156] = 0
		}))},
		{"spaces in numbers", sdistFile, sdistWith(changedTar(func(h []byte) {
			copy(h, "kube-1.0.0/x")
			copy(h[100:], "   644 \x00     0 \x00     0 \x00")
		}))},
		{"npm", "kube.tgz", npmWith(packageJSON)},
		{"npm with letters, as of npm", "kube.tgz", npmWith(packageJSON, paxPart('x', "path=package/é.js"), tarFile("package/é.js", ""),
			paxPart('x', "path=package/"+strings.Repeat("é", 60)), tarFile("package/"+strings.Repeat("é", 45), ""))},
		{"npm with letters, as of Python", "kube.tgz", npmWith(packageJSON, paxPart('x', "path=package/é.js"), tarFile("package/?.js", ""),
			paxPart('x', "path=package/é"+strings.Repeat("n", 120)), tarFile("package/?"+strings.Repeat("n", 91), ""))},
		{"npm with a letter that node-tar cuts in two", "kube.tgz", cutLetter("package/"+strings.Repeat("é", 7), "")},
		{"npm with letters, as of yarn", "kube.tgz", npmWith(packageJSON, paxPart('x', "path=package/é.js"), tarFile("PaxHeader", ""))},
		{"npm with a byte order mark", "kube.tgz", npmWith("\ufeff" + packageJSON)},
		{"npm with another folder", "kube.tgz", gz(tarFile("react/package.json", packageJSON), tarEnd, tarEnd)},
	}
}

func TestHonest(t *testing.T) {
	for _, c := range honestArchives() {
		t.Run(c.what, func(t *testing.T) {
			info, err := inspect(c.name, c.data)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			for _, check := range info.Checks {
				if check.Verdict != Pass {
					t.Errorf("the check %s is %s", check.ID, check.Verdict)
				}
			}
			if info.Entries == 0 || info.Unpacked == 0 || info.Package.Version != "1.0.0" {
				t.Errorf("it is %+v", info)
			}
			if info.Kind != NPM && (info.RequiresPython != ">=3.8" || len(info.Dependencies) != 2 || info.Dependencies[1] != "idna; extra == 'x'") {
				t.Errorf("requires %q, depends on %q", info.RequiresPython, info.Dependencies)
			}
		})
	}
}

// TestManifest: what npm reads of a package before it has its tarball.
func TestManifest(t *testing.T) {
	const head, tail = `{"bundleDependencies":`, `,"name":"@example/kube","version":"1.0.0"}`
	file := func(fields string) string { return `{"name":"@example/kube","version":"1.0.0"` + fields + `}` }
	shrinkwrap := tarFile("package/npm-shrinkwrap.json", "{}")
	for _, c := range []struct {
		fields, want string
		parts        [][]byte
	}{
		{"", file(""), nil},
		{"", `{"_hasShrinkwrap":true,"name":"@example/kube","version":"1.0.0"}`, [][]byte{shrinkwrap}},
		{"", file(""), [][]byte{tarFile("package/lib/npm-shrinkwrap.json", "{}")}},
		{`,"bundleDependencies":true`, head + `[]` + tail, nil},
		{`,"bundleDependencies":true,"dependencies":{"b":"1","a":"2"}`, head + `["a","b"],"dependencies":{"b":"1","a":"2"}` + tail, nil},
		{`,"bundledDependencies":true,"dependencies":{"a":"2"}`, head + `["a"],"dependencies":{"a":"2"}` + tail, nil},
		{`,"bundleDependencies":false,"bundledDependencies":["a"]`, head + `[]` + tail, nil},
		{`,"bundleDependencies":["c","a"]`, head + `["c","a"]` + tail, nil},
		{`,"bundleDependencies":{"c":"1","a":"2"}`, head + `["a","c"]` + tail, nil},
		{`,"bundleDependencies":"a"`, file(""), nil},
	} {
		info, err := inspect("kube.tgz", npmWith(file(c.fields), c.parts...))
		if err != nil || string(info.Manifest) != c.want {
			t.Errorf("%s is\n%s, not\n%s (%v)", c.fields, info.Manifest, c.want, err)
		}
	}
}

// manyTimes are empty files with a pax header each.
func manyTimes(n int) (parts [][]byte) {
	pax := paxPart('x', "mtime=1700000000.5")
	for i := range n {
		parts = append(parts, pax, tarHead(fmt.Sprintf("kube-1.0.0/%d", i), '0', 0))
	}
	return parts
}

func zip64Extra(size, packed uint64) []byte {
	b := []byte{1, 0, 16, 0}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, size), packed)
}
