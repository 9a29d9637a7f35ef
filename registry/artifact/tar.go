package artifact

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

const tarBlock = 512

// tarEntry is one file or folder of a tar archive.
type tarEntry struct {
	name   string // as the archive has it, but for a leading "./"; a folder's ends with a slash
	size   int64
	folder bool
}

// tarWalk is what a walk over a tar archive knows.
type tarWalk struct {
	in       *gunzip
	names    namespace
	entries  int
	headers  int // that extend others
	unpacked int64
	root     string // the one top folder, with its slash
	unfit    *Error // what npm would read differently, and Python does not
	// What headers before an entry say of it.
	longName, paxPath, paxSize string
	paxLink                    bool
	extended                   byte // 'x' or 'L' when there is such a header, else 0
}

// walkTar reads a gzipped tar archive (POSIX.1-2001 ustar and pax, and GNU's
// long names) from its first byte to its last. Every entry must be a regular
// file or a folder in one top folder. each gets every file.
func walkTar(src *source, each func(e tarEntry, content io.Reader) error) (*tarWalk, error) {
	g, err := openGzip(src)
	if err != nil {
		return nil, err
	}
	w := &tarWalk{in: g, names: namespace{}}
	for {
		var h [tarBlock]byte
		if err := w.block(h[:]); err != nil {
			return nil, err
		}
		if h == [tarBlock]byte{} {
			break
		}
		if err := w.entry(h[:], each); err != nil {
			return nil, err
		}
	}
	if w.extended != 0 {
		return nil, refuse("tar-loose-header", again, "its last header describes an entry that is not there")
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if w.entries == 0 {
		return nil, refuse("tar-empty", again, "it is an empty tar archive")
	}
	return w, g.end()
}

// block reads one block of 512 bytes.
func (w *tarWalk) block(b []byte) error {
	n, err := io.ReadFull(w.in, b)
	if err == nil {
		return nil
	}
	var bad *Error
	switch {
	case w.in.src.err != nil || errors.As(err, &bad):
		return err
	case w.entries+w.headers == 0 && n > 1 && b[0] == 0x1f && b[1] == 0x8b:
		return refuse("gzip-nested", "compress it once", "it decompresses to another gzip file")
	}
	return refuse("tar-truncated", "upload it again", "its tar archive ends without its end mark")
}

// end reads what follows the first block of zeros: one more, and padding.
func (w *tarWalk) end() error {
	buf := make([]byte, 32<<10)
	var zeros int64
	for {
		n, err := w.in.Read(buf)
		if zeros += int64(n); len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return refuse("tar-trailing", again, "data follows the end mark of its tar archive")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if zeros < tarBlock {
		return refuse("tar-half-end", again, "its tar archive has half an end mark")
	}
	return nil
}

// entry reads one header, and what it says follows.
func (w *tarWalk) entry(h []byte, each func(e tarEntry, content io.Reader) error) error {
	if want, ok := octal(h[148:156]); !ok || want != checksum(h) {
		if w.entries+w.headers == 0 && h[0] == 0x1f && h[1] == 0x8b {
			return refuse("gzip-nested", "compress it once", "it decompresses to another gzip file")
		}
		return refuse("tar-checksum", again, "its tar archive has a header with a wrong checksum, or is none")
	}
	size, ok := octal(h[124:136])
	if !ok {
		return refuse("tar-size", again, "an entry's size in its tar archive is no octal number")
	}
	if err := checkFields(h); err != nil {
		return err
	}
	kind := h[156]
	switch kind {
	case 'x', 'g':
		return w.pax(size, kind == 'g')
	case 'L':
		switch w.extended {
		case 'L':
			return refuse("tar-two-long-names", again, "an entry has two long names")
		case 'x':
			return refuse("tar-long-and-pax", again, "an entry has an extended header and then a long name: readers apply the first to different headers")
		}
		data, err := w.special(size)
		if w.longName, w.extended = strings.TrimSuffix(string(data), "\x00"), 'L'; w.longName == "" && err == nil {
			return refuse("tar-no-long-name", again, "a header of its tar archive says an empty long name")
		}
		return err
	}
	name, err := w.name(h)
	if err != nil {
		return err
	}
	switch kind {
	case '0', 0, '5':
	case '1':
		return refuse("entry-hard-link", "put the file itself there", "%q is a hard link", name)
	case '2', 'K':
		return refuse("entry-link", "put the file itself there (tar --dereference)", "%q is a symbolic link", name)
	case '3', '4':
		return refuse("entry-device", "leave it out", "%q is a device", name)
	case '6':
		return refuse("entry-pipe", "leave it out", "%q is a pipe", name)
	case 'S':
		return refuse("entry-sparse", "build it without --sparse", "%q is a sparse file", name)
	default:
		return refuse("tar-kind", again, "%q is an entry of the kind %q; files and folders are allowed", name, kind)
	}
	if w.paxSize != "" && w.paxSize != strconv.FormatInt(size, 10) {
		return refuse("tar-two-sizes", again, "%q has the size %d in one header and %.30q in another: readers see different archives", name, size, w.paxSize)
	}
	if w.paxLink {
		return refuse("pax-link", again, "%q is no link, but an extended header says where it leads", name)
	}
	// Before POSIX a folder was a file whose name ends with a slash. Which name
	// that is, the header's own or the one that replaces it, readers disagree.
	raw := text(h[:100])
	switch {
	case kind == 0 && strings.HasSuffix(raw, "/") && w.longName+w.paxPath != "":
		return refuse("entry-raw-folder", again, "%q is called %q in its own header, by which some readers take it for a folder and its content for entries", name, raw)
	case kind == '0' && strings.HasSuffix(name, "/"):
		return refuse("entry-kind", again, "%q is a file by its kind and a folder by its name", name)
	case kind == 0 && strings.HasSuffix(name, "/") && !strings.HasSuffix(raw, "/"):
		return refuse("entry-old-folder", again, "%q is a folder by its name only, which is not in its own header: some readers take it for a file", name)
	}
	if w.unfit == nil {
		w.unfit = w.forNPM(name, raw, h)
	}
	w.longName, w.paxPath, w.paxSize, w.paxLink, w.extended = "", "", "", false, 0
	e := tarEntry{name: strings.TrimPrefix(name, "./"), size: size, folder: kind == '5' || strings.HasSuffix(name, "/")}
	if w.entries++; w.entries > MaxEntries {
		return refuse("bomb-entries", "ship fewer files", "it has more than %d entries", MaxEntries)
	}
	if e.folder && size != 0 {
		return refuse("entry-folder-content", again, "the folder %q has a content", name)
	}
	if e.folder && (e.name == "" || e.name == ".") {
		return nil // the folder that everything is in, as in tar -C x .
	}
	if err := checkPath(e.name); err != nil {
		return err
	}
	if err := w.names.add(e.name, e.folder); err != nil {
		return err
	}
	if err := w.top(&e); err != nil {
		return err
	}
	if e.folder {
		return nil
	}
	w.unpacked += size
	content := &io.LimitedReader{R: w.in, N: size}
	if err := each(e, content); err != nil {
		return err
	}
	return w.skip(content.N + -size&(tarBlock-1))
}

// forNPM says what npm's clients would read differently of an entry.
//
// tar-stream, from its version 2 on, takes it for a folder by its own header's
// name. Python writes the first 100 bytes of a long name there, which may end with
// a slash; so this is refused in npm tarballs only.
//
// node-tar decodes an extended header piece by piece as it comes, so that a letter
// of several bytes may be cut in two. A pax record whose length is then wrong is
// passed over, and the header's own name counts. Build tools write there the same
// name, its beginning, it with question marks (Python), or one without a folder
// (yarn), which is not unpacked.
func (w *tarWalk) forNPM(name, raw string, h []byte) *Error {
	long, full := w.longName+w.paxPath, raw
	if prefix := text(h[345:500]); prefix != "" {
		full = prefix + "/" + raw
	}
	marked := strings.Map(func(c rune) rune {
		if c >= utf8.RuneSelf {
			return '?'
		}
		return c
	}, long)
	const cut = 97 // at least, of 100 bytes, when a letter does not fit
	switch {
	case strings.HasPrefix(name, "./"):
		return refuse("entry-dot-top", "pack it with npm pack, or with tar and package instead of ./package", `the name %q begins with "./": npm drops the first part of every name, which is then "."`, name)
	case h[156] == '0' && long != "" && strings.HasSuffix(raw, "/"):
		return refuse("tar-raw-folder", "pack it with npm pack", "%q is called %q in its own header, by which tar-stream takes it for a folder and its content for entries", name, raw)
	case strings.IndexFunc(long, func(c rune) bool { return c >= utf8.RuneSelf }) < 0:
		return nil
	case w.longName != "":
		return refuse("tar-long-letters", "pack it with npm pack", "%q has a long name with other than ASCII letters, which npm may cut in two", name)
	case full == long, marked == full, strings.IndexByte(full, '/') < 0, len(raw) >= cut && (strings.HasPrefix(long, full) || strings.HasPrefix(marked, full)):
		return nil
	}
	return refuse("tar-raw-name", "pack it with npm pack", "%q is called %q in its own header, which is what npm may find it under", name, full)
}

// top checks that an entry is in the same top folder as all others: npm drops
// the first part of every name, whatever it is.
func (w *tarWalk) top(e *tarEntry) error {
	top, _, ok := strings.Cut(e.name, "/")
	switch {
	case !ok && !e.folder:
		return refuse("entry-no-top", "put all in one folder, as build tools do", "%q is not in a folder", e.name)
	case w.root == "":
		w.root = top + "/"
	case w.root != top+"/":
		return refuse("entry-two-tops", "put all in one folder, as build tools do", "%q is not in the folder %q, where others are", e.name, w.root)
	}
	return nil
}

func (w *tarWalk) skip(n int64) error {
	if _, err := io.CopyN(io.Discard, w.in, n); err != nil {
		var bad *Error
		if w.in.src.err != nil || errors.As(err, &bad) {
			return err
		}
		return refuse("tar-cut", "upload it again", "its tar archive is cut off within an entry")
	}
	return nil
}

// special reads the content of a header that extends another.
func (w *tarWalk) special(size int64) ([]byte, error) {
	if size > MaxPAX {
		return nil, refuse("tar-header-large", again, "an extended header of its tar archive has %d bytes; at most %d are allowed", size, MaxPAX)
	}
	// Python writes one for each file whose time has a fraction.
	if w.headers++; w.headers > MaxHeaders {
		return nil, refuse("bomb-headers", again, "it has more than %d extended headers", MaxHeaders)
	}
	b := make([]byte, (size+tarBlock-1)&^(tarBlock-1))
	for i := 0; i < len(b); i += tarBlock {
		if err := w.block(b[i : i+tarBlock]); err != nil {
			return nil, err
		}
	}
	if len(bytes.Trim(b[size:], "\x00")) > 0 {
		return nil, refuse("tar-header-padding", again, "something is behind the end of an extended header of its tar archive, where some readers go on")
	}
	return b[:size], nil
}

// pax reads an extended header: records "LENGTH KEY=VALUE\n" (POSIX.1-2001).
// One for all entries that follow may only comment, as git archive does.
func (w *tarWalk) pax(size int64, global bool) error {
	switch {
	case global && w.extended != 0:
		return refuse("pax-between", again, "a header for all entries is between an entry and the header that extends it")
	case w.extended == 'x':
		return refuse("pax-twice", again, "an entry has two extended headers, of which readers believe different ones")
	case w.extended == 'L':
		return refuse("tar-two-names", again, "an entry has a long name and then an extended header: readers apply the first to different headers")
	}
	data, err := w.special(size)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for text := string(data); text != ""; {
		length, _, ok := strings.Cut(text, " ")
		n, err := strconv.Atoi(length)
		if !ok || err != nil || n < len(length)+3 || n > len(text) || text[n-1] != '\n' {
			return refuse("pax-damaged", again, "an extended header of its tar archive is damaged")
		}
		if length != strconv.Itoa(n) {
			return refuse("pax-length", again, "an extended header of its tar archive has a record with the length %.20q: some readers pass over it", length)
		}
		record := text[len(length)+1 : n-1]
		key, value, ok := strings.Cut(record, "=")
		text = text[n:]
		switch {
		case !ok || key == "":
			return refuse("pax-record", again, "an extended header of its tar archive has the record %.40q, which is no key with a value", record)
		// node-tar splits records at line ends before it looks at their
		// lengths, and cuts values at NUL.
		case strings.ContainsAny(record, "\n\x00"):
			return refuse("pax-line", "build it without extended attributes (tar --no-xattrs)", "an extended header of its tar archive has a line end or a NUL byte in the value of %.40q, where some readers see the next record", key)
		case seen[key]:
			return refuse("pax-duplicate", again, "an extended header of its tar archive says %.40q twice", key)
		case strings.HasPrefix(key, "GNU.sparse."):
			return refuse("pax-sparse", "build it without --sparse", "its tar archive has a sparse file in an extended header")
		// Older Pythons look for it in all of the header, values included.
		case strings.Contains(record, "hdrcharset="):
			return refuse("pax-charset", again, "an extended header of its tar archive sets the character set %.40q", value)
		case global && (key == "path" || key == "size" || key == "linkpath"):
			return refuse("pax-global", again, "a header of its tar archive sets %q for all entries that follow", key)
		case key == "path" && value == "":
			return refuse("pax-empty-path", again, "an extended header of its tar archive says an empty name")
		case key == "path":
			w.paxPath = value
		case key == "size":
			w.paxSize = value
		case key == "linkpath":
			w.paxLink = true
		}
		seen[key] = true
	}
	if !global {
		w.extended = 'x'
	}
	return nil
}

// checkFields checks what must be readable in every header, whatever it is a
// header of: a field that one reader can't parse, or parses to something else,
// makes it pass over the header (node-tar, which then takes the content for
// headers) or end the archive there (Python).
func checkFields(h []byte) error {
	name, kind := text(h[:100]), h[156]
	for _, f := range []struct {
		what     string
		from, to int
	}{{"mode", 100, 108}, {"user", 108, 116}, {"group", 116, 124}, {"time", 136, 148}, {"device", 329, 337}, {"minor device", 337, 345}} {
		if !number(h[f.from:f.to]) {
			return refuse("tar-number", again, "the %s of %q in its tar archive is the number %q, which not every reader can read", f.what, name, h[f.from:f.to])
		}
	}
	switch {
	case len(bytes.Trim(h[len(name):100], "\x00")) > 0:
		return refuse("tar-name-tail", again, "the name %q in its tar archive goes on behind its end, where some readers go on too", name)
	case isUstar(h) && !ustarPrefix(h[345:500]):
		return refuse("tar-prefix-tail", again, "the first part of the name %q in its tar archive goes on behind its end, where some readers go on too", name)
	// node-tar looks for the end of the checksum behind its field too.
	case h[155] != ' ' && h[155] != 0:
		return refuse("tar-checksum-end", again, "the checksum of %q in its tar archive fills its field, so that some readers read on", name)
	case kind != '1' && kind != '2' && len(bytes.Trim(h[157:257], "\x00")) > 0:
		return refuse("tar-link-name", again, "%q is no link, but its header says where it leads: some readers pass over the header and take the content for headers", name)
	case name == "" && (kind == 'x' || kind == 'g' || kind == 'L'):
		return refuse("tar-header-name", again, "an extended header of its tar archive has no name: some readers pass over it")
	}
	return nil
}

func isUstar(h []byte) bool { return string(h[257:265]) == "ustar\x0000" }

// ustarPrefix tells whether all of the field is what it should be: a prefix of
// at most 155 bytes, or (as star and node-tar write) one of at most 130, a NUL
// byte and two times.
func ustarPrefix(p []byte) bool {
	const short = 130
	i := len(text(p))
	if i > short {
		return len(bytes.Trim(p[i:], "\x00")) == 0
	}
	return len(bytes.Trim(p[i:short+1], "\x00")) == 0 && number(p[short+1:short+13]) && number(p[short+13:])
}

// name gives the name of the entry that h begins.
func (w *tarWalk) name(h []byte) (string, error) {
	magic := string(h[257:263])
	prefix := text(h[345:500])
	switch {
	case magic != "ustar\x00" && magic != "ustar " && len(bytes.Trim(h[257:265], "\x00 ")) > 0:
		return "", refuse("tar-format", again, "its tar archive is of an unknown format")
	// Python reads it in every format, node-tar in this one only.
	case prefix != "" && !isUstar(h):
		return "", refuse("tar-prefix", again, "%q has a first part of its name, %q, where its format (%q) has none: readers disagree about the name", text(h[:100]), prefix, h[257:265])
	case prefix != "" && w.longName != "":
		return "", refuse("tar-prefix-and-long", again, "%q has a long name and a first part, %q, of a short one", w.longName, prefix)
	case w.paxPath != "":
		return w.paxPath, nil
	case w.longName != "":
		return w.longName, nil
	case prefix != "":
		return prefix + "/" + text(h[:100]), nil
	}
	return text(h[:100]), nil
}

// text reads a field that ends with a NUL byte or is full.
func text(field []byte) string {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return string(field)
}

// octal reads a number field. The binary form, of numbers over 8 GiB, is none.
func octal(field []byte) (int64, bool) {
	s := strings.Trim(text(field), " ")
	if s == "" {
		return 0, len(bytes.Trim(field, "\x00 ")) == 0
	}
	n, err := strconv.ParseUint(s, 8, 40)
	return int64(n), err == nil
}

// number tells whether every reader can read a field as a number, or as none:
// octal, or binary in 52 bits, since node-tar counts no further than 53.
func number(field []byte) bool {
	if field[0] != 0x80 && field[0] != 0xff {
		_, ok := octal(field)
		return ok
	}
	high := field[1 : len(field)-6]
	for i, b := range high {
		least := byte(0) // 48 bits and the lowest 4 of the byte before them
		if i == len(high)-1 {
			least = 0x0f
		}
		if field[0] == 0xff {
			b = ^b
		}
		if b&^least != 0 {
			return false
		}
	}
	return true
}

// checksum adds a header's bytes, its checksum taken as spaces.
func checksum(h []byte) (sum int64) {
	for i, b := range h[:tarBlock] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int64(b)
	}
	return sum
}
