package npm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a publish's JSON.
const (
	maxKey     = 4 << 10 // bytes of a key
	maxDepth   = 64      // objects and arrays in each other
	maxLiteral = 512     // bytes of a number
)

// scanner reads a JSON text (RFC 8259) value by value, so that one string of
// hundreds of megabytes in it need not be in memory. It knows where it is.
type scanner struct {
	r     *bufio.Reader
	stack []level
	begun bool

	literal string // the last scalar that was no string
}

// level is an open object or array.
type level struct {
	array bool
	key   string // of the value that is being read
	n     int    // values begun
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// path is the key at that depth, or "" outside of objects.
func (s *scanner) path(depth int) string {
	if depth >= len(s.stack) {
		return ""
	}
	return s.stack[depth].key
}

func (s *scanner) depth() int { return len(s.stack) }

var errJSON = errors.New("the body is no JSON")

func badJSON(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errJSON, fmt.Sprintf(format, args...))
}

// next goes to the next value and gives its first character: '"' of a string
// (then the caller reads it), 'v' for another scalar, '{' or '['. It gives 0
// at the end of the text.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.byte()
		if len(s.stack) == 0 && s.begun {
			if err == io.EOF {
				return 0, nil
			}
			if err == nil {
				err = badJSON("there is more after its end")
			}
			return 0, err
		}
		if err != nil {
			return 0, unexpected(err)
		}
		if len(s.stack) == 0 {
			s.begun = true
			return s.value(c)
		}
		top := &s.stack[len(s.stack)-1]
		if end := byte('}'); c == end && !top.array || c == ']' && top.array {
			s.stack = s.stack[:len(s.stack)-1]
			continue
		}
		if top.n++; top.n > 1 {
			if c != ',' {
				return 0, badJSON("%q where a comma was expected", c)
			}
			if c, err = s.byte(); err != nil {
				return 0, unexpected(err)
			}
		}
		if top.array {
			return s.value(c)
		}
		if c != '"' {
			return 0, badJSON("%q where a key was expected", c)
		}
		if top.key, err = s.text(maxKey); err != nil {
			return 0, err
		}
		if c, err = s.byte(); err == nil && c != ':' {
			err = badJSON("%q where a colon was expected", c)
		}
		if err == nil {
			c, err = s.byte()
		}
		if err != nil {
			return 0, unexpected(err)
		}
		return s.value(c)
	}
}

// value begins the value whose first character is c.
func (s *scanner) value(c byte) (byte, error) {
	switch c {
	case '{', '[':
		if len(s.stack) == maxDepth {
			return 0, badJSON("it is more than %d levels deep", maxDepth)
		}
		s.stack = append(s.stack, level{array: c == '['})
		return c, nil
	case '"':
		return c, nil
	}
	literal := []byte{c}
	for {
		c, err := s.r.ReadByte()
		if err != nil && err != io.EOF {
			return 0, err
		}
		if err == io.EOF {
			break
		}
		if space(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '"' {
			if err := s.r.UnreadByte(); err != nil {
				return 0, err
			}
			break
		}
		if literal = append(literal, c); len(literal) > maxLiteral {
			return 0, badJSON("a value is too long")
		}
	}
	if !json.Valid(literal) {
		return 0, badJSON("%.40q is no value", literal)
	}
	s.literal = string(literal)
	return 'v', nil
}

// byte is the next one that is no white space.
func (s *scanner) byte() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil || !space(c) {
			return c, err
		}
	}
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text reads a string of at most that many bytes, whose quote was read.
func (s *scanner) text(most int) (string, error) {
	b, err := io.ReadAll(io.LimitReader(&stringReader{r: s.r}, int64(most)+1))
	if err != nil {
		return "", err
	}
	if len(b) > most {
		return "", badJSON("a key or value has more than %d bytes", most)
	}
	if !utf8.Valid(b) {
		return "", badJSON("a text is not UTF-8")
	}
	return string(b), nil
}

// skip reads a string away.
func (s *scanner) skip() error {
	_, err := io.Copy(io.Discard, &stringReader{r: s.r})
	return err
}

// stringReader reads what a string says, from behind its first quote to its
// last one.
type stringReader struct {
	r    *bufio.Reader
	rest []byte // of a character that was escaped
	done bool
}

func (s *stringReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(s.rest) > 0 {
			k := copy(p[n:], s.rest)
			s.rest, n = s.rest[k:], n+k
			continue
		}
		if s.done {
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		if n > 0 && s.r.Buffered() == 0 {
			return n, nil
		}
		if _, err := s.r.Peek(1); err != nil {
			return n, unexpected(err)
		}
		ahead, _ := s.r.Peek(min(s.r.Buffered(), len(p)-n))
		plain := 0
		for plain < len(ahead) && ahead[plain] != '"' && ahead[plain] != '\\' && ahead[plain] >= ' ' {
			plain++
		}
		copy(p[n:], ahead[:plain])
		n += plain
		if _, err := s.r.Discard(plain); err != nil || plain == len(ahead) {
			continue
		}
		if err := s.special(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// special reads the quote at the end, or an escape.
func (s *stringReader) special() error {
	c, err := s.r.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	switch c {
	case '"':
		s.done = true
		return nil
	case '\\':
	default:
		return badJSON("a control character in a text")
	}
	if c, err = s.r.ReadByte(); err != nil {
		return unexpected(err)
	}
	switch c {
	case '"', '\\', '/':
		s.rest = []byte{c}
	case 'b':
		s.rest = []byte{'\b'}
	case 'f':
		s.rest = []byte{'\f'}
	case 'n':
		s.rest = []byte{'\n'}
	case 'r':
		s.rest = []byte{'\r'}
	case 't':
		s.rest = []byte{'\t'}
	case 'u':
		return s.unicode()
	default:
		return badJSON(`the escape "\%c"`, c)
	}
	return nil
}

// unicode reads the four digits of \uXXXX, and its second half if it has one.
func (s *stringReader) unicode() error {
	first, err := s.hex()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(first) {
		if next, err := s.r.Peek(2); err == nil && string(next) == `\u` {
			if _, err := s.r.Discard(2); err != nil {
				return err
			}
			second, err := s.hex()
			if err != nil {
				return err
			}
			first = utf16.DecodeRune(first, second)
		} else {
			first = utf8.RuneError
		}
	}
	s.rest = utf8.AppendRune(nil, first)
	return nil
}

func (s *stringReader) hex() (rune, error) {
	var digits [4]byte
	if _, err := io.ReadFull(s.r, digits[:]); err != nil {
		return 0, unexpected(err)
	}
	v, err := strconv.ParseUint(string(digits[:]), 16, 32)
	if err != nil {
		return 0, badJSON(`the escape "\u%s"`, digits[:])
	}
	return rune(v), nil
}
