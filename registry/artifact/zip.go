package artifact

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

// Records of a zip archive (APPNOTE.TXT 4.3.7, 4.3.9, 4.3.12, 4.3.14 to 4.3.16).
const (
	sigLocal      = "PK\x03\x04"
	sigDescriptor = "PK\x07\x08"
	sigCentral    = "PK\x01\x02"
	sigEnd        = "PK\x05\x06"
	sigEnd64      = "PK\x06\x06"
	sigLocator64  = "PK\x06\x07"

	localSize, centralSize, endSize, locatorSize = 30, 46, 22, 20
)

// General purpose bits (APPNOTE.TXT 4.4.4).
const (
	bitsEncrypted  = 1<<0 | 1<<6 | 1<<13
	bitsDeflate    = 1<<1 | 1<<2 // how hard the packer tried
	bitDescriptor  = 1 << 3
	bitPatch       = 1 << 5
	bitUTF8        = 1 << 11
	methodStored   = 0
	methodDeflated = 8
)

// maxExtra is how many bytes of extra fields a header may have. Build tools
// write none, or a time stamp.
const maxExtra = 1024

// zipEntry is one entry of the central directory. There are up to MaxEntries
// of them in memory, so a name is a hash and a place in the file.
type zipEntry struct {
	key                     nameKey
	digest                  [32]byte // by RECORD
	offset, packed, size    uint32
	crc, named              uint32 // named is where its name is, from the directory's start
	nameLen, flags, zipMode uint16
	folder, listed, exempt  bool // listed in RECORD, with digest unless exempt
}

type zipArchive struct {
	src       *source
	entries   []zipEntry // by offset
	directory int64      // its start
	unpacked  int64
}

// openZip reads the end record and the central directory, and checks all that
// they say. The local headers and the contents are left to walk.
func openZip(src *source) (*zipArchive, error) {
	z := &zipArchive{src: src}
	count, length, err := z.end()
	if err != nil {
		return nil, err
	}
	if err := z.readDirectory(count, length); err != nil {
		return nil, err
	}
	slices.SortFunc(z.entries, func(a, b zipEntry) int { return cmp.Compare(a.offset, b.offset) })
	return z, nil
}

// end reads the end record, which must be the file's last 22 bytes, and finds
// the directory, which must be directly before it.
func (z *zipArchive) end() (count int, length int64, err error) {
	if z.src.size < endSize {
		return 0, 0, refuse("zip-short", "upload it again", "it has %d bytes, too few for a zip archive", z.src.size)
	}
	if z.src.size > 1<<32-1 {
		return 0, 0, refuse("zip-large", "split it", "it has more than 4 GiB, which a wheel without zip64 can't have")
	}
	var rec [endSize]byte
	at := z.src.size - endSize
	if _, err := z.src.ReadAt(rec[:], at); err != nil {
		return 0, 0, err
	}
	if string(rec[:4]) != sigEnd || rec[20] != 0 || rec[21] != 0 {
		return 0, 0, z.noEnd()
	}
	le := binary.LittleEndian
	disk, start := le.Uint16(rec[4:]), le.Uint16(rec[6:])
	here, all := le.Uint16(rec[8:]), le.Uint16(rec[10:])
	size, offset := int64(le.Uint32(rec[12:])), int64(le.Uint32(rec[16:]))
	var before [locatorSize]byte
	if at >= locatorSize {
		if _, err := z.src.ReadAt(before[:], at-locatorSize); err != nil {
			return 0, 0, err
		}
	}
	switch {
	case string(before[:4]) == sigLocator64:
		return 0, 0, refuse("zip-zip64-end", "build it without zip64", "it has a zip64 end record, which an archive of this size does not need, and by which two readers see two archives")
	case all == 0xffff || size == 0xffffffff || offset == 0xffffffff:
		return 0, 0, refuse("zip-zip64-missing", again, "its end record refers to a zip64 end record that is not there")
	case disk != 0 || start != 0 || here != all:
		return 0, 0, refuse("zip-disks", again, "its end record says that it is one of several disks")
	case all == 0:
		return 0, 0, refuse("zip-empty", again, "it is an empty zip archive")
	case int(all) > MaxEntries:
		return 0, 0, refuse("bomb-entries", "ship fewer files", "it has %d entries; at most %d are allowed", all, MaxEntries)
	case offset+size > at:
		return 0, 0, refuse("zip-directory-outside", "upload it again", "its central directory (%d bytes at %d) does not fit before its end record (at %d)", size, offset, at)
	case offset+size < at:
		return 0, 0, z.between(offset, size, at)
	case int64(all)*centralSize > size:
		return 0, 0, refuse("zip-directory-short", again, "its central directory has %d bytes, too few for %d entries", size, all)
	}
	z.directory = offset
	return int(all), size, nil
}

