package host

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// HTTPRequest is what a plugin says of how a document is to be sent. The zero
// value leaves all to the configuration.
type HTTPRequest struct {
	// Method is empty for that of the configuration.
	Method string `json:"method,omitempty"`
	// URL is resolved against the URL of the configuration (RFC 3986, section 5):
	// a path, a query, or nothing.
	URL     string       `json:"url,omitempty"`
	Headers []HTTPHeader `json:"headers,omitempty"`
}

// HTTPHeader is one header of a request.
type HTTPHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Limits of what a plugin says of a request.
const (
	// MaxRequestURLBytes is the longest URL.
	MaxRequestURLBytes = 8 << 10
	// MaxRequestHeaders is how many headers there are at most, and
	// MaxRequestHeaderBytes how long all of them.
	MaxRequestHeaders     = 100
	MaxRequestHeaderBytes = 32 << 10
)

// reservedHeaders are those that belong to the connection or to us.
var reservedHeaders = []string{
	"connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "proxy-authenticate",
	"proxy-authorization", "proxy-connection", "restante-lease", "te", "trailer", "transfer-encoding", "upgrade",
}

// Check returns an error that says what is wrong unless the request can be made
// and stays with the system that the configuration names. It is for requests that
// come from outside.
func (r HTTPRequest) Check() error {
	switch r.Method {
	case "", "POST", "PUT", "PATCH", "DELETE":
	default:
		return fmt.Errorf("the method %q is none of POST, PUT, PATCH and DELETE", r.Method)
	}
	if len(r.URL) > MaxRequestURLBytes {
		return fmt.Errorf("the URL has %d bytes, at most %d are allowed", len(r.URL), MaxRequestURLBytes)
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return fmt.Errorf("the URL %q is malformed", r.URL)
	case u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "", strings.HasPrefix(r.URL, "//"), strings.ContainsRune(r.URL, '\\'):
		return fmt.Errorf("the URL %q is more than a path and a query: the configuration says where messages go", r.URL)
	case u.Fragment != "":
		return fmt.Errorf("the URL %q has a fragment, which is never sent", r.URL)
	}
	if len(r.Headers) > MaxRequestHeaders {
		return fmt.Errorf("there are %d headers, at most %d are allowed", len(r.Headers), MaxRequestHeaders)
	}
	bytes := 0
	for _, h := range r.Headers {
		bytes += len(h.Name) + len(h.Value)
		switch {
		case h.Name == "" || strings.ContainsFunc(h.Name, notToken):
			return fmt.Errorf("%q is not the name of a header", h.Name)
		case slices.Contains(reservedHeaders, strings.ToLower(h.Name)):
			return fmt.Errorf("the header %q is not the plugin's to set", h.Name)
		case strings.ContainsFunc(h.Value, notHeaderText):
			return fmt.Errorf("the header %q has a value with characters outside printable ASCII", h.Name)
		}
	}
	if bytes > MaxRequestHeaderBytes {
		return fmt.Errorf("the headers have %d bytes, at most %d are allowed", bytes, MaxRequestHeaderBytes)
	}
	return nil
}

// notToken tells what can't be in a token (RFC 9110, section 5.6.2).
func notToken(r rune) bool {
	return (r < '0' || '9' < r) && (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
