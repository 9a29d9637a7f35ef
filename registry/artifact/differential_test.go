package artifact

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reading is what a program reads of an archive. The names are as the archive
// has them, but for a leading "./".
type reading struct {
	Error    string            `json:"error"`
	Files    map[string]string `json:"files"`    // sha256 by name
	Recorded []string          `json:"recorded"` // the files that RECORD lists
	Zip      []string          `json:"zip"`      // what a zip reader finds in a gzip file
	// Fields of METADATA or PKG-INFO: Name, Version, Requires-Python and each Requires-Dist.
	Fields []string `json:"fields"`
}

// ours is what we read of an archive that was accepted.
func ours(t *testing.T, name string, data []byte, info Info) reading {
	r := reading{Files: map[string]string{}}
	src := &source{r: bytes.NewReader(data), size: int64(len(data))}
	var err error
	if info.Kind == Wheel {
		z, bad := openZip(src)
		if bad != nil {
			t.Fatal(bad)
		}
		err = z.walk(func(e *zipEntry, sum [32]byte) error {
			name, err := z.name(e)
			if !e.folder {
				r.Files[name] = fmt.Sprintf("%x", sum)
			}
			return err
		})
		r.Recorded = slices.Sorted(maps.Keys(r.Files))
	} else {
		_, err = walkTar(src, func(e tarEntry, content io.Reader) error {
			sum := sha256.New()
			_, err := io.Copy(sum, content)
			r.Files[e.name] = fmt.Sprintf("%x", sum.Sum(nil))
			return err
		})
	}
	if err != nil {
		t.Fatalf("%s, which was accepted, is unreadable: %v", name, err)
	}
	if info.Kind != NPM {
		r.Fields = append([]string{info.Package.Name, info.Package.Version, info.RequiresPython}, info.Dependencies...)
	}
	return r
}

//go:embed testdata/readers/read.py
var readPython string

//go:embed testdata/readers/read.js
var readNode string

// step is of how many archives that can be made one is compared: all of them
// (APPSTORE_TEST_READERS=all) take minutes.
func step() int {
	if os.Getenv("APPSTORE_TEST_READERS") == "all" {
		return 1
	}
	return 23
}

// TestReaders: whatever archive is accepted, the programs that will unpack it
// find the files in it that we found, and say the same of it.
func TestReaders(t *testing.T) {
	dir := t.TempDir()
	type given struct {
		what, path string
		want       reading
	}
	var all []given
	tried := 0
	for _, c := range readable() {
		tried++
		info, err := inspect(c.name, c.data)
		if err != nil {
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("%d", len(all)))
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(path, c.name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, given{c.what, path, ours(t, c.name, c.data, info)})
	}
	t.Logf("%d of %d archives are accepted", len(all), tried)
	if len(all) < 300 {
		t.Errorf("only %d archives are accepted, too few to compare", len(all))
	}
	compare := func(t *testing.T, of func(path string) bool, command ...string) {
		var list strings.Builder
		n := 0
		for _, g := range all {
			if of(g.path) {
				fmt.Fprintln(&list, g.path)
				n++
			}
		}
		run := exec.Command(command[0], command[1:]...)
		run.Stdin = strings.NewReader(list.String())
		var complaint bytes.Buffer
		run.Stderr = &complaint
		out, err := run.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, complaint.String())
		}
		lines := json.NewDecoder(bytes.NewReader(out))
		for _, g := range all {
			if !of(g.path) {
				continue
			}
			var got reading
			if err := lines.Decode(&got); err != nil {
				t.Fatalf("%s: %v\n%s", g.what, err, complaint.String())
			}
			differ(t, g.what+" ("+filepath.Base(g.path)+")", g.want, got)
		}
		t.Logf("%d archives are compared", n)
	}
	missing := func(t *testing.T, reader, what string) {
		if os.Getenv("APPSTORE_TEST_REQUIRE") == "1" {
			t.Fatalf("%s is required", what)
		}
		t.Skipf("not checked: whether %s reads what is accepted as we do, since there is no %s", reader, what)
	}
	t.Run("Python", func(t *testing.T) {
		if _, err := exec.LookPath("python3"); err != nil {
			missing(t, "Python", "python3")
		}
		compare(t, func(string) bool { return true }, "python3", "-c", readPython)
	})
	t.Run("node-tar", func(t *testing.T) {
		if _, err := exec.LookPath("npm"); err != nil {
			missing(t, "node-tar", "npm")
		}
		root, err := exec.Command("npm", "root", "-g").Output()
		if err != nil {
			t.Fatal(err)
		}
		module := filepath.Join(strings.TrimSpace(string(root)), "npm", "node_modules", "tar")
		if _, err := os.Stat(module); err != nil {
			missing(t, "node-tar", module)
		}
		compare(t, func(path string) bool { return strings.HasSuffix(path, ".tgz") }, "node", "-e", readNode, module, t.TempDir())
	})
}

