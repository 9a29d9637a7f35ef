package registry

import (
	"encoding/json"
	"fmt"
	"time"

	"appstore/schema"
)

// Limits of the registry.
const (
	MaxReleases = 5000    // of one plugin
	MaxFiles    = 100     // of one release
	MaxChannels = 50      // of one plugin
	MaxFile     = 2 << 30 // bytes of one file
	MaxUpload   = 4 << 30 // bytes of one publish, all files together
	MaxReason   = 500     // runes of a yank's reason
	MaxPage     = 100     // releases in one page
)

// State is what a release is to its readers.
type State string

// The states of a release. Live and yanked ones are visible to everybody; a
// yanked one is found by its exact version only.
const (
	Submitted   State = "submitted"
	Live        State = "live"
	Yanked      State = "yanked"
	Quarantined State = "quarantined"
	Withdrawn   State = "withdrawn"
)

// Audience is who reads.
type Audience int

// The audiences, each sees what those before it see.
const (
	Public Audience = iota
	Moderator
)

// Kinds of files.
const (
	Wheel        = "wheel"
	Sdist        = "sdist"
	NPMTarball   = "npm"
	CoreMetadata = "metadata" // a wheel's METADATA, stored beside it
)

// File is one stored file of a release, or its descriptor.
type File struct {
	Name    string         `json:"name"` // the file's own name: "kube-1.0.0-py3-none-any.whl"
	Kind    string         `json:"kind"` // Wheel, Sdist, NPMTarball or CoreMetadata; "" for the descriptor
	Package schema.Package `json:"package,omitzero"`
	Key     string         `json:"key"` // in the store
	Size    int64          `json:"size"`
	SHA256  string         `json:"sha256"` // digests in lower-case hex
	SHA512  string         `json:"sha512"`
	SHA1    string         `json:"sha1"`

	RequiresPython string          `json:"requires_python,omitempty"` // of a wheel or sdist, as it says
	Manifest       json.RawMessage `json:"manifest,omitempty"`        // of an npm tarball: the abbreviated package.json
	Dependencies   []string        `json:"dependencies,omitempty"`    // of a wheel or sdist: its Requires-Dist lines
	InstallScripts []string        `json:"install_scripts,omitempty"` // of an npm tarball: what npm would run
	Methods        []string        `json:"methods,omitempty"`         // of CloudLaunch's AppPlugin, that its back-end components define
	Metadata       *File           `json:"metadata,omitempty"`        // of a wheel: its METADATA, stored beside
}

// Release is one immutable name@version.
type Release struct {
	Plugin     string            `json:"plugin"`     // normalised name
	Descriptor schema.Descriptor `json:"descriptor"` // without DefaultConfig, which only the file has
	Source     File              `json:"source"`     // the descriptor as published
	Files      []File            `json:"files,omitempty"`
	Uses       []File            `json:"uses,omitempty"` // files of other releases' packages, as stored when this was published
	Digest     string            `json:"digest"`         // sha256 over the sorted descriptor digest and file digests, in hex
	Published  time.Time         `json:"published"`
	By         string            `json:"by,omitempty"`

	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"` // of a yank
	Position uint64 `json:"position"`         // of the entry that released it
}

// Listing is how the plugin as a whole is presented, whichever release is
// looked at. An empty field leaves the word to the release.
type Listing struct {
	Title   string   `json:"title,omitempty"`
	Summary string   `json:"summary,omitempty"`
	Icon    string   `json:"icon,omitempty"`
	Status  string   `json:"status,omitempty"` // LIVE, DEV or CERTIFICATION; "" counts as LIVE; hides nothing
	Order   int      `json:"order,omitempty"`  // of CloudLaunch's catalogue page; 0 is unset
	Labels  []string `json:"labels,omitempty"` // release lines in the order they are shown
	// Source is what an import keeps of the catalogue it came from, so that an
	// export can give it back; an object.
	Source json.RawMessage `json:"source,omitempty"`
}

// Plugin is a name with its releases.
type Plugin struct {
	Name     string            `json:"name"`     // normalised: the identity
	Spelling string            `json:"spelling"` // as first published
	Channels map[string]string `json:"channels,omitempty"`
	Listing  Listing           `json:"listing,omitzero"`
	Trust    string            `json:"trust"` // "untrusted" until reviewed
	Created  time.Time         `json:"created"`
	Updated  time.Time         `json:"updated"`
	Position uint64            `json:"position"` // of the last entry that changed it
	Releases int               `json:"releases"` // all of them
	Live     int               `json:"live"`
	Latest   string            `json:"latest,omitempty"`  // highest live version that is no pre-release, or highest of all live ones; "" if none is live
	Default  string            `json:"default,omitempty"` // what no ref means: channel stable if set and live, else Latest

	history uint64 // of the catalogue that it was read from
}

// Untrusted is the trust of every plugin until somebody reviews it.
const Untrusted = "untrusted"

// Code is the stable name of what went wrong, the same in every answer.
type Code string

// The codes of an [Error].
const (
	InvalidDescriptor Code = "invalid-descriptor" // Problems tells all
	InvalidRequest    Code = "invalid-request"
	NotFound          Code = "not-found"
	NameTaken         Code = "name-taken"        // the name in another spelling, or one that looks the same
	VersionExists     Code = "version-exists"    // with other bytes
	FileExists        Code = "file-exists"       // the package file's name with other bytes
	PackageOwned      Code = "package-owned"     // by another plugin
	ArtifactInvalid   Code = "artifact-invalid"  // a file that is not what it says
	ArtifactMismatch  Code = "artifact-mismatch" // descriptor and file disagree
	UnexpectedFile    Code = "unexpected-file"   // that nothing in the descriptor names
	MissingFile       Code = "missing-file"      // that the descriptor names
	NoDescriptor      Code = "no-descriptor"     // a file that came alone, and nothing says what it belongs to
	TooLarge          Code = "too-large"
	TooMany           Code = "too-many"        // releases, files
	Unavailable       Code = "unavailable"     // storage; nothing happened
	OutcomeUnknown    Code = "outcome-unknown" // the storage did not answer; the same request again is safe
	Stale             Code = "stale"           // the journal can't be read for too long to answer movable things
	ReadOnly          Code = "read-only"       // the journal has entries of a newer program
	SpoolFull         Code = "spool-full"      // too many uploads at once
	Damaged           Code = "damaged"         // stored bytes differ from their digest, or are gone
)

// Error is an error whose text is for the user. The API maps Code to a status.
type Error struct {
	Code     Code
	Detail   string // what is wrong, and where
	Fix      string // what to do about it; "" if nothing can be said
	Problems schema.Problems
	Err      error // the cause, for the log; not for the user
}

func (e *Error) Error() string {
	s := e.Detail
	if e.Fix != "" {
		s += " (" + e.Fix + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func fail(code Code, fix, format string, args ...any) *Error {
	return &Error{Code: code, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

// visible is the one place that decides whether a reader sees a release.
func visible(r *Release, to Audience) bool {
	switch r.State {
	case Live, Yanked:
		return true
	default:
		return to >= Moderator
	}
}
