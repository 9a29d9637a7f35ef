package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"appstore/api/client"
	"appstore/schema"
	"appstore/storage"
)

// The exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitConflict    = 5
	exitForbidden   = 6
	exitInterrupted = 130
)

// exits is the one table of the exit codes, as the help shows it.
var exits = []struct {
	code    int
	meaning string
}{
	{exitOK, "done"},
	{exitFailed, "what was asked for failed, or is not valid"},
	{exitUsage, "the command line can't be understood"},
	{exitNotFound, "there is no such plugin, release or channel"},
	{exitUnavailable, "the server, or its storage, can't be reached or is not available: try again later"},
	{exitConflict, "it exists with other content"},
	{exitForbidden, "the token is missing or is not the server's"},
	{exitInterrupted, "interrupted"},
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// reported is an error whose text has been written already.
type reported struct{ error }

func (e *reported) Unwrap() error { return e.error }

// exitCode is the code for what a command returned.
func exitCode(err error) int {
	var (
		usage       *usageError
		answer      *client.Error
		unreachable *client.Unreachable
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unreachable), errors.Is(err, storage.ErrUnavailable):
		return exitUnavailable
	case errors.As(err, &answer):
		switch answer.Status {
		case http.StatusNotFound:
			if notThere(answer) {
				return exitUnavailable
			}
			return exitNotFound
		case http.StatusConflict:
			return exitConflict
		case http.StatusUnauthorized, http.StatusForbidden:
			return exitForbidden
		case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
			return exitUnavailable
		}
	}
	return exitFailed
}

// notThere tells an answer of something that is no AppStore, or of an address
// beside its own.
func notThere(e *client.Error) bool { return e.Code == "" || e.Code == "unknown-route" }

// complain writes an error, and what to do about it.
func (a *app) complain(ctx context.Context, err error) {
	var said *reported
	if errors.As(err, &said) {
		return
	}
	if errors.Is(err, context.Canceled) {
		a.note("appstore: interrupted")
		return
	}
	a.note("appstore: %v", err)
	var answer *client.Error
	// Of a query there is one problem, and the text above tells it.
	if errors.As(err, &answer) && answer.Code != "query-syntax" {
		for _, p := range answer.Problems {
			a.note("  %s", problemLine("", p))
		}
	}
	if hint := a.hint(ctx, err); hint != "" {
		a.note("%s", hint)
	}
}

// hint says what somebody new may have missed.
func (a *app) hint(ctx context.Context, err error) string {
	var (
		usage       *usageError
		answer      *client.Error
		unreachable *client.Unreachable
	)
	switch {
	case errors.As(err, &usage):
		return "Run `appstore help`, or a command with --help, to see how it is used."
	case errors.As(err, &unreachable):
		if unreachable.URL == defaultURL {
			return "Start one with `appstore serve`, or say where it is: --url or APPSTORE_URL."
		}
		return "Is it running, and is this its address? --url and APPSTORE_URL say where to look."
	case errors.As(err, &answer) && notThere(answer):
		return "Is " + a.server.url + " the address of an AppStore? --url and APPSTORE_URL say where to look."
	case errors.As(err, &answer) && answer.Status == http.StatusNotFound && a.asked != "":
		return a.near(ctx)
	case errors.As(err, &answer) && answer.Status == http.StatusUnauthorized:
		if a.server.url == defaultURL {
			return "The server keeps its token in its data folder:\n" +
				"  export APPSTORE_TOKEN=$(cat \"$(appstore token path)\")"
		}
		return "Ask the server's operator for its token; put it into APPSTORE_TOKEN, or into a file for --token-file."
	}
	return ""
}

// near says what search, which forgives typos, finds for a plugin that is not
// there; "" if it is, or if nothing is found.
func (a *app) near(ctx context.Context) string {
	c, err := a.client()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := c.Search(ctx, client.Query{Text: a.asked, Limit: 3})
	if err != nil || len(found.Items) == 0 {
		return ""
	}
	var names []string
	for _, hit := range found.Items {
		if schema.Normalise(hit.Name) == schema.Normalise(a.asked) {
			return "" // something else of it is not there
		}
		names = append(names, plain(hit.Name))
	}
	return "Search finds for it: " + strings.Join(names, ", ")
}
