package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
)

// FileSource is a file to publish.
type FileSource struct {
	Name string // the file's own name, without folders
	Size int64  // in bytes; must be what Open gives
	Open func() (io.ReadCloser, error)
}

// FileAt is the file at a path of this machine.
func FileAt(name string) (FileSource, error) {
	info, err := os.Stat(name)
	if err != nil {
		return FileSource{}, err
	}
	if !info.Mode().IsRegular() {
		return FileSource{}, fmt.Errorf("%s is not a regular file", name)
	}
	return FileSource{
		Name: filepath.Base(name),
		Size: info.Size(),
		Open: func() (io.ReadCloser, error) { return os.Open(name) },
	}, nil
}

// Publish publishes a release: its descriptor and the files it brings. The
// name is the plugin's, as the descriptor says it. The files are streamed, not
// held in memory. Publishing the same again gives the same release with
// Created false. progress, if not nil, is told how many of how many bytes have
// been sent; when the upload is tried again it starts again.
func (c *Client) Publish(ctx context.Context, name string, descriptor []byte, files []FileSource, progress func(sent, total int64)) (*Published, error) {
	var to Published
	err := c.json(ctx, request{
		method: http.MethodPost,
		path:   path("plugins", name, "releases"),
		again:  true,
		body: func() (io.ReadCloser, int64, string, error) {
			u, size, contentType, err := newUpload(descriptor, files)
			if err != nil {
				return nil, 0, "", err
			}
			u.progress, u.total = progress, size
			return u, size, contentType, nil
		},
	}, &to)
	if err != nil {
		return nil, err
	}
	return &to, nil
}

// sourceError is an error of the caller's own file, not of the server.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

// upload is a multipart/form-data body (RFC 7578) of known size, read from
// texts in memory and from files that are opened when their turn comes.
type upload struct {
	parts    []part
	current  io.Reader
	left     int64     // bytes of the current file still to come
	file     io.Closer // the open file, if any
	name     string    // of the open file
	sent     int64
	total    int64
	progress func(sent, total int64)
}

type part struct {
	text []byte
	file *FileSource
}

var quote = strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "%0D", "\n", "%0A")

func newUpload(descriptor []byte, files []FileSource) (*upload, int64, string, error) {
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	u := &upload{}
	size := int64(0)
	flush := func() {
		text := bytes.Clone(buffer.Bytes())
		buffer.Reset()
		size += int64(len(text))
		u.parts = append(u.parts, part{text: text})
	}
	header := func(field, filename, contentType string) error {
		_, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, field, quote.Replace(filename))},
			"Content-Type":        {contentType},
		})
		return err
	}
	if err := header("descriptor", "plugin.yaml", "application/yaml"); err != nil {
		return nil, 0, "", err
	}
	buffer.Write(descriptor)
	for _, f := range files {
		if err := header("file", f.Name, "application/octet-stream"); err != nil {
			return nil, 0, "", err
		}
		flush()
		size += f.Size
		u.parts = append(u.parts, part{file: &f})
	}
	if err := form.Close(); err != nil {
		return nil, 0, "", err
	}
	flush()
	return u, size, form.FormDataContentType(), nil
}

func (u *upload) Read(p []byte) (int, error) {
	for {
		if u.current == nil {
			if len(u.parts) == 0 {
				return 0, io.EOF
			}
			next := u.parts[0]
			u.parts = u.parts[1:]
			if next.file == nil {
				u.current, u.left = bytes.NewReader(next.text), int64(len(next.text))
			} else {
				f, err := next.file.Open()
				if err != nil {
					return 0, &sourceError{err}
				}
				u.current, u.file, u.left, u.name = f, f, next.file.Size, next.file.Name
			}
		}
		n, err := u.current.Read(p)
		u.sent += int64(n)
		u.left -= int64(n)
		switch {
		case u.left < 0 || err == io.EOF && u.left > 0:
			return 0, &sourceError{fmt.Errorf("%s changed while it was sent", u.name)}
		case err != nil && err != io.EOF:
			return n, &sourceError{err}
		case err == io.EOF:
			u.current = nil
			if err := u.Close(); err != nil {
				return n, &sourceError{err}
			}
		}
		if n > 0 {
			if u.progress != nil {
				u.progress(u.sent, u.total)
			}
			return n, nil
		}
	}
}

