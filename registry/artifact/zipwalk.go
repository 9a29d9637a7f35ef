package artifact

import (
	"bufio"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
)

// walk reads the archive from its first byte to its directory. Each local
// header must be at the place, and say what the directory says of it; nothing
// may be before, between or after; each content must have its size and
// checksum. each gets the sha256 of every file.
func (z *zipArchive) walk(each func(e *zipEntry, sum [32]byte) error) error {
	r := bufio.NewReaderSize(io.NewSectionReader(z.src, 0, z.directory), 256<<10)
	x := &unpacker{r: r, inflate: flate.NewReader(r), hash: sha256.New(), buf: make([]byte, 64<<10)}
	var pos int64
	for i := range z.entries {
		e := &z.entries[i]
		name, err := z.name(e)
		if err != nil {
			return err
		}
		switch at := int64(e.offset); {
		case at < pos:
			return refuse("zip-overlap", again, "%q overlaps the entry before it", name)
		case at > pos && pos == 0:
			return refuse("zip-prepended-entries", again, "%d bytes precede its first entry", at)
		case at > pos:
			return refuse("zip-gap", again, "%d bytes that belong to nothing precede %q", at-pos, name)
		}
		n, err := z.local(r, e, name)
		if err != nil {
			return err
		}
		pos += n
		if pos += int64(e.packed); pos > z.directory {
			return refuse("zip-overlap-directory", again, "%q overlaps the central directory", name)
		}
		sum, err := x.content(e, name)
		if err != nil {
			return err
		}
		if e.flags&bitDescriptor != 0 {
			n, err := e.descriptor(r, name)
			if err != nil {
				return err
			}
			pos += n
		}
		if err := each(e, sum); err != nil {
			return err
		}
	}
	if pos != z.directory {
		return refuse("zip-gap-directory", again, "%d bytes that belong to nothing are before its central directory", z.directory-pos)
	}
	return nil
}

