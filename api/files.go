package api

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"appstore/registry"
	"appstore/schema"
	"appstore/storage"
)

// leastRate is the slowest pace at which a client may take a file, in bytes a
// second: a connection that takes nothing is not kept for ever.
const leastRate = 8 << 10

// file answers GET .../releases/{ref}/files/{file}: whole or one range of it.
func (s *server) file(c echo.Context) error {
	r, exact, err := s.found(c)
	if err != nil {
		return err
	}
	name, err := param(c, "file")
	if err != nil {
		return err
	}
	f, err := fileOf(r, name)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	uploaded(c, f.Name)
	tag := `"` + f.SHA256 + `"`
	h.Set("Etag", tag)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Location", s.wireFile(r, f).URL)
	if sum, err := hex.DecodeString(f.SHA256); err == nil {
		// RFC 9530: of the whole file, also when a part is sent.
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	}
	h.Set("Cache-Control", revalidate)
	if exact && f.Name == name {
		h.Set("Cache-Control", immutable)
	}
	req := c.Request()
	if noneMatch(req.Header.Get("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	part, status := storage.Read{}, http.StatusOK
	size := f.Size
	// RFC 9110, section 14.2: Range is for GET alone.
	if want := req.Header.Get("Range"); want != "" && req.Method == http.MethodGet && ifRange(req.Header.Get("If-Range"), tag) {
		first, length, ok := parseRange(want, f.Size)
		if !ok {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", f.Size))
			h.Set("Cache-Control", noStore)
			return fail(codeRange, "ask for bytes=FIRST-LAST within it, or for the whole", "%.60q is no range of %s, which has %d bytes", want, f.Name, f.Size)
		}
		if length >= 0 {
			part, status, size = storage.Read{Offset: first, Length: length}, http.StatusPartialContent, length
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+length-1, f.Size))
		}
	}
	var reader io.ReadCloser
	if req.Method != http.MethodHead {
		if reader, err = s.Registry.OpenFile(req.Context(), *f, part); err != nil {
			h.Del("Content-Range")
			return err
		}
		defer reader.Close()
	}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	sendDeadline(c, size)
	c.Response().WriteHeader(status)
	if reader == nil {
		return nil
	}
	// Echo's Response hides ReadFrom; the writer below it has it, and sends a
	// file of the disk without copying it through memory (sendfile).
	n, err := io.Copy(c.Response().Writer, reader)
	c.Response().Size += n
	if err == nil && n != size {
		err = fail(registry.Damaged, "", "%s of %s %s has %d bytes in storage where %d were promised", f.Name, r.Plugin, r.Descriptor.Version, n, size)
	}
	if err != nil && req.Context().Err() != nil {
		return req.Context().Err()
	}
	// What was broken off, or taken in parts, counts with its last byte.
	if err == nil && part.Offset+n == f.Size && f.Kind != registry.CoreMetadata {
		s.Registry.CountDownload(r.Plugin, r.Descriptor.Version, clientKind(req.UserAgent()))
	}
	return err
}

// clientKinds tell kinds of clients by how their User-Agent begins.
var clientKinds = []struct{ begins, kind string }{
	{"pip/", "pip"},
	{"uv/", "pip"},
	{"poetry/", "pip"},
	{"pdm/", "pip"},
	{"npm/", "npm"},
	{"pnpm/", "npm"},
	{"yarn/", "npm"},
	{"Bun/", "npm"},
	{"cloudlaunch", "cloudlaunch"},
	{"appstore-cloudlaunch", "cloudlaunch"},
	{"appstore/", "appstore"},
	{"Mozilla/", "browser"},
}

func clientKind(agent string) string {
	for _, k := range clientKinds {
		if strings.HasPrefix(agent, k.begins) {
			return k.kind
		}
	}
	return "other"
}

// sendDeadline gives the client the time that size bytes take at leastRate.
func sendDeadline(c echo.Context, size int64) {
	most := time.Minute + time.Duration(size/leastRate)*time.Second
	// Without a deadline (a writer that has none) it is only less strict.
	_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(most))
}