// noEnd says why there is no end record at the end.
func (z *zipArchive) noEnd() error {
	tail := make([]byte, min(z.src.size, endSize+1<<16))
	if _, err := z.src.ReadAt(tail, z.src.size-int64(len(tail))); err != nil {
		return err
	}
	for i := bytes.LastIndex(tail, []byte(sigEnd)); i >= 0; i = bytes.LastIndex(tail[:i], []byte(sigEnd)) {
		if len(tail)-i < endSize {
			continue
		}
		comment, rest := int(binary.LittleEndian.Uint16(tail[i+20:])), len(tail)-i-endSize
		switch {
		case comment == rest:
			return refuse("zip-comment", "build it without a comment", "the archive has a comment of %d bytes, where a second end record can hide", comment)
		case comment < rest:
			return refuse("zip-trailing", again, "%d bytes follow its end", rest-comment)
		default:
			return refuse("zip-cut-comment", "upload it again", "its comment is cut off: %d bytes of %d are there", rest, comment)
		}
	}
	var head [4]byte
	if _, err := z.src.ReadAt(head[:], 0); err != nil {
		return err
	}
	if string(head[:]) == sigLocal {
		return refuse("zip-truncated", "upload it again", "it begins as a zip archive, but its end is missing")
	}
	return refuse("zip-none", again, "it is no zip archive")
}

// between says what is between the directory and the end record.
func (z *zipArchive) between(offset, size, at int64) error {
	gap := at - offset - size
	read := func(n int, at int64) string {
		b := make([]byte, n)
		if at < 0 {
			return ""
		}
		if _, err := z.src.ReadAt(b, at); err != nil {
			return ""
		}
		return string(b)
	}
	if read(4, at-size) == sigCentral {
		if read(4, gap-endSize) == sigEnd {
			return refuse("zip-two-archives", again, "it is two archives, one after the other")
		}
		return refuse("zip-prepended", again, "%d bytes precede the archive", gap)
	}
	if strings.Contains(read(int(min(gap, 1<<16)), at-min(gap, 1<<16)), sigEnd) {
		return refuse("zip-two-ends", again, "it has several end records")
	}
	return refuse("zip-gap-end", again, "%d bytes that belong to nothing are between its central directory and its end", gap)
}

func (z *zipArchive) readDirectory(count int, length int64) error {
	r := bufio.NewReaderSize(io.NewSectionReader(z.src, z.directory, length), 64<<10)
	z.entries = make([]zipEntry, 0, count)
	names := namespace{}
	total := budget{packed: z.src.size}
	buf := make([]byte, MaxPath+maxExtra)
	var pos int64
	for range count {
		var h [centralSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return refuse("zip-count", again, "its end record says %d entries, but its central directory has %d", count, len(z.entries))
		}
		e, nameLen, extraLen, err := centralEntry(h[:])
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(r, buf[:nameLen+extraLen]); err != nil {
			return refuse("zip-directory-cut", again, "an entry of its central directory reaches past the directory's end")
		}
		name := string(buf[:nameLen])
		if err := e.check(name, h[:], buf[nameLen:nameLen+extraLen]); err != nil {
			return err
		}
		if err := names.add(name, e.folder); err != nil {
			return err
		}
		if err := total.add(int64(e.size)); err != nil {
			return err
		}
		e.key, e.named = keyOf(name), uint32(pos+centralSize)
		z.entries = append(z.entries, e)
		pos += centralSize + int64(nameLen+extraLen)
	}
	if pos != length {
		return refuse("zip-directory-long", again, "its central directory has %d bytes after its last entry", length-pos)
	}
	z.unpacked = total.total
	return nil
}

// centralEntry reads the fixed part of an entry of the central directory.
func centralEntry(h []byte) (e zipEntry, nameLen, extraLen int, err error) {
	le := binary.LittleEndian
	nameLen, extraLen = int(le.Uint16(h[28:])), int(le.Uint16(h[30:]))
	e = zipEntry{
		flags: le.Uint16(h[8:]), zipMode: le.Uint16(h[10:]), crc: le.Uint32(h[16:]),
		packed: le.Uint32(h[20:]), size: le.Uint32(h[24:]), nameLen: uint16(nameLen), offset: le.Uint32(h[42:]),
	}
	switch {
	case string(h[:4]) != sigCentral:
		err = refuse("zip-directory-damaged", again, "its central directory is damaged")
	case nameLen > MaxPath:
		err = refuse("entry-long-name", "shorten it", "the name of an entry has %d bytes; at most %d are allowed", nameLen, MaxPath)
	case extraLen > maxExtra:
		err = refuse("zip-extra-long", again, "an entry has %d bytes of extra fields; at most %d are allowed", extraLen, maxExtra)
	case le.Uint16(h[32:]) != 0:
		err = refuse("zip-entry-comment", "build it without comments", "an entry has a comment, where archives can hide")
	case le.Uint16(h[34:]) != 0:
		err = refuse("zip-entry-disk", again, "an entry is said to be on another disk")
	}
	return e, nameLen, extraLen, err
}

