package artifact

import (
	"errors"
	"fmt"
	"strings"
)

// Verdict is the outcome of a check.
type Verdict string

// The verdicts. Unknown is of [FindClass] and [FindExport] only, which look for
// what a file need not show.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Errored Verdict = "error" // the file could not be read
	NotRun  Verdict = "not-run"
	Unknown Verdict = "unknown"
)

// Check is one check of a file and its outcome. Every check that [Info] lists
// is required: a file is accepted when all of them passed.
type Check struct {
	ID      string  `json:"id"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"`
}

// The ids of the checks.
const (
	CheckFileName = "file-name" // the name has the grammar of its kind
	CheckArchive  = "archive"   // one well-formed archive, and nothing before, between or after
	CheckEntries  = "entries"   // every name stays inside and is the only one of its kind; no links, no devices
	CheckLimits   = "limits"    // no bomb
	CheckContents = "contents"  // every byte decompressed; sizes and checksums agree
	CheckMetadata = "metadata"  // METADATA, PKG-INFO or package.json
	CheckAgrees   = "agreement" // file name and metadata say the same
	CheckWheel    = "wheel"     // WHEEL is there, and its tags are those of the file name
	CheckRecord   = "record"    // RECORD lists every file and no other, with its sha256
	CheckScripts  = "install-scripts"
)

// required has the checks of each kind, in the order they are reported.
var required = map[string][]string{
	"":    {CheckFileName},
	Wheel: {CheckFileName, CheckArchive, CheckEntries, CheckLimits, CheckContents, CheckMetadata, CheckAgrees, CheckWheel, CheckRecord},
	Sdist: {CheckFileName, CheckArchive, CheckEntries, CheckLimits, CheckContents, CheckMetadata, CheckAgrees},
	NPM:   {CheckFileName, CheckArchive, CheckEntries, CheckLimits, CheckContents, CheckMetadata, CheckScripts},
}

// checkOf gives the check that an error's code belongs to, by its first word.
func checkOf(code string) string {
	word, _, _ := strings.Cut(code, "-")
	switch word {
	case "name":
		return CheckFileName
	case "entry":
		return CheckEntries
	case "bomb":
		return CheckLimits
	case "content":
		return CheckContents
	case "metadata":
		return CheckMetadata
	case "agree":
		return CheckAgrees
	case "wheel":
		return CheckWheel
	case "record":
		return CheckRecord
	case "script":
		return CheckScripts
	}
	return CheckArchive // zip, gzip, tar, polyglot
}

type report struct{ checks []Check }

func newReport(kind string) *report {
	r := &report{}
	for _, id := range required[kind] {
		r.checks = append(r.checks, Check{ID: id, Verdict: NotRun})
	}
	return r
}

func (r *report) set(id string, v Verdict, detail string) {
	for i := range r.checks {
		if r.checks[i].ID == id {
			r.checks[i].Verdict, r.checks[i].Detail = v, detail
		}
	}
}

func (r *report) pass(ids ...string) {
	for _, id := range ids {
		r.set(id, Pass, "")
	}
}

func (r *report) detail(id, format string, args ...any) {
	r.set(id, Pass, fmt.Sprintf(format, args...))
}

// close enters err, and makes one of a check that did not pass: a check that
// was forgotten refuses the file.
func (r *report) close(err error) error {
	var bad *Error
	switch {
	case errors.As(err, &bad):
		r.set(checkOf(bad.Code), Fail, bad.Message)
		return bad
	case err != nil:
		for i := range r.checks {
			if r.checks[i].Verdict == NotRun {
				r.checks[i].Verdict, r.checks[i].Detail = Errored, err.Error()
				break
			}
		}
		return err
	}
	for _, c := range r.checks {
		if c.Verdict != Pass {
			return refuse("not-run-"+c.ID, "tell the operator", "the check %q did not pass: %s", c.ID, c.Verdict)
		}
	}
	return nil
}
