package client

import (
	"encoding/json"
	"time"

	"appstore/schema"
)

// List is the form of every list answer.
type List[T any] struct {
	Items  []T                `json:"items"`
	Total  int                `json:"total"`            // all items, not only this page's
	Next   string             `json:"next,omitempty"`   // cursor for the parameter "after"; "" at the end
	Facets map[string][]Count `json:"facets,omitempty"` // of a search: by field, counted under all filters
}

// Count is one value of a facet field.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Hit is one plugin found by a search.
type Hit struct {
	ID         string                `json:"id"`   // the normalised name: the identity
	Name       string                `json:"name"` // as published
	Title      string                `json:"title"`
	Summary    string                `json:"summary"`
	Version    string                `json:"version"` // the one that no ref means
	Label      string                `json:"label,omitempty"`
	Icon       string                `json:"icon,omitempty"`
	Maintainer string                `json:"maintainer,omitempty"`
	Categories []string              `json:"categories"`
	Tags       []string              `json:"tags"`
	Interfaces []string              `json:"interfaces"`
	Trust      string                `json:"trust"`
	Status     string                `json:"status,omitempty"`
	Downloads  uint64                `json:"downloads"`
	Updated    time.Time             `json:"updated"`
	Score      float64               `json:"score"`
	Highlights map[string][]Fragment `json:"highlights,omitempty"` // by field: name, title, summary, description
	Explain    []Reason              `json:"explain,omitempty"`    // only when asked for
	URL        string                `json:"url"`                  // of the plugin in this API
	Page       string                `json:"page"`                 // of the plugin for people
}

// Fragment is a piece of highlighted text. It is plain text, never HTML.
type Fragment struct {
	Text  string `json:"text"`
	Match bool   `json:"match"`
}

// Reason says what one field or signal contributed to a score.
type Reason struct {
	Source string  `json:"source"`
	Term   string  `json:"term,omitempty"`
	Match  string  `json:"match,omitempty"` // how the term matched: exact, synonym, prefix, typo, whole, start
	Value  float64 `json:"value"`
}

// Suggestion completes what somebody types.
type Suggestion struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title"`
	URL   string `json:"url"`
	Page  string `json:"page"`
}

// Plugin is a name with its releases.
type Plugin struct {
	ID       string            `json:"id"`   // the normalised name: the identity
	Name     string            `json:"name"` // as first published
	Title    string            `json:"title"`
	Summary  string            `json:"summary"`
	Icon     string            `json:"icon,omitempty"`
	Status   string            `json:"status"` // LIVE, DEV or CERTIFICATION
	Trust    string            `json:"trust"`
	Channels map[string]string `json:"channels"` // channel: version
	Latest   string            `json:"latest,omitempty"`
	Default  string            `json:"default,omitempty"` // the version that no ref means; "" if none is live
	Created  time.Time         `json:"created"`
	Updated  time.Time         `json:"updated"`
	Position uint64            `json:"position"` // of the journal entry that changed it last
	Listing  Listing           `json:"listing"`  // as it was set

	Downloads Downloads `json:"downloads"`

	Release  *Release         `json:"release,omitempty"` // the one that no ref means, in full
	Releases []ReleaseSummary `json:"releases"`          // the newest 50
	Total    int              `json:"total"`             // all releases
	Next     string           `json:"next,omitempty"`    // cursor for the list of releases; "" if these are all
	URL      string           `json:"url"`
	Page     string           `json:"page"`
}

// Downloads are counted for each file served; all replicas' counts are a
// minute old at most.
type Downloads struct {
	Total    uint64            `json:"total"`
	Releases map[string]uint64 `json:"releases,omitempty"` // by version
	Clients  map[string]uint64 `json:"clients,omitempty"`  // by kind: pip, npm, cloudlaunch, appstore, browser, other
}

// Listing is how a plugin as a whole is presented, whichever release is looked
// at. An empty field leaves the word to the release.
type Listing struct {
	Title   string          `json:"title,omitempty"`
	Summary string          `json:"summary,omitempty"`
	Icon    string          `json:"icon,omitempty"`
	Status  string          `json:"status,omitempty"`
	Order   int             `json:"order,omitempty"`
	Labels  []string        `json:"labels,omitempty"`
	Source  json.RawMessage `json:"source,omitempty"` // an object that an import keeps of the catalogue it came from
}

// ReleaseSummary is a release in a list.
type ReleaseSummary struct {
	Version   string    `json:"version"`
	Label     string    `json:"label,omitempty"`
	Summary   string    `json:"summary,omitempty"`
	Published time.Time `json:"published"`
	State     string    `json:"state"` // "live" or "yanked"
	Reason    string    `json:"reason,omitempty"`
	Channels  []string  `json:"channels,omitempty"` // that point to it
	Files     int       `json:"files"`
	Size      int64     `json:"size"`   // of all files, in bytes
	Digest    string    `json:"digest"` // of the release
	URL       string    `json:"url"`
}

