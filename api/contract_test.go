package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"appstore/api"
	"appstore/api/client"
	"appstore/schema"
)

// spec is openapi.yaml, validated with its examples.
var loadSpec = sync.OnceValues(func() (*openapi3.T, error) {
	for _, media := range []string{"application/yaml", "text/html", "text/css", "text/plain", "image/svg+xml", "application/octet-stream", "application/vnd.pypi.simple.v1+html"} {
		openapi3filter.RegisterBodyDecoder(media, func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			text, err := io.ReadAll(body)
			return string(text), err
		})
	}
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.RegisteredBodyDecoder("application/json"))
	openapi3filter.RegisterBodyDecoder("application/schema+json", openapi3filter.RegisteredBodyDecoder("application/json"))
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background(), openapi3.EnableExamplesValidation())
})

func spec(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := loadSpec()
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return doc
}

// checking is a transport that holds every answer against the contract.
type checking struct {
	t    testing.TB
	spec *openapi3.T
}

func (c *checking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(r, res, body); err != nil {
		c.t.Errorf("%s %s: the answer %d breaks the contract: %v\n%.1000s", r.Method, r.URL, res.StatusCode, err, body)
	}
	return res, nil
}

func (c *checking) check(r *http.Request, res *http.Response, body []byte) error {
	if res.Header.Get("X-Request-Id") == "" {
		return fmt.Errorf("it has no X-Request-Id")
	}
	asked := strings.TrimPrefix(r.URL.EscapedPath(), testPrefix)
	if asked == "" {
		asked = "/"
	}
	path, item := match(c.spec, asked)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var operation *openapi3.Operation
	if item != nil {
		operation = item.GetOperation(method)
	}
	if operation == nil {
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMethodNotAllowed && res.StatusCode != http.StatusNoContent {
			return fmt.Errorf("the contract has no such route")
		}
		return nil
	}
	if operation.Responses.Status(res.StatusCode) == nil {
		return fmt.Errorf("the contract has no such status for %s %s", method, path)
	}
	if r.Method == http.MethodHead || res.StatusCode == http.StatusNotModified || res.Header.Get("Content-Encoding") != "" {
		return nil // nothing to read
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: c.spec, Path: path, PathItem: item, Method: method, Operation: operation},
		},
		Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// match finds the path of the contract by its segments.
func match(doc *openapi3.T, path string) (string, *openapi3.PathItem) {
	have := strings.Split(path, "/")
	best, least := "", 100
	for template := range doc.Paths.Map() {
		want := strings.Split(template, "/")
		if len(want) != len(have) {
			continue
		}
		params := 0
		for i := range want {
			if strings.HasPrefix(want[i], "{") {
				params++
			} else if want[i] != have[i] {
				params = 100
				break
			}
		}
		if params < least {
			best, least = template, params
		}
	}
	return best, doc.Paths.Value(best)
}

// Every route of the server is in the contract, and the other way round.
func TestRoutesAreTheContract(t *testing.T) {
	p := embedded(t)
	var have, want []string
	for _, r := range api.RoutesOf(p.reg) {
		if r[0] == http.MethodHead {
			continue
		}
		segments := strings.Split(r[1], "/")
		for i, s := range segments {
			if name, ok := strings.CutPrefix(s, ":"); ok {
				segments[i] = "{" + name + "}"
			}
		}
		have = append(have, r[0]+" "+strings.Join(segments, "/"))
	}
	for path, item := range spec(t).Paths.Map() {
		for method := range item.Operations() {
			want = append(want, method+" "+path)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("routes:\n%s\ncontract:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// Every field of the wire types is in the contract, and the other way round.
func TestWireTypesAreTheContract(t *testing.T) {
	for name, value := range map[string]any{
		"Hit": client.Hit{}, "Fragment": client.Fragment{}, "Reason": client.Reason{}, "Suggestion": client.Suggestion{},
		"Count": client.Count{}, "Plugin": client.Plugin{}, "Listing": client.Listing{}, "ReleaseSummary": client.ReleaseSummary{},
		"Release": client.Release{}, "File": client.File{}, "Validation": client.Validation{}, "OneProblem": client.Problem{},
		"Problem": client.Error{}, "Yank": client.Yank{}, "Channel": client.Channel{}, "Ref": client.Ref{}, "Refs": client.Refs{},
		"Resolved": client.Resolved{}, "Event": client.Event{}, "Events": client.Events{}, "Status": client.Status{},
		"HitList": client.List[client.Hit]{}, "Descriptor": schema.Descriptor{}, "Package": schema.Package{}, "Component": schema.Component{},
	} {
		have := fields(reflect.TypeOf(value))
		described := spec(t).Components.Schemas[name].Value
		var want []string
		for property := range described.Properties {
			want = append(want, property)
		}
		slices.Sort(have)
		slices.Sort(want)
		if !slices.Equal(have, want) {
			t.Errorf("%s has the fields\n%v, in the contract\n%v", name, have, want)
		}
	}
}

func fields(t reflect.Type) (names []string) {
	for f := range fieldsOf(t) {
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
