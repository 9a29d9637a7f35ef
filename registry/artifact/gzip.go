package artifact

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// gunzip decompresses a file that must be one gzip member (RFC 1952) and
// nothing else.
type gunzip struct {
	src    *source
	packed *bufio.Reader
	z      *gzip.Reader
	budget budget
}

// Flags of a gzip header (RFC 1952, 2.3.1).
const (
	gzipExtra    = 1 << 2
	gzipComment  = 1 << 4
	gzipReserved = 0xe0
)

func openGzip(src *source) (*gunzip, error) {
	packed := bufio.NewReaderSize(src.stream(), 256<<10)
	head, err := packed.Peek(10)
	switch {
	case err != nil:
		return nil, src.blame(refuse("gzip-short", "upload it again", "it has %d bytes, too few for a gzip file", src.size))
	case string(head[:4]) == sigLocal || string(head[:4]) == sigEnd:
		return nil, refuse("gzip-is-zip", "upload zip archives as wheels only", "it is a zip archive, not a gzip file")
	case head[0] != 0x1f || head[1] != 0x8b || head[2] != 8:
		return nil, refuse("gzip-none", again, "it is no gzip file")
	case head[3]&(gzipExtra|gzipComment) != 0:
		return nil, refuse("gzip-extra", "compress it with gzip", "its gzip header has an extra field or a comment, where archives can hide")
	case head[3]&gzipReserved != 0:
		return nil, refuse("gzip-flags", again, "its gzip header has flags that are not defined")
	}
	if err := alsoZip(src); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, src.blame(refuse("gzip-header", again, "its gzip header is damaged"))
	}
	z.Multistream(false)
	return &gunzip{src: src, packed: packed, z: z, budget: budget{packed: src.size}}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if over := g.budget.add(int64(n)); over != nil {
		return 0, over
	}
	var corrupt flate.CorruptInputError
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case g.src.err != nil:
		return n, g.src.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, refuse("gzip-truncated", "upload it again", "its compressed data is cut off")
	case errors.Is(err, gzip.ErrChecksum):
		return n, refuse("content-gzip-crc", "upload it again", "the checksum of its decompressed data is wrong")
	case errors.As(err, &corrupt):
		return n, refuse("content-gzip-damaged", "upload it again", "its compressed data is damaged")
	}
	return n, refuse("content-gzip", "upload it again", "its compressed data is unreadable")
}

// end checks that nothing follows the member. Several members are one stream
// to gzip, but some readers stop after the first: two archives in one.
func (g *gunzip) end() error {
	rest, err := g.packed.Peek(2)
	switch {
	case len(rest) == 0 && errors.Is(err, io.EOF):
		return nil
	case len(rest) == 2 && rest[0] == 0x1f && rest[1] == 0x8b:
		return refuse("gzip-members", "compress it in one piece", "it is several gzip files, one after the other")
	}
	return g.src.blame(refuse("gzip-trailing", again, "bytes follow its compressed data"))
}

// alsoZip refuses what a zip reader, which begins at the end, would open too.
// Python takes the last end record of the last 64 KiB, whatever follows it, and
// pip unpacks as zip what Python opens, whatever its name. By chance, a file of
// random bytes has an end record there once in 65,000, and one that leads to a
// directory once in 10^14; but a zip archive that lies in the last file of an
// sdist and could not be compressed further is found by pip too.
func alsoZip(src *source) error {
	tail := make([]byte, min(src.size, endSize+1<<16))
	if _, err := src.ReadAt(tail, src.size-int64(len(tail))); err != nil {
		return err
	}
	for i := bytes.LastIndex(tail, []byte(sigEnd)); i >= 0; i = bytes.LastIndex(tail[:i], []byte(sigEnd)) {
		if len(tail)-i < endSize {
			continue
		}
		at := src.size - int64(len(tail)) + int64(i)
		size, offset := int64(binary.LittleEndian.Uint32(tail[i+12:])), int64(binary.LittleEndian.Uint32(tail[i+16:]))
		var sig [4]byte
		for _, place := range []struct {
			at  int64
			sig string
		}{{offset, sigCentral}, {at - size, sigCentral}, {at - locatorSize, sigLocator64}} {
			n, _ := src.ReadAt(sig[:], place.at)
			if src.err != nil {
				return src.err
			}
			if size == 0 || n == len(sig) && string(sig[:]) == place.sig {
				return refuse("polyglot-zip", "compress it again, or leave out the zip archive that is in it", "it is a gzip file and a zip archive at once, whose end is at byte %d", at)
			}
		}
	}
	return nil
}

// alsoTar refuses a zip archive that a tar reader would open too.
func alsoTar(src *source) error {
	var block [tarBlock]byte
	if src.size < tarBlock {
		return nil
	}
	if _, err := src.ReadAt(block[:], 0); err != nil {
		return err
	}
	if want, ok := octal(block[148:156]); ok && want == checksum(block[:]) {
		return refuse("polyglot-tar", again, "it is a zip archive and a tar archive at once")
	}
	return nil
}
