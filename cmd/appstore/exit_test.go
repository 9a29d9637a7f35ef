package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"appstore/api/client"
	"appstore/storage"
)

// TestExitCodes: every code of the table is given, and no other.
func TestExitCodes(t *testing.T) {
	answer := func(status int, code string) error {
		return fmt.Errorf("asking: %w", &client.Error{Status: status, Code: code})
	}
	given := map[int]bool{}
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{errInvalid, 1},
		{answer(http.StatusBadRequest, "query-syntax"), 1},
		{answer(http.StatusUnprocessableEntity, "invalid-descriptor"), 1},
		{answer(http.StatusInternalServerError, "internal"), 1},
		{&client.DigestError{}, 1},
		{usagef("no such flag"), 2},
		{answer(http.StatusNotFound, "not-found"), 3},
		{answer(http.StatusNotFound, "unknown-route"), 4},
		{answer(http.StatusNotFound, ""), 4},
		{answer(http.StatusServiceUnavailable, "search-unavailable"), 4},
		{answer(http.StatusTooManyRequests, ""), 4},
		{&client.Unreachable{URL: defaultURL, Err: errors.New("refused")}, 4},
		{fmt.Errorf("open: %w", storage.ErrUnavailable), 4},
		{answer(http.StatusConflict, "version-exists"), 5},
		{answer(http.StatusUnauthorized, "unauthorised"), 6},
		{fmt.Errorf("asking: %w", context.Canceled), 130},
	} {
		given[test.want] = true
		if have := exitCode(test.err); have != test.want {
			t.Errorf("%v exits with %d, want %d", test.err, have, test.want)
		}
	}
	help := exitHelp()
	for _, e := range exits {
		if !given[e.code] {
			t.Errorf("no error exits with %d", e.code)
		}
		if !strings.Contains(help, fmt.Sprintf("%3d  %s", e.code, e.meaning)) {
			t.Errorf("the help does not tell %d", e.code)
		}
		delete(given, e.code)
	}
	for code := range given {
		t.Errorf("%d is not in the table", code)
	}
}

// TestEveryCommandHelps: every command says what it does; every one that does
// something has an example and no flag without a text.
func TestEveryCommandHelps(t *testing.T) {
	for _, path := range []string{
		"serve", "search", "show", "fetch", "init", "validate", "publish", "import", "yank", "channel", "token", "journal verify", "reindex",
	} {
		code, out, errs := command(t, nil, append(strings.Fields(path), "--help")...)
		if code != 0 || errs != "" || !strings.Contains(out, "Examples:\n  ") {
			t.Errorf("%s --help: exit %d\n%s%s", path, code, out, errs)
		}
	}
}