// Release is one immutable name@version; only State and Reason ever change.
type Release struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"` // as published
	Version    string            `json:"version"`
	Label      string            `json:"label,omitempty"`
	Digest     string            `json:"digest"` // sha256 over the sorted digests of descriptor and files, in hex
	Published  time.Time         `json:"published"`
	By         string            `json:"by,omitempty"`
	State      string            `json:"state"` // "live" or "yanked"
	Reason     string            `json:"reason,omitempty"`
	Position   uint64            `json:"position"`   // of the journal entry that released it
	Descriptor schema.Descriptor `json:"descriptor"` // in one form; its default_config is only in Source
	Source     File              `json:"source"`     // the descriptor as published
	Files      []File            `json:"files"`
	Uses       []File            `json:"uses,omitempty"` // files of stored packages that it names and other releases brought
	URL        string            `json:"url"`
	Page       string            `json:"page"`
}

// Yanked tells whether the release was yanked: it is found by its exact
// version only.
func (r *Release) Yanked() bool { return r.State == "yanked" }

// File is one file of a release, or its descriptor. Digests are in lower-case
// hex.
type File struct {
	Name           string `json:"name"`
	Kind           string `json:"kind,omitempty"` // "wheel", "sdist" or "npm"; "" for the descriptor
	Ecosystem      string `json:"ecosystem,omitempty"`
	Package        string `json:"package,omitempty"`
	Version        string `json:"version,omitempty"` // of the package
	RequiresPython string `json:"requires_python,omitempty"`

	Dependencies   []string `json:"dependencies,omitempty"`    // of a wheel or sdist: its Requires-Dist lines
	InstallScripts []string `json:"install_scripts,omitempty"` // of an npm tarball: what npm would run
	Methods        []string `json:"methods,omitempty"`         // of CloudLaunch's AppPlugin, that its back-end components define

	Size   int64  `json:"size"` // in bytes
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512,omitempty"`
	SHA1   string `json:"sha1,omitempty"`
	URL    string `json:"url,omitempty"` // "" in a draft
}

// Draft is a bundle that comes in several requests and is not published yet.
type Draft struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Files   []File    `json:"files"`   // that have come
	Missing []Package `json:"missing"` // of which no file has come yet
	Updated time.Time `json:"updated"`
}

// Package is one that a descriptor names.
type Package struct {
	Ecosystem string `json:"ecosystem"` // "pypi" or "npm"
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"` // "": the one that its files say
}

// Published is the answer to a publish: the release, and what became of it.
type Published struct {
	Release
	Created    bool `json:"created"`    // false: the same release was there already
	Searchable bool `json:"searchable"` // false: published, but the search index has yet to catch up
}

// Validation is the answer about a descriptor that was not stored.
type Validation struct {
	Valid      bool               `json:"valid"`
	Problems   []Problem          `json:"problems"`
	Descriptor *schema.Descriptor `json:"descriptor,omitempty"` // if valid: as the AppStore understands it
}

// Problem is one mistake in a descriptor, or one place of a bad request.
type Problem struct {
	Pointer string `json:"pointer"`          // JSON Pointer (RFC 6901) into the descriptor, or the parameter's name
	Line    int    `json:"line,omitempty"`   // counted from 1; 0: unknown
	Column  int    `json:"column,omitempty"` // counted from 1; 0: unknown
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// Yank is the body that yanks a release or takes that back.
type Yank struct {
	Yanked bool   `json:"yanked"`
	Reason string `json:"reason,omitempty"`
}

// Channel is the body that sets a channel.
type Channel struct {
	Version string `json:"version"`
}

// Ref names one release: a plugin and a version, a channel or a range. No ref
// means the channel "stable" if it is set, else the latest release.
type Ref struct {
	Name string `json:"name"`
	Ref  string `json:"ref,omitempty"`
}

// Refs is the body of a request that resolves many refs at once.
type Refs struct {
	Refs []Ref `json:"refs"` // 1 to 100
}

// Resolved is the answer to one Ref: a release or an error.
type Resolved struct {
	Ref
	Release *Release `json:"release,omitempty"`
	Problem *Error   `json:"problem,omitempty"`
}

// Event is one change, as the public journal tells it.
type Event struct {
	Position uint64          `json:"position"`
	Time     time.Time       `json:"time"`
	Kind     string          `json:"kind"`
	Plugin   string          `json:"plugin,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// Events is one page of the journal. Next is always set: asking for what is
// after it later gives what has happened since.
type Events struct {
	Items []Event `json:"items"`
	Next  uint64  `json:"next"`
}

// Status says how the server is.
type Status struct {
	Version       string  `json:"version"`               // of the program
	Store         string  `json:"store"`                 // random id of the store
	Position      uint64  `json:"position"`              // of the catalogue
	Head          string  `json:"head"`                  // sha256 of the entry at Position
	Behind        float64 `json:"behind"`                // seconds since the journal was last read to its end
	ReadOnly      string  `json:"read_only,omitempty"`   // why the replica only reads; "" if it writes
	IndexPosition uint64  `json:"index_position"`        // of the search index
	IndexDocs     int     `json:"index_docs"`            // plugins in it
	IndexError    string  `json:"index_error,omitempty"` // why it does not answer; "" while it does
	Plugins       int     `json:"plugins"`
	Releases      int     `json:"releases"`
}
