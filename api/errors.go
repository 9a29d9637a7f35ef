package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"appstore/api/client"
	"appstore/api/pip"
	"appstore/registry"
	"appstore/schema"
	"appstore/search"
)

// Codes of errors that begin here; those of the registry are its own.
const (
	codeQuerySyntax       registry.Code = "query-syntax"
	codeBadCursor         registry.Code = "bad-cursor"
	codeSearchUnavailable registry.Code = "search-unavailable"
	codeUnauthorised      registry.Code = "unauthorised"
	codeUnknownRoute      registry.Code = "unknown-route"
	codeMethodNotAllowed  registry.Code = "method-not-allowed"
	codeBadParameter      registry.Code = "bad-parameter"
	codeBadPath           registry.Code = "bad-path"
	codeBadBody           registry.Code = "bad-body"
	codeIncompleteBody    registry.Code = "incomplete-body"
	codeMediaType         registry.Code = "unsupported-media-type"
	codeNameMismatch      registry.Code = "name-mismatch"
	codeAmbiguousFile     registry.Code = "ambiguous-file"
	codeRange             registry.Code = "range-not-satisfiable"
	codeTimeout           registry.Code = "timeout"
	codeCancelled         registry.Code = "cancelled"
	codeInternal          registry.Code = "internal"
)

// statusCancelled is what the log says of a client that went away; nobody
// receives it.
const statusCancelled = 499

// answers is the one table of what an error is in HTTP.
var answers = map[registry.Code]struct {
	status int
	title  string
	retry  time.Duration // Retry-After; 0: none
}{
	registry.InvalidDescriptor: {http.StatusUnprocessableEntity, "The descriptor is not valid", 0},
	registry.InvalidRequest:    {http.StatusBadRequest, "The request is not valid", 0},
	registry.NotFound:          {http.StatusNotFound, "Not found", 0},
	registry.NameTaken:         {http.StatusConflict, "The name is taken", 0},
	registry.VersionExists:     {http.StatusConflict, "The version exists with other content", 0},
	registry.FileExists:        {http.StatusConflict, "The file exists with other content", 0},
	registry.PackageOwned:      {http.StatusConflict, "The package belongs to another plugin", 0},
	registry.ArtifactInvalid:   {http.StatusUnprocessableEntity, "A file is not what it says", 0},
	registry.ArtifactMismatch:  {http.StatusUnprocessableEntity, "Descriptor and file disagree", 0},
	registry.UnexpectedFile:    {http.StatusUnprocessableEntity, "A file that the descriptor does not name", 0},
	registry.MissingFile:       {http.StatusUnprocessableEntity, "A file is missing", 0},
	registry.NoDescriptor:      {http.StatusUnprocessableEntity, "Nothing says what the file belongs to", 0},
	registry.TooLarge:          {http.StatusRequestEntityTooLarge, "Too large", 0},
	registry.TooMany:           {http.StatusUnprocessableEntity, "Too many", 0},
	registry.Unavailable:       {http.StatusServiceUnavailable, "Storage is not available", 5 * time.Second},
	registry.OutcomeUnknown:    {http.StatusServiceUnavailable, "The outcome is unknown", time.Second},
	registry.Stale:             {http.StatusServiceUnavailable, "This replica is behind", 2 * time.Second},
	registry.ReadOnly:          {http.StatusServiceUnavailable, "This replica can only read", time.Minute},
	registry.SpoolFull:         {http.StatusServiceUnavailable, "Too many uploads at once", 10 * time.Second},
	registry.Damaged:           {http.StatusInternalServerError, "Stored bytes are damaged", 0},

	codeQuerySyntax:       {http.StatusBadRequest, "The query can't be read", 0},
	codeBadCursor:         {http.StatusBadRequest, "The cursor is of another query", 0},
	codeSearchUnavailable: {http.StatusServiceUnavailable, "Search is not available", 5 * time.Second},
	codeUnauthorised:      {http.StatusUnauthorized, "A token is needed", 0},
	codeUnknownRoute:      {http.StatusNotFound, "No such route", 0},
	codeMethodNotAllowed:  {http.StatusMethodNotAllowed, "Method not allowed", 0},
	codeBadParameter:      {http.StatusBadRequest, "A parameter is not valid", 0},
	codeBadPath:           {http.StatusBadRequest, "The path is not valid", 0},
	codeBadBody:           {http.StatusBadRequest, "The body can't be read", 0},
	codeIncompleteBody:    {http.StatusBadRequest, "The body is not complete", 0},
	codeMediaType:         {http.StatusUnsupportedMediaType, "The body is of the wrong type", 0},
	codeNameMismatch:      {http.StatusUnprocessableEntity, "The names differ", 0},
	codeAmbiguousFile:     {http.StatusNotFound, "That is not one file", 0},
	codeRange:             {http.StatusRequestedRangeNotSatisfiable, "The range is outside the file", 0},
	codeTimeout:           {http.StatusServiceUnavailable, "It took too long", 5 * time.Second},
	codeCancelled:         {statusCancelled, "The client went away", 0},
	codeInternal:          {http.StatusInternalServerError, "Internal error", 0},

	pip.NotAcceptable:  {http.StatusNotAcceptable, "There is no such form", 0},
	pip.BadForm:        {http.StatusBadRequest, "The upload is not valid", 0},
	pip.DigestMismatch: {http.StatusBadRequest, "Other bytes came than were sent", 0},
	pip.UpstreamFailed: {http.StatusBadGateway, "The upstream index did not answer", 10 * time.Second},
}

