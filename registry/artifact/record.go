package artifact

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// readRecord takes the hashes of RECORD into the entries. RECORD lists every
// file with its hash, itself and its signatures without (PEP 376, PEP 427).
func (z *zipArchive) readRecord(dir string) error {
	path := dir + "RECORD"
	record := z.find(path)
	if record == nil {
		return refuse("record-missing", again, "it has no %s", path)
	}
	if record.size > MaxRecord {
		return refuse("record-large", "ship fewer files", "%s is larger than %d bytes", path, MaxRecord)
	}
	content, err := z.open(record)
	if err != nil {
		return err
	}
	exempt := []nameKey{keyOf(path), keyOf(path + ".jws"), keyOf(path + ".p7s")}
	for i := range z.entries {
		z.entries[i].exempt = slices.Contains(exempt, z.entries[i].key)
	}
	slices.SortFunc(z.entries, func(a, b zipEntry) int { return compareKeys(a.key, b.key) })
	defer slices.SortFunc(z.entries, func(a, b zipEntry) int { return cmp.Compare(a.offset, b.offset) })

	lines := bufio.NewScanner(content)
	lines.Buffer(make([]byte, 4<<10), MaxLine)
	for lines.Scan() {
		line := lines.Text()
		// pip reads RECORD with splitlines(), which ends lines at these too;
		// base64 passes over a carriage return.
		if strings.ContainsFunc(line, func(c rune) bool { return unicode.IsControl(c) || separates(c) }) {
			return refuse("record-control", again, "%s has a control character or line separator in the line %.200q", path, line)
		}
		if line != "" {
			if err := z.record(line, path, exempt); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return refuse("record-line", again, "%s has a line of more than %d bytes", path, MaxLine)
	} else if err != nil {
		return refuse("record-unreadable", "upload it again", "%s is unreadable", path)
	}
	for i := range z.entries {
		if e := &z.entries[i]; !e.listed && !e.exempt && !e.folder {
			name, err := z.name(e)
			if err != nil {
				return err
			}
			return refuse("record-unlisted", again, "%q is in the archive, but not in %s", name, path)
		}
	}
	return nil
}

func compareKeys(a, b nameKey) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

// record takes one line: path,sha256=digest,size.
func (z *zipArchive) record(line, path string, exempt []nameKey) error {
	fields := strings.Split(line, ",")
	if strings.IndexByte(line, '"') >= 0 || len(fields) != 3 {
		var err error
		if fields, err = csv.NewReader(strings.NewReader(line)).Read(); err != nil || len(fields) != 3 {
			return refuse("record-syntax", again, "%s has the line %.200q, which is not path,hash,size", path, line)
		}
	}
	name, hash, size := fields[0], fields[1], fields[2]
	key := keyOf(name)
	if slices.Contains(exempt, key) {
		if hash != "" && name == path {
			return refuse("record-itself", again, "%s says a hash of itself, which can't be", path)
		}
		return nil
	}
	i, ok := slices.BinarySearchFunc(z.entries, key, func(e zipEntry, k nameKey) int { return compareKeys(e.key, k) })
	if !ok {
		return refuse("record-absent", again, "%s lists %q, which is not in the archive", path, name)
	}
	e := &z.entries[i]
	if e.listed {
		return refuse("record-twice", again, "%s lists %q twice", path, name)
	}
	e.listed = true
	algorithm, text, _ := strings.Cut(hash, "=")
	if algorithm == "" {
		if e.folder {
			return nil
		}
		return refuse("record-no-hash", again, "%s lists %q without a hash", path, name)
	}
	if algorithm != "sha256" {
		return refuse("record-algorithm", "build it with sha256, as every current tool does", "%s has a hash of %q by %.20q", path, name, algorithm)
	}
	digest, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || copy(e.digest[:], digest) != len(e.digest) || len(digest) != len(e.digest) {
		return refuse("record-digest", again, "%s has no valid sha256 of %q", path, name)
	}
	if n, err := strconv.ParseInt(size, 10, 64); size != "" && (err != nil || n != int64(e.size)) {
		return refuse("record-size", again, "%s says that %q has %.20q bytes; it has %d", path, name, size, e.size)
	}
	return nil
}

// recorded compares a file's sha256 with RECORD's.
func (z *zipArchive) recorded(e *zipEntry, sum [32]byte) error {
	if e.exempt || e.folder || sum == e.digest {
		return nil
	}
	name, err := z.name(e)
	if err != nil {
		return err
	}
	return refuse("record-mismatch", again, "%q is not what RECORD says: its sha256 differs", name)
}