// differ compares what was read.
func differ(t *testing.T, what string, want, got reading) {
	t.Helper()
	switch {
	case got.Error != "":
		t.Errorf("%s: accepted, but unreadable: %s", what, got.Error)
	case !maps.Equal(want.Files, got.Files):
		t.Errorf("%s: has other files:\n  %s\ninstead of\n  %s", what, sorted(got.Files), sorted(want.Files))
	case want.Recorded != nil && got.Recorded != nil && !slices.Equal(want.Recorded, slices.Sorted(slices.Values(got.Recorded))):
		t.Errorf("%s: RECORD lists\n  %q\ninstead of\n  %q", what, got.Recorded, want.Recorded)
	case len(got.Zip) > 0:
		t.Errorf("%s: is a zip archive too, of %q", what, got.Zip)
	case got.Fields != nil && !slices.Equal(want.Fields, got.Fields):
		t.Errorf("%s: says\n  %q\ninstead of\n  %q", what, got.Fields, want.Fields)
	}
}

func sorted(files map[string]string) string {
	var lines []string
	for name, sum := range files {
		lines = append(lines, fmt.Sprintf("%.80q %.8s", name, sum))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n  ")
}

// readable are the archives to compare: the honest ones, the hostile ones (which
// are accepted if they are refused no more), and what is made of them.
func readable() []archive {
	all := honestArchives()
	for _, h := range hostileArchives() {
		all = append(all, archive{h.code, h.name, h.data})
	}
	all = slices.DeleteFunc(all, func(a archive) bool { return len(a.data) > 100_000 })
	all = append(all, changedTars()...)
	all = append(all, changedWheels()...)
	return all
}

// bothKinds is a tar archive that is an sdist and an npm tarball, in three
// formats. A file's content is an entry, for readers that lose their place.
func bothKinds(format string) [][]byte {
	const top = "kube-1.0.0/"
	inner := string(tarFile(top+"inner.js", "inner")) + string(tarFile(top+"inner2.js", "inner"))
	long := top + strings.Repeat("d/", 30) + strings.Repeat("long", 20) + ".py"
	parts := [][]byte{tarPart(top, '5', ""), tarFile(top+"PKG-INFO", metadata), tarFile(top+"package.json", packageJSON)}
	switch format {
	case "ustar":
		prefixed := tarHead("file.js", '0', 3)
		copy(prefixed[345:], top+"prefixed")
		parts = append(parts, tarFile(top+"a.js", inner), sealed(prefixed), padded("abc"), tarFile(top+"b/c.js", "c"))
	case "pax":
		parts = append(parts, paxPart('g', "comment=0123"), paxPart('x', "path="+long, "mtime=1.5"), tarFile(top+"short.js", inner), tarFile(top+"b/c.js", "c"))
	case "gnu":
		parts = append(parts, tarPart("././@LongLink", 'L', long+"\x00"), tarFile(top+"short.js", inner), tarFile(top+"b/c.js", "c"))
		for _, p := range parts {
			copy(p[257:], "ustar  \x00")
			sealed(p[:tarBlock])
		}
	case "old":
		parts = append(parts, tarPart(top+"b/", 0, ""), tarPart(top+"b/c.js", 0, inner))
		for _, p := range parts {
			copy(p[257:], make([]byte, 8))
			sealed(p[:tarBlock])
		}
	}
	return parts
}

// changedTars are tar archives with something changed in a header or put before
// it: systematically, and then at random (always the same).
func changedTars() (all []archive) {
	n, step := 0, step()
	add := func(what string, parts ...[]byte) {
		if n++; n%step != 0 {
			return
		}
		data := gz(append(parts, tarEnd)...)
		all = append(all, archive{what, sdistFile, data}, archive{what, "kube.tgz", data})
	}
	fields := map[string][2]int{
		"name": {0, 100}, "mode": {100, 8}, "uid": {108, 8}, "gid": {116, 8}, "size": {124, 12}, "mtime": {136, 12}, "kind": {156, 1},
		"link": {157, 100}, "magic": {257, 6}, "version": {263, 2}, "format": {257, 8}, "uname": {265, 32}, "gname": {297, 32},
		"major": {329, 8}, "minor": {337, 8}, "prefix": {345, 155}, "prefix's end": {470, 30}, "atime": {476, 12}, "ctime": {488, 12}, "rest": {500, 12},
	}
	values := []string{
		"", " ", "\x00", "\n", "0", "7", "8", "0000017\x00", "0000020 ", "   17 \x00", "1_7", "+17", "-17", "0o17", "0x17", "17\x00\n", "\x0017", "17 17",
		"\x80\x00\x00\x00\x00\x00\x00\x17\x00\x00\x00\x17", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", "\x81\x00\x00\x00", "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"ustar\x0000", "ustar  \x00", "ustar\x00 0", "tar", "a", "a/", "/a", "./a", "kube-1.0.0", "kube-1.0.0/", "kube-1.0.0/z", "kube-1.0.0/z/", "kube-1.0.0/z\x00y", "kube-1.0.0/z\x00\n/y",
		"./kube-1.0.0/z", "kube-1.0.0/é", "kube-1.0.0/\xff", "kube-1.0.0/z\u2028\x00", "kube-1.0.0/c:/z", "5", "x", "g", "L", "K", "S", "D", "V", "1", "2",
	}
	before := map[string][]byte{
		"a block of zeros": make([]byte, tarBlock), "no pax records": tarPart("PaxHeaders/x", 'x', ""), "an empty header": tarPart("", 'x', "22 path=kube-1.0.0/z\n"),
		"a long link": tarPart("././@LongLink", 'K', "kube-1.0.0/z\x00"), "a volume": tarPart("kube-1.0.0/v", 'V', ""), "a Solaris header": tarPart("PaxHeaders/x", 'X', "22 path=kube-1.0.0/z\n"),
	}
	for _, name := range []string{"kube-1.0.0/z", "kube-1.0.0/z/", "z", "kube-1.0.0/é", "kube-1.0.0/package.json", "kube-1.0.0/z\n", "kube-1.0.0/" + strings.Repeat("n", 120), "./kube-1.0.0/z", "kube-1.0.0/z/../y", "\xff", ""} {
		before["pax name "+name] = paxPart('x', "path="+name)
		before["GNU name "+name] = tarPart("././@LongLink", 'L', name+"\x00")
		before["GNU name without end "+name] = tarPart("././@LongLink", 'L', name)
	}
	for _, r := range []string{
		"size=1", "size=0", "size=1024", "size=2048", "size= 1024", "size=01024", "size=1e3", "size=-1", "linkpath=kube-1.0.0/z", "type=5", "type=Directory", "mode=x", "uid=x", "mtime=x", "mtime=1.5", "mtime=-1", "mtime=inf",
		"comment=a b=c", "comment=x\n28 path=kube-1.0.0/setup.py", "comment=x\x00", "=x", "GNU.sparse.name=kube-1.0.0/z", "GNU.sparse.size=1", "GNU.sparse.realsize=1", "GNU.sparse.map=0,1", "GNU.sparse.major=1", "hdrcharset=BINARY", "hdrcharset=ISO-IR 10646 2000 UTF-8",
		"charset=BINARY", "SCHILY.path=kube-1.0.0/z", "SCHILY.realsize=1", "PATH=kube-1.0.0/z", "path =kube-1.0.0/z", " path=kube-1.0.0/z", "path=kube-1.0.0/z\npath=y", "uname=\xff", "gname=é",
	} {
		before["pax "+r], before["global pax "+r] = paxPart('x', r), paxPart('g', r)
	}
	for _, text := range []string{"022 path=kube-1.0.0/z\n", "+22 path=kube-1.0.0/z\n", "22 path=kube-1.0.0/z\n\x00", "22 path=kube-1.0.0/z\n\n", "22 path=kube-1.0.0/z ", "22\tpath=kube-1.0.0/z\n", " 23 path=kube-1.0.0/z\n", "22 path=kube-1.0.0/z\n22 path=kube-1.0.0/y\n", "1 \n22 path=kube-1.0.0/z\n"} {
		before["pax text "+text] = tarPart("PaxHeaders/x", 'x', text)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, format := range []string{"ustar", "pax", "gnu", "old"} {
		parts := bothKinds(format)
		add(format, parts...)
		with := func(i int, f func(h []byte)) [][]byte {
			changed := slices.Clone(parts)
			changed[i] = bytes.Clone(parts[i])
			f(changed[i])
			sealed(changed[i][:tarBlock:tarBlock])
			return changed
		}
		for i := 3; i < len(parts); i++ {
			if len(parts[i])%tarBlock != 0 || len(parts[i]) == tarBlock && !bytes.Contains(parts[i], []byte("kube")) {
				continue // a content
			}
			for _, field := range slices.Sorted(maps.Keys(fields)) {
				for _, v := range values {
					at, n := fields[field][0], fields[field][1]
					add(fmt.Sprintf("%s, %s of part %d is %.60q", format, field, i, v), with(i, func(h []byte) {
						clear(h[at : at+n])
						copy(h[at:at+n], v)
					})...)
				}
			}
			for range 150 {
				what := fmt.Sprintf("%s, part %d", format, i)
				changed := with(i, func(h []byte) {
					for range 1 + random.IntN(2) {
						at, to := random.IntN(tarBlock), "\x00\n /0178xLg\x80\xff"[random.IntN(13)]
						h[at] = to
						what += fmt.Sprintf(", byte %d is %q", at, to)
					}
				})
				add(what, changed...)
			}
			for _, b := range slices.Sorted(maps.Keys(before)) {
				add(fmt.Sprintf("%s, %q before part %d", format, b, i), slices.Insert(slices.Clone(parts), i, before[b])...)
			}
			for range 30 { // two headers
				keys := slices.Sorted(maps.Keys(before))
				a, b := keys[random.IntN(len(keys))], keys[random.IntN(len(keys))]
				add(fmt.Sprintf("%s, %q and %q before part %d", format, a, b, i), slices.Insert(slices.Clone(parts), i, before[a], before[b])...)
			}
		}
	}
	return all
}

// changedWheels are wheels with other bytes, and with other METADATA and RECORD.
func changedWheels() (all []archive) {
	n, step := 0, step()
	add := func(what string, z *zfile) {
		if n++; n%step == 0 {
			all = append(all, archive{what, wheelFile, z.bytes()})
		}
	}
	odd := []string{
		"\n", "\r", "\r\n", "\r\r\n", "\n\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\u0085", "\u2028", "\u2029", "\x00", "\x1a", "\ufeff", "\u00a0", " ", "\t", "\n ", "\n\t", "\r ", "\xff", "\xc2", "é",
		"\nRequires-Dist: evil", "\rRequires-Dist: evil", "\n\nRequires-Dist: evil", "\n \nRequires-Dist: evil", "\n.\nRequires-Dist: evil", "\n: evil", "\nFrom evil", "\nFrom: evil", "\n>From evil\n", "\nRequires-Dist : evil",
		"\nrequires-dist: evil", "\nRequires-Dist:evil", "\nRequires-Dist:\n evil", "\nRequires-Dist: \n evil", "\nRequires_Dist: evil", "\nX: =?utf-8?q?a?=", "=?utf-8?q?a?=", "\nContent-Type: multipart/mixed; boundary=x", "\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64", ",", "\"", "\"\n", "'", ",,",
	}
	meta, wheel := metadata, wheelText
	for _, o := range odd {
		for at := 0; at <= len(meta); at += 7 {
			add(fmt.Sprintf("%q at byte %d of METADATA", o, at), with(meta[:at]+o+meta[at:], wheel, same))
		}
		for _, line := range []string{"Name: kube", "Version: 1.0.0", ">=3.8", "(>=2)", "idna", "extra == 'x'", "\n\n"} {
			at := strings.Index(meta, line) + len(line)
			add(fmt.Sprintf("%q behind %q in METADATA", o, line), with(meta[:at]+o+meta[at:], wheel, same))
		}
		for at := 0; at <= 200; at += 5 {
			add(fmt.Sprintf("%q at byte %d of RECORD", o, at), with(meta, wheel, func(s string) string { return s[:at] + o + s[at:] }))
		}
		name := honest(file{"kube/a" + o + "b.py", "x"})
		name.all[1].flags, name.all[1].localFlags = bitUTF8, bitUTF8
		add(fmt.Sprintf("%q in a name", o), name)
	}
	random := rand.New(rand.NewPCG(5, 6))
	for range 1500 {
		z := honest(file{"kube/a.py", "a = 1\n"}, file{"kube/folder/", ""}, file{"kube-1.0.0.data/purelib/b.py", "b"})
		e := z.all[random.IntN(len(z.all))]
		n := uint16(1) << random.IntN(16)
		what := ""
		switch random.IntN(6) {
		case 0:
			e.flags, e.localFlags, what = e.flags^n, e.localFlags^n, "flags"
		case 1:
			e.mode, e.locMode, what = n%20, n%20, "method"
		case 2:
			e.attributes, what = uint32(n)<<random.IntN(17), "attributes"
		case 3:
			e.extra, what = []byte{byte(n), byte(n >> 8), 2, 0, byte(random.IntN(256)), 1}, "extra field"
		case 4:
			e.localExtra, what = []byte{byte(n), byte(n >> 8), 1, 0, byte(random.IntN(256))}, "local extra field"
		case 5:
			z.flip, what = 1+random.IntN(9000), "flipped byte"
		}
		add(fmt.Sprintf("%s %#x of %s", what, n, e.name), z)
	}
	return all
}