// uploaded marks bytes that a publisher made: a browser must store them, not
// show them, nor run what is in them.
func uploaded(c echo.Context, name string) {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// fileOf finds a file of a release by its name, or by "backend" or "frontend"
// where that names one; a single wheel goes before the sdist it is built from.
func fileOf(r *registry.Release, name string) (*registry.File, error) {
	all := slices.Concat(r.Files, r.Uses)
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
		if m := all[i].Metadata; m != nil && m.Name == name {
			return m, nil // PEP 658
		}
	}
	if name != "backend" && name != "frontend" {
		fix := "it has " + strings.Join(fileNames(all), ", ")
		if len(all) == 0 {
			fix = "it has no files: its code comes with the host"
		}
		return nil, fail(registry.NotFound, fix, "%s %s has no file %.80q", r.Plugin, r.Descriptor.Version, name)
	}
	var packages []schema.Package
	for _, i := range r.Descriptor.Interfaces {
		part := i.Backend
		if name == "frontend" {
			part = i.Frontend
		}
		if part != nil && part.Name != "" && !slices.ContainsFunc(packages, func(p schema.Package) bool { return p.Name == part.Name }) {
			packages = append(packages, part.Package)
		}
	}
	var candidates []registry.File
	for _, f := range all {
		if slices.ContainsFunc(packages, func(p schema.Package) bool {
			return p.Ecosystem == f.Package.Ecosystem &&
				schema.NormalisePackage(p.Ecosystem, p.Name) == schema.NormalisePackage(p.Ecosystem, f.Package.Name)
		}) {
			candidates = append(candidates, f)
		}
	}
	wheels := slices.Clone(candidates)
	wheels = slices.DeleteFunc(wheels, func(f registry.File) bool { return f.Kind != registry.Wheel })
	if len(wheels) == 1 {
		candidates = wheels
	}
	switch len(candidates) {
	case 0:
		return nil, fail(registry.NotFound, "its code comes with the host, or the host gets it from its own index", "%s %s has no %s file", r.Plugin, r.Descriptor.Version, name)
	case 1:
		return &candidates[0], nil
	default:
		return nil, fail(codeAmbiguousFile, "ask for one by its name: "+strings.Join(fileNames(candidates), ", "),
			"%s %s has %d %s files", r.Plugin, r.Descriptor.Version, len(candidates), name)
	}
}

func fileNames(files []registry.File) []string {
	names := make([]string, len(files))
	for i := range files {
		names[i] = files[i].Name
	}
	return names
}

// ifRange tells whether a range may be answered: always without the header,
// else when the client has a part of these very bytes. A date never matches,
// as no Last-Modified is sent.
func ifRange(header, tag string) bool { return header == "" || header == tag }

// parseRange reads one range of bytes (RFC 9110, section 14.1.2). A length of
// -1 means the whole file: another unit, or several ranges, which a server may
// ignore.
func parseRange(header string, size int64) (first, length int64, ok bool) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	if !isBytes || strings.Contains(spec, ",") {
		return 0, -1, true
	}
	from, to, found := strings.Cut(strings.TrimSpace(spec), "-")
	if !found {
		return 0, 0, false
	}
	if from == "" { // the last n bytes
		n, err := strconv.ParseUint(to, 10, 63)
		if err != nil || n == 0 || size == 0 {
			return 0, 0, false
		}
		length = min(int64(n), size)
		return size - length, length, true
	}
	start, err := strconv.ParseUint(from, 10, 63)
	if err != nil || int64(start) >= size {
		return 0, 0, false
	}
	last := size - 1
	if to != "" {
		n, err := strconv.ParseUint(to, 10, 63)
		if err != nil || n < start {
			return 0, 0, false
		}
		last = min(last, int64(n))
	}
	return int64(start), last - int64(start) + 1, true
}
