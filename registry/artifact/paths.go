package artifact

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// checkPath says what is wrong with the name of an entry. A folder's name may
// end with a slash.
func checkPath(name string) *Error {
	switch {
	case name == "":
		return refuse("entry-empty-name", again, "an entry has no name")
	case len(name) > MaxPath:
		return refuse("entry-long-name", "shorten it", "the name %.60q... of an entry has %d bytes; at most %d are allowed", name, len(name), MaxPath)
	case !utf8.ValidString(name):
		return refuse("entry-not-utf8", "rename it", "the name %q of an entry is not UTF-8", name)
	case strings.IndexByte(name, 0) >= 0:
		return refuse("entry-nul", again, "the name %q of an entry has a NUL byte, where some programs end it", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuse("entry-control", "rename it", "the name %q of an entry has a control character", name)
	case strings.ContainsFunc(name, turns):
		return refuse("entry-bidi", "rename it", "the name %+q of an entry has a character that turns the direction of text, and so hides what it is", name)
	case strings.IndexByte(name, '\\') >= 0:
		return refuse("entry-backslash", "build it with / between folders", "the name %q of an entry has a backslash, which is a separator on Windows", name)
	case name[0] == '/':
		return refuse("entry-absolute", again, "the name %q of an entry is absolute", name)
	case len(name) > 1 && name[1] == ':' && (name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z':
		return refuse("entry-drive", again, "the name %q of an entry begins with a drive letter", name)
	}
	depth := 0
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		depth++
		switch {
		case part == "..":
			return refuse("entry-outside", again, "the name %q of an entry leads outside the archive", name)
		case part == ".":
			return refuse("entry-dot", again, `the name %q of an entry has a part "."`, name)
		case part == "":
			return refuse("entry-empty-part", again, "the name %q of an entry has an empty part", name)
		case len(part) > MaxName:
			return refuse("entry-long-part", "shorten it", "a part of the name %.60q... of an entry has %d bytes; file systems take at most %d", name, len(part), MaxName)
		case depth > MaxDepth:
			return refuse("entry-depth", "nest it less", "the name %.60q... of an entry has more than %d folders", name, MaxDepth)
		}
	}
	return nil
}

// separates tells the line and paragraph separators of Unicode that are no
// control characters.
func separates(c rune) bool { return c == 0x2028 || c == 0x2029 }

// turns tells the characters of Unicode's Bidi_Control that embed, override or isolate.
func turns(c rune) bool { return c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 }

// namespace knows the names of an archive's entries: by hashes, since 50,000
// long names would be too much memory. The seeds are random for each process, so
// nobody can make names that meet.
type namespace map[uint64]uint64 // hash of the folded name -> hash of the name, the lowest bit telling folders

var foldSeed, exactSeed, secondSeed = maphash.MakeSeed(), maphash.MakeSeed(), maphash.MakeSeed()

// add enters a checked name with its folders.
func (n namespace) add(name string, folder bool) *Error {
	name = strings.TrimSuffix(name, "/")
	if err := n.enter(name, folder, true); err != nil {
		return err
	}
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if err := n.enter(name[:i], true, false); err != nil {
			return err
		}
	}
	return nil
}

func (n namespace) enter(name string, folder, listed bool) *Error {
	key := maphash.String(foldSeed, fold(name))
	value := maphash.String(exactSeed, name) &^ 1
	if folder {
		value |= 1
	}
	was, there := n[key]
	switch {
	case !there:
		if len(n) >= MaxPaths {
			return refuse("bomb-folders", "ship fewer files", "its entries and their folders are more than %d", MaxPaths)
		}
		n[key] = value
	case was == value && folder:
		// A folder may be there as an entry and by the files in it.
	case was == value && listed:
		return refuse("entry-duplicate", again, "two entries have the name %q", name)
	case was&^1 == value&^1:
		return refuse("entry-file-and-folder", again, "%q is both a file and a folder", name)
	default:
		return refuse("entry-case", "rename one of them", "%q and another entry differ only in case or in how their letters are composed, so they are one file on some systems", name)
	}
	return nil
}

// fold gives the form in which case-insensitive file systems compare names.
func fold(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
		}
	}
	return strings.ToLower(name)
}

// nameKey is a name in 16 bytes.
type nameKey [2]uint64

func keyOf(name string) nameKey {
	return nameKey{maphash.String(exactSeed, name), maphash.String(secondSeed, name)}
}

// budget is what a file may decompress to.
type budget struct{ packed, total int64 }

// add counts n more bytes.
func (b *budget) add(n int64) *Error {
	b.total += n
	switch {
	case b.total > MaxUnpacked:
		return refuse("bomb-total", "split it", "it decompresses to more than %d bytes", int64(MaxUnpacked))
	case b.total > FreeUnpacked && b.total/MaxRatio > b.packed:
		return refuse("bomb-ratio", "ship less of what compresses so well", "it decompresses to more than %d times its %d bytes", MaxRatio, b.packed)
	}
	return nil
}
