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
	case strings.ContainsFunc(name, separates):
		return refuse("entry-separator", "rename it", "the name %+q of an entry has a line separator, where readers of RECORD end a line", name)
	case strings.ContainsFunc(name, hides):
		return refuse("entry-invisible", "rename it", "the name %+q of an entry has an invisible character, and so can look like another", name)
	case name[0] == '/':
		return refuse("entry-absolute", again, "the name %q of an entry is absolute", name)
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
		// npm drops the first part of a name, and then a drive letter that is next.
		case len(part) > 1 && part[1] == ':' && (part[0]|0x20) >= 'a' && (part[0]|0x20) <= 'z':
			return refuse("entry-drive", again, "a part of the name %q of an entry begins with a drive letter", name)
		case strings.IndexByte(part, ':') >= 0:
			return refuse("entry-colon", "rename it", "the name %q of an entry has a colon, behind which Windows hides a second content of a file", name)
		case part[len(part)-1] == '.' || part[len(part)-1] == ' ':
			return refuse("entry-trailing", "rename it", "a part of the name %q of an entry ends with a dot or a space, which Windows drops", name)
		case windowsDevice(part):
			return refuse("entry-reserved", "rename it", "a part of the name %q of an entry is that of a device on Windows", name)
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

// turns tells Unicode's Bidi_Control: marks, and what embeds, overrides and isolates.
func turns(c rune) bool {
	return c == 0x061c || c == 0x200e || c == 0x200f || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069
}

// hides tells characters that are not shown. The joiners U+200C and U+200D are
// none of them, since some languages and emoji need them.
func hides(c rune) bool {
	return c == 0x00ad || c == 0x200b || c >= 0x2060 && c <= 0x2064 || c >= 0x206a && c <= 0x206f || c == 0xfeff || c >= 0xe0000 && c <= 0xe007f
}

// windowsDevice tells the names that are devices in every folder, with any ending.
func windowsDevice(part string) bool {
	base, _, _ := strings.Cut(part, ".")
	base = strings.ToLower(strings.TrimRight(base, " "))
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	for _, port := range []string{"com", "lpt"} {
		if n, ok := strings.CutPrefix(base, port); ok && strings.Contains(" 0 1 2 3 4 5 6 7 8 9 \u00b9 \u00b2 \u00b3 ", " "+n+" ") {
			return true
		}
	}
	return false
}

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

// joiners are characters that HFS+ passes over.
var joiners = strings.NewReplacer("\u200c", "", "\u200d", "")

// fold gives the form in which case-insensitive file systems compare names.
func fold(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return joiners.Replace(norm.NFC.String(cases.Fold().String(norm.NFC.String(name))))
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