// check looks at what one entry of the central directory says.
func (e *zipEntry) check(name string, h, extra []byte) error {
	if err := checkPath(name); err != nil {
		return err
	}
	e.folder = strings.HasSuffix(name, "/")
	attributes := binary.LittleEndian.Uint32(h[38:])
	// The upper half is a Unix mode. Some readers believe it whatever system
	// the entry says it was made on, so it is checked for every system.
	kind, dos := attributes>>28, attributes&0x10 != 0
	switch {
	case kind == 0o12:
		return refuse("entry-link", "put the file itself there", "%q is a symbolic link", name)
	case kind != 0 && kind != 0o10 && kind != 0o4:
		return refuse("entry-device", "leave it out", "%q is a device, a pipe or a socket", name)
	case e.folder && kind == 0o10, !e.folder && (kind == 0o4 || dos):
		return refuse("entry-kind", again, "%q is a file by its name and a folder by its attributes, or the reverse", name)
	case e.folder && e.size != 0:
		return refuse("entry-folder-content", again, "the folder %q has a content", name)
	case e.flags&bitsEncrypted != 0:
		return refuse("zip-encrypted", "build it without a password", "%q is encrypted", name)
	case e.flags&bitPatch != 0:
		return refuse("zip-patch", again, "%q is patch data", name)
	case e.flags&^(bitsDeflate|bitDescriptor|bitUTF8) != 0:
		return refuse("zip-flags", again, "%q has flags %#04x that no build tool sets", name, e.flags)
	case e.zipMode != methodStored && e.zipMode != methodDeflated:
		return refuse("zip-method", "build it with deflate", "%q is compressed by method %d; stored (0) and deflated (8) are allowed", name, e.zipMode)
	case e.flags&bitUTF8 == 0 && strings.IndexFunc(name, func(c rune) bool { return c > 0x7e }) >= 0:
		return refuse("zip-encoding", again, "%q has other than ASCII letters, but is not marked as UTF-8: readers disagree about its name", name)
	case e.zipMode == methodStored && e.packed != e.size:
		return refuse("zip-stored-size", again, "%q is stored, but says two sizes: %d and %d", name, e.packed, e.size)
	case e.zipMode == methodStored && e.flags&bitDescriptor != 0 && e.size > 0:
		return refuse("zip-stored-descriptor", again, "%q is stored with its size behind it, so that a reader can't tell where it ends", name)
	case e.size > FreeEntry && uint64(e.size)/MaxEntryRatio > uint64(e.packed):
		return refuse("bomb-entry", "ship less of what compresses so well", "%q decompresses to more than %d times its %d bytes", name, MaxEntryRatio, e.packed)
	}
	return checkExtra(name, extra, func(id uint16, _ []byte) *Error {
		if id == extraZip64 {
			return refuse("zip-zip64-entry", "build it without zip64", "%q has zip64 sizes in the central directory, which it does not need", name)
		}
		return nil
	})
}

// Extra fields that change what an entry is (APPNOTE.TXT 4.5.3, 4.6.9).
const (
	extraZip64       = 0x0001
	extraUnicodePath = 0x7075
)

// checkExtra walks the extra fields of a header.
func checkExtra(name string, extra []byte, each func(id uint16, data []byte) *Error) error {
	seen := map[uint16]bool{}
	for len(extra) > 0 {
		if len(extra) < 4 || len(extra)-4 < int(binary.LittleEndian.Uint16(extra[2:])) {
			return refuse("zip-extra-damaged", again, "the extra fields of %q are damaged", name)
		}
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		switch {
		case seen[id]:
			return refuse("zip-extra-twice", again, "%q has the extra field %#04x twice", name, id)
		case id == extraUnicodePath:
			return refuse("zip-second-name", again, "%q has a second name in an extra field", name)
		}
		seen[id] = true
		if err := each(id, extra[4:4+n]); err != nil {
			return err
		}
		extra = extra[4+n:]
	}
	return nil
}

// name reads the name of an entry.
func (z *zipArchive) name(e *zipEntry) (string, error) {
	b := make([]byte, e.nameLen)
	_, err := z.src.ReadAt(b, z.directory+int64(e.named))
	return string(b), err
}
