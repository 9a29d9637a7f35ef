package pip

import (
	"errors"
	"testing"

	"appstore/registry"
)

func TestNegotiate(t *testing.T) {
	for _, c := range []struct {
		accept, format string
		want           Form // "": not acceptable
	}{
		{"", "", TextHTML},
		{"*/*", "", TextHTML},
		{"text/*", "", TextHTML},
		{"application/*", "", JSON},
		{string(JSON), "", JSON},
		{string(HTML), "", HTML},
		{string(TextHTML), "", TextHTML},
		{"TEXT/HTML; Charset=utf-8", "", TextHTML},
		// As pip and uv ask.
		{"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", "", JSON},
		{"application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01", "", JSON},
		// As a browser asks.
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", TextHTML},
		{"application/vnd.pypi.simple.v1+json;q=0.1, text/html;q=0.2", "", TextHTML},
		{"application/vnd.pypi.simple.v1+json;q=0.5, */*;q=0.5", "", JSON},
		{"application/vnd.pypi.simple.v1+json;q=0, */*", "", TextHTML},
		{"text/html;q=0, */*;q=0.1", "", JSON},
		{"application/vnd.pypi.simple.latest+json", "", JSON},
		{"application/vnd.pypi.simple.latest+html, */*;q=0.1", "", HTML},
		{"application/json", "", ""},
		{"application/vnd.pypi.simple.v2+json", "", ""},
		{"text/html;q=0", "", ""},
		{"text/html;q=NaN", "", ""},
		{"text/html;q=2", "", ""},
		// The parameter goes first.
		{"text/html", string(JSON), JSON},
		{"image/png", string(HTML), HTML},
		{"text/html", "application/vnd.pypi.simple.latest+json", JSON},
		{"text/html", "json", ""},
	} {
		got, err := Negotiate(c.accept, c.format)
		var e *registry.Error
		if got != c.want || (c.want == "") != (errors.As(err, &e) && e.Code == NotAcceptable) {
			t.Errorf("%q, format %q: %q, %v; want %q", c.accept, c.format, got, err, c.want)
		}
	}
}
