package pip

import (
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// apiVersion is that of PEP 792, the newest of those that are followed.
const apiVersion = "1.4"

// The states of a project by PEP 792 that can occur.
const (
	active      = "active"
	quarantined = "quarantined"
)

// project is what a page says, wherever it comes from.
type project struct {
	name     string // normalised
	status   string
	reason   string // of the status
	versions []string
	files    []file
}

// file is one file of a project.
type file struct {
	name, url      string
	sha256         string
	requiresPython string
	yanked         bool
	reason         string    // of the yank
	metadata       string    // sha256 of its metadata file; "": there is none
	size           int64     // 0: the upstream did not tell
	uploaded       time.Time // zero: the upstream did not tell
}

// uploadTime is the form of a time in PEP 700.
const uploadTime = "2006-01-02T15:04:05.000000Z"

type (
	meta struct {
		APIVersion string `json:"api-version"`
	}
	jsonRoot struct {
		Meta     meta        `json:"meta"`
		Projects []jsonNamed `json:"projects"`
	}
	jsonNamed struct {
		Name string `json:"name"`
	}
	jsonProject struct {
		Meta     meta       `json:"meta"`
		Name     string     `json:"name"`
		Status   jsonStatus `json:"project-status"`
		Versions []string   `json:"versions"`
		Files    []jsonFile `json:"files"`
	}
	jsonStatus struct {
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}
	jsonFile struct {
		Filename       string            `json:"filename"`
		URL            string            `json:"url"`
		Hashes         map[string]string `json:"hashes"`
		RequiresPython string            `json:"requires-python,omitempty"`
		Size           int64             `json:"size,omitempty"`
		UploadTime     string            `json:"upload-time,omitempty"`
		Yanked         any               `json:"yanked"`                       // false, true or the reason
		CoreMetadata   any               `json:"core-metadata,omitempty"`      // its hashes
		DistInfo       any               `json:"dist-info-metadata,omitempty"` // the same, for older clients
	}
)

func (p *project) render(f Form) ([]byte, error) {
	if f == JSON {
		return p.json()
	}
	return p.html(), nil
}

func (p *project) json() ([]byte, error) {
	out := jsonProject{
		Meta: meta{apiVersion}, Name: p.name, Status: jsonStatus{p.status, p.reason},
		Versions: p.versions, Files: make([]jsonFile, 0, len(p.files)),
	}
	if out.Versions == nil {
		out.Versions = []string{}
	}
	for i := range p.files {
		f := &p.files[i]
		w := jsonFile{
			Filename: f.name, URL: f.url, Hashes: map[string]string{"sha256": f.sha256},
			RequiresPython: f.requiresPython, Size: f.size, Yanked: f.yanked,
		}
		if f.yanked && f.reason != "" {
			w.Yanked = f.reason
		}
		if !f.uploaded.IsZero() {
			w.UploadTime = f.uploaded.UTC().Format(uploadTime)
		}
		if f.metadata != "" {
			w.CoreMetadata = map[string]string{"sha256": f.metadata}
			w.DistInfo = w.CoreMetadata
		}
		out.Files = append(out.Files, w)
	}
	return json.Marshal(out)
}

func (p *project) html() []byte {
	var b strings.Builder
	begin(&b, "Links for "+p.name, [2]string{"pypi:project-status", p.status}, [2]string{"pypi:project-status-reason", p.reason})
	for i := range p.files {
		f := &p.files[i]
		b.WriteString("<a")
		attribute(&b, "href", f.url+"#sha256="+f.sha256)
		if f.requiresPython != "" {
			attribute(&b, "data-requires-python", f.requiresPython)
		}
		if f.metadata != "" {
			attribute(&b, "data-core-metadata", "sha256="+f.metadata)
			attribute(&b, "data-dist-info-metadata", "sha256="+f.metadata)
		}
		if f.yanked {
			attribute(&b, "data-yanked", f.reason)
		}
		b.WriteString(">" + html.EscapeString(f.name) + "</a><br>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return []byte(b.String())
}

// renderRoot writes the list of all projects.
func renderRoot(names []string, f Form) ([]byte, error) {
	if f == JSON {
		out := jsonRoot{Meta: meta{apiVersion}, Projects: make([]jsonNamed, len(names))}
		for i, name := range names {
			out.Projects[i].Name = name
		}
		return json.Marshal(out)
	}
	var b strings.Builder
	begin(&b, "Simple index")
	for _, name := range names {
		b.WriteString("<a")
		attribute(&b, "href", url.PathEscape(name)+"/")
		b.WriteString(">" + html.EscapeString(name) + "</a><br>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return []byte(b.String()), nil
}

// begin writes the head of a page; empty facts are left out.
func begin(b *strings.Builder, title string, facts ...[2]string) {
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	for _, fact := range append([][2]string{{"pypi:repository-version", apiVersion}}, facts...) {
		if fact[1] == "" {
			continue
		}
		b.WriteString("<meta")
		attribute(b, "name", fact[0])
		attribute(b, "content", fact[1])
		b.WriteString(">\n")
	}
	title = html.EscapeString(title)
	b.WriteString("<title>" + title + "</title>\n</head>\n<body>\n<h1>" + title + "</h1>\n")
}

func attribute(b *strings.Builder, name, value string) {
	b.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
}

// etag is made of the bytes and the form: the two forms of HTML are two
// representations with the same bytes.
func etag(f Form, sum []byte) string {
	return `"` + strconv.Itoa(len(f)) + "-" + encode(sum) + `"`
}
