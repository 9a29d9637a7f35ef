package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"appstore/registry"
)

// Limits of bodies, in bytes.
const (
	maxDescriptor = 1 << 20                    // as schema has it
	maxJSON       = 1 << 20                    // a listing with its source
	maxPublish    = registry.MaxUpload + 4<<20 // with the descriptor and the multipart headers
)

// bodyPause is how long a body may stand still before the connection is given
// up. A variable for its test alone.
var bodyPause = time.Minute

// bodyError says that the client's body broke off.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// body is a request's body, bounded in bytes and in time. Its errors are the
// client's: *http.MaxBytesError or *bodyError.
type body struct {
	r       io.Reader
	control *http.ResponseController
	next    time.Time // when the deadline is to be moved again
}

func bodyOf(c echo.Context, limit int64) (*body, error) {
	r := c.Request()
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	w := c.Response().Writer
	return &body{r: http.MaxBytesReader(w, r.Body, limit), control: http.NewResponseController(w)}, nil
}

func (b *body) Read(p []byte) (int, error) {
	if now := time.Now(); now.After(b.next) {
		// Where the connection has no deadlines there is nothing to move.
		_ = b.control.SetReadDeadline(now.Add(bodyPause))
		b.next = now.Add(bodyPause / 10)
	}
	n, err := b.r.Read(p)
	if err != nil {
		// What follows the body (storing it, say) may take longer than a pause in
		// it: a deadline that stays would end the request.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	if err != nil && err != io.EOF {
		if tooLong := (*http.MaxBytesError)(nil); !errors.As(err, &tooLong) {
			err = &bodyError{err}
		}
	}
	return n, err
}

// readJSON decodes a small JSON body into to; a key that is not known is an
// error.
func readJSON(c echo.Context, to any) error {
	if err := mustBe(c, "application/json"); err != nil {
		return err
	}
	text, err := readAll(c, maxJSON)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(to)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = errors.New("there is more after the JSON value")
		}
	}
	if err != nil {
		place := ""
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			line := 1 + bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n"))
			place = fmt.Sprintf(" near line %d", line)
		}
		return fail(codeBadBody, "see /openapi.yaml for its shape", "the body is not the JSON that this route takes%s: %v", place, err)
	}
	return nil
}

func readAll(c echo.Context, limit int64) ([]byte, error) {
	b, err := bodyOf(c, limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

// mustBe checks the media type of the body.
func mustBe(c echo.Context, allowed ...string) error {
	given := c.Request().Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(given)
	for _, one := range allowed {
		if err == nil && media == one {
			return nil
		}
	}
	return fail(codeMediaType, "send the header Content-Type: "+allowed[0], "the body is %.80q", given)
}