// fail makes an error for the user.
func fail(code registry.Code, fix, format string, args ...any) *registry.Error {
	return &registry.Error{Code: code, Fix: fix, Detail: fmt.Sprintf(format, args...)}
}

// translate makes a *registry.Error of any error. What it does not know is
// internal: the cause goes to the log, the client learns the request id.
func translate(err error) *registry.Error {
	var (
		known   *registry.Error
		body    *bodyError
		tooLong *http.MaxBytesError
		syntax  *search.SyntaxError
		routing *echo.HTTPError
	)
	switch {
	// A broken upload first: it is the cause, whatever was made of it on its way.
	case errors.As(err, &tooLong):
		return fail(registry.TooLarge, "", "the body is over the limit of %d bytes for this route", tooLong.Limit)
	case errors.As(err, &body):
		return fail(codeIncompleteBody, "send it again", "the body ended early: %v", body.err)
	case errors.As(err, &known):
		return known
	case errors.As(err, &syntax):
		e := fail(codeQuerySyntax, syntax.Fix, "column %d: %s", syntax.Pos, syntax.Message)
		e.Problems = schema.Problems{{Pointer: "q", Line: 1, Column: syntax.Pos, Code: string(codeQuerySyntax), Message: syntax.Message, Fix: syntax.Fix}}
		return e
	case errors.Is(err, search.ErrCursor):
		return fail(codeBadCursor, `take "after" from the field "next" of a page of the same query, or leave it out`, "%v", search.ErrCursor)
	case errors.Is(err, search.ErrQuery):
		return fail(codeBadParameter, "", "%v", err)
	case errors.Is(err, search.ErrUnavailable):
		e := fail(codeSearchUnavailable, "plugins can still be fetched by name; search again later", "the search engine does not answer, or refuses to")
		e.Err = err
		return e
	case errors.Is(err, context.Canceled):
		return &registry.Error{Code: codeCancelled, Detail: "the client went away", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &registry.Error{Code: codeTimeout, Detail: "it took too long", Fix: "try again later", Err: err}
	case errors.As(err, &routing) && routing.Code == http.StatusNotFound:
		return fail(codeUnknownRoute, "see /openapi.yaml for the routes", "there is nothing at this address")
	case errors.As(err, &routing) && routing.Code == http.StatusMethodNotAllowed:
		return fail(codeMethodNotAllowed, "the header Allow names those that are", "this address does not take this method")
	default:
		return &registry.Error{Code: codeInternal, Detail: "something went wrong in the server", Fix: "tell the operator the request id", Err: err}
	}
}

// document makes the problem document of an error.
func document(e *registry.Error, requestID string) *client.Error {
	a, ok := answers[e.Code]
	if !ok {
		a = answers[codeInternal]
	}
	p := &client.Error{
		Type: "urn:appstore:problem:" + string(e.Code), Title: a.title, Status: a.status,
		Detail: e.Detail, Code: string(e.Code), Fix: e.Fix, RequestID: requestID, RetryAfter: a.retry,
	}
	for _, one := range e.Problems {
		p.Problems = append(p.Problems, client.Problem(one))
	}
	return p
}