// local reads a local header and compares it, and gives its length.
func (z *zipArchive) local(r io.Reader, e *zipEntry, name string) (int64, error) {
	var h [localSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil || string(h[:4]) != sigLocal {
		return 0, refuse("zip-local-missing", again, "%q is in the central directory, but not at the place that it says", name)
	}
	le := binary.LittleEndian
	nameLen, extraLen := int(le.Uint16(h[26:])), int(le.Uint16(h[28:]))
	if extraLen > maxExtra {
		return 0, refuse("zip-local-extra-long", again, "the local header of %q has %d bytes of extra fields; at most %d are allowed", name, extraLen, maxExtra)
	}
	if nameLen != len(name) {
		return 0, refuse("zip-local-name", again, "%q has another name in its local header", name)
	}
	rest := make([]byte, nameLen+extraLen)
	if _, err := io.ReadFull(r, rest); err != nil {
		return 0, refuse("zip-local-cut", again, "the local header of %q is cut off", name)
	}
	crc, packed, size := le.Uint32(h[14:]), le.Uint32(h[18:]), le.Uint32(h[22:])
	zip64 := false
	err := checkExtra(name, rest[nameLen:], func(id uint16, data []byte) *Error {
		if id != extraZip64 {
			return nil
		}
		zip64 = true
		// Honest writers that do not know the size beforehand make room for
		// zip64 sizes: Python's force_zip64, and Bazel's rules with which
		// protobuf is built, which fill in the short sizes too. Right when all
		// of them agree.
		if (packed != 0xffffffff || size != 0xffffffff) && (packed != e.packed || size != e.size) || len(data) != 16 ||
			le.Uint64(data) != uint64(e.size) || le.Uint64(data[8:]) != uint64(e.packed) {
			return refuse("zip-zip64-local", "build it without zip64", "the zip64 sizes of %q in its local header are not those of the central directory", name)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if e.flags&bitDescriptor != 0 && crc == 0 && packed == 0 && size == 0 {
		crc, packed, size = e.crc, e.packed, e.size // they come in the descriptor
	}
	if zip64 {
		packed, size = e.packed, e.size
	}
	switch {
	case string(rest[:nameLen]) != name:
		return 0, refuse("zip-local-other-name", again, "%q is called %q in its local header", name, rest[:nameLen])
	case le.Uint16(h[6:])&^bitsDeflate != e.flags&^bitsDeflate:
		return 0, refuse("zip-local-flags", again, "%q has other flags in its local header", name)
	case le.Uint16(h[8:]) != e.zipMode:
		return 0, refuse("zip-local-method", again, "%q is compressed by another method in its local header", name)
	case packed != e.packed || size != e.size:
		return 0, refuse("zip-local-size", again, "%q has another size in its local header", name)
	case crc != e.crc:
		return 0, refuse("zip-local-crc", again, "%q has another checksum in its local header", name)
	}
	return localSize + int64(len(rest)), nil
}

// packedReader gives the packed bytes of one entry, and no more.
type packedReader struct {
	r    *bufio.Reader
	left int64
}

func (p *packedReader) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	return n, err
}

// ReadByte keeps the decompressor from reading ahead.
func (p *packedReader) ReadByte() (byte, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	p.left--
	return p.r.ReadByte()
}

// unpacker has what contents are read with, one after the other.
type unpacker struct {
	r       *bufio.Reader
	inflate io.ReadCloser
	hash    hash.Hash
	buf     []byte
}

// content reads one content, verifies its size and checksum, and gives its sha256.
func (x *unpacker) content(e *zipEntry, name string) (sum [32]byte, err error) {
	packed := &packedReader{x.r, int64(e.packed)}
	var content io.Reader = packed
	if e.zipMode == methodDeflated {
		if err := x.inflate.(flate.Resetter).Reset(packed, nil); err != nil {
			return sum, err
		}
		content = x.inflate
	}
	x.hash.Reset()
	crc := uint32(0)
	left := int64(e.size)
	for {
		n, err := content.Read(x.buf)
		if left -= int64(n); left < 0 {
			return sum, refuse("content-long", again, "%q decompresses to more than the %d bytes that its header says", name, e.size)
		}
		x.hash.Write(x.buf[:n])
		crc = crc32.Update(crc, crc32.IEEETable, x.buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, refuse("content-damaged", "upload it again", "the compressed content of %q is damaged", name)
		}
	}
	switch {
	case left > 0:
		return sum, refuse("content-short", again, "%q decompresses to %d bytes less than its header says", name, left)
	case packed.left > 0:
		return sum, refuse("content-hidden", again, "%d bytes are hidden behind the compressed content of %q", packed.left, name)
	case crc != e.crc:
		return sum, refuse("content-crc", "upload it again", "the checksum of %q is wrong", name)
	}
	x.hash.Sum(sum[:0])
	return sum, nil
}

// descriptor reads what follows a content whose sizes were not known before
// it (APPNOTE.TXT 4.3.9): with or without its signature.
func (e *zipEntry) descriptor(r *bufio.Reader, name string) (int64, error) {
	want := binary.LittleEndian.AppendUint32([]byte(sigDescriptor), e.crc)
	want = binary.LittleEndian.AppendUint32(want, e.packed)
	want = binary.LittleEndian.AppendUint32(want, e.size)
	got, _ := r.Peek(len(want))
	switch {
	case string(got) == string(want):
	case len(got) >= 12 && string(got[:12]) == string(want[4:]):
		want = want[4:]
	default:
		return 0, refuse("zip-descriptor", again, "the sizes and checksum behind the content of %q are not those of the central directory", name)
	}
	n, err := r.Discard(len(want))
	return int64(n), err
}

// open gives the content of one entry out of turn. It is not yet trusted: walk
// is what verifies it.
func (z *zipArchive) open(e *zipEntry) (io.Reader, error) {
	var h [localSize]byte
	if _, err := z.src.ReadAt(h[:], int64(e.offset)); err != nil {
		return nil, z.src.blame(refuse("zip-local-outside", again, "the central directory refers to a place behind the file's end"))
	}
	start := int64(e.offset) + localSize + int64(binary.LittleEndian.Uint16(h[26:])) + int64(binary.LittleEndian.Uint16(h[28:]))
	packed := io.NewSectionReader(z.src, start, int64(e.packed))
	if e.zipMode == methodStored {
		return packed, nil
	}
	return io.LimitReader(flate.NewReader(bufio.NewReader(packed)), int64(e.size)), nil
}

// find gives the entry of that name, or nil.
func (z *zipArchive) find(name string) *zipEntry {
	key := keyOf(name)
	for i := range z.entries {
		if z.entries[i].key == key {
			return &z.entries[i]
		}
	}
	return nil
}

// small reads an entry of at most MaxMetadata bytes.
func (z *zipArchive) small(e *zipEntry, name string) ([]byte, error) {
	if e.size > MaxMetadata {
		return nil, refuse("metadata-large", "shorten it", "%s is larger than %d bytes", name, MaxMetadata)
	}
	r, err := z.open(e)
	if err != nil {
		return nil, err
	}
	data := make([]byte, e.size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, refuse("content-unreadable", "upload it again", "%s is unreadable", name)
	}
	return data, nil
}
