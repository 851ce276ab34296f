package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/restante/restante/host/api"
)

// call is one request.
type call struct {
	method, path string // the path without api.Base, unless it begins there
	key          string // empty for no authentication
	user         string // api.APIUser if empty
	header       map[string]string
	body         string
	// loose is for requests that are accepted beyond what openapi.yaml
	// describes formally.
	loose bool
}

type answer struct {
	status int
	header http.Header
	body   string
}

type problem struct {
	Type, Title, Detail, RequestID string
	Status                         int
}

func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("status %d, body %q is no problem: %v", a.status, a.body, err)
	}
	return p
}

func (c call) request(ctx context.Context, url string) (*http.Request, error) {
	path := c.path
	if strings.HasPrefix(path, "/add/") || strings.HasPrefix(path, "/poll/") || strings.HasPrefix(path, "/send/") {
		path = api.Base + path
	}
	r, err := http.NewRequestWithContext(ctx, c.method, url+path, strings.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	if c.key != "" {
		user := c.user
		if user == "" {
			user = api.APIUser
		}
		r.SetBasicAuth(user, c.key)
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	return r, nil
}

// do makes a call and holds the request, if it was accepted, and the response
// to openapi.yaml.
func (s *service) do(t *testing.T, c call) answer {
	t.Helper()
	r, err := c.request(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	// Paths with a double slash, for example, are to arrive as they are.
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	a := answer{response.StatusCode, response.Header, string(body)}
	if c.method != "HEAD" {
		s.hold(t, c, a)
	}
	return a
}

var described = sync.OnceValues(func() (*openapi3.T, error) {
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

var routing = sync.OnceValues(func() (routers.Router, error) {
	doc, err := described()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

func (s *service) hold(t *testing.T, c call, a answer) {
	t.Helper()
	router, err := routing()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.request(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	route, params, err := router.FindRoute(r)
	if err != nil {
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: status %d, but openapi.yaml has no such route: %v", c.method, c.path, a.status, err)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
		},
	}
	if a.status < 400 && !c.loose {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s was answered with %d but is not as openapi.yaml has it: %v", c.method, c.path, a.status, err)
		}
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header,
		Body: io.NopCloser(bytes.NewReader([]byte(a.body))), Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(t.Context(), response); err != nil {
		t.Errorf("%s %s: the response is not as openapi.yaml has it: %v\nstatus %d, headers %v, body %.300s", c.method, c.path, err, a.status, a.header, a.body)
	}
	if route.Operation.Responses.Status(a.status) == nil {
		t.Errorf("%s %s: status %d is not in openapi.yaml", c.method, c.path, a.status)
	}
}

// wait makes a fetch a long poll.
func (c call) wait() call {
	c.path += "?wait=60"
	return c
}