// Close closes the file that is being sent.
func (u *upload) Close() error {
	if u.file == nil {
		return nil
	}
	err := u.file.Close()
	u.file = nil
	return err
}

// Validate asks for every problem of a descriptor; nothing is stored.
func (c *Client) Validate(ctx context.Context, descriptor []byte) (*Validation, error) {
	return sendDescriptor[Validation](ctx, c, descriptor, "validate")
}

// sendDescriptor posts YAML, which does no harm twice.
func sendDescriptor[T any](ctx context.Context, c *Client, descriptor []byte, segments ...string) (*T, error) {
	var to T
	err := c.json(ctx, request{
		method: http.MethodPost, path: path(segments...), again: true,
		body: func() (io.ReadCloser, int64, string, error) {
			return io.NopCloser(bytes.NewReader(descriptor)), int64(len(descriptor)), "application/yaml", nil
		},
	}, &to)
	if err != nil {
		return nil, err
	}
	return &to, nil
}

// write sends a change and decodes the answer.
func write[T any](ctx context.Context, c *Client, method string, body any, segments ...string) (*T, error) {
	var to T
	r := request{method: method, path: path(segments...), again: method != http.MethodPost}
	if body != nil {
		r.body = jsonBody(body)
	}
	if err := c.json(ctx, r, &to); err != nil {
		return nil, err
	}
	return &to, nil
}

// Yank hides a release from everybody who does not ask for its exact version.
func (c *Client) Yank(ctx context.Context, name, version, reason string) (*Release, error) {
	return write[Release](ctx, c, http.MethodPut, Yank{Yanked: true, Reason: reason}, "plugins", name, "releases", version, "yank")
}

// Unyank takes a yank back.
func (c *Client) Unyank(ctx context.Context, name, version string) (*Release, error) {
	return write[Release](ctx, c, http.MethodPut, Yank{}, "plugins", name, "releases", version, "yank")
}

// SetChannel points a channel to a version.
func (c *Client) SetChannel(ctx context.Context, name, channel, version string) (*Plugin, error) {
	if version == "" {
		return nil, errors.New("a channel points to a version: which one?")
	}
	return write[Plugin](ctx, c, http.MethodPut, Channel{Version: version}, "plugins", name, "channels", channel)
}

// RemoveChannel removes a channel.
func (c *Client) RemoveChannel(ctx context.Context, name, channel string) (*Plugin, error) {
	return write[Plugin](ctx, c, http.MethodDelete, nil, "plugins", name, "channels", channel)
}

// SetListing replaces how a plugin as a whole is presented.
func (c *Client) SetListing(ctx context.Context, name string, l Listing) (*Plugin, error) {
	return write[Plugin](ctx, c, http.MethodPut, l, "plugins", name, "listing")
}

// Reindex rebuilds the search index; it returns when the new index serves.
func (c *Client) Reindex(ctx context.Context) (*Status, error) {
	return write[Status](ctx, c, http.MethodPost, nil, "reindex")
}

// Drafts lists the bundles that wait for files.
func (c *Client) Drafts(ctx context.Context) (*List[Draft], error) {
	return get[List[Draft]](ctx, c, path("drafts"), nil)
}

// Draft tells what a bundle has and waits for.
func (c *Client) Draft(ctx context.Context, name, version string) (*Draft, error) {
	return get[Draft](ctx, c, path("drafts", name, version), nil)
}

// PutDraft sends a bundle's descriptor before its files.
func (c *Client) PutDraft(ctx context.Context, descriptor []byte) (*Draft, error) {
	return sendDescriptor[Draft](ctx, c, descriptor, "drafts")
}

// FinishDraft publishes a bundle as it is.
func (c *Client) FinishDraft(ctx context.Context, name, version string) (*Published, error) {
	return write[Published](ctx, c, http.MethodPost, nil, "drafts", name, version, "finish")
}

// DropDraft removes a bundle and its files.
func (c *Client) DropDraft(ctx context.Context, name, version string) (*Draft, error) {
	return write[Draft](ctx, c, http.MethodDelete, nil, "drafts", name, version)
}
