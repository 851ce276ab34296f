package endpoint

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Request is a batch that is to be sent. Method, Path, Query and Header are from
// the plugin, which is not trusted with more than to choose among what the operator
// allowed; all of them may be empty.
type Request struct {
	Method string
	// Path is a reference below Config.URL: a path, a query, or both. With the URL
	// "https://example.org/api" both "students" and "/students" lead to
	// "https://example.org/api/students".
	Path string
	// Query is added to that of Path.
	Query  url.Values
	Header http.Header

	Body []byte
	// ContentType and Filename are the document's. The file name may be empty.
	ContentType, Filename string
	// ID names what is sent, the same in every attempt: the delivery's id. It is the
	// headers webhook-id and Idempotency-Key.
	ID string
	// Time is when the attempt is made, for webhook-timestamp; zero is now.
	// Receivers refuse what is minutes old.
	Time time.Time
	// Group is sent as the header Restante-Group.
	Group string
	// Lease is the fencing number of the daemon that sends, the header Restante-Lease;
	// 0 is none.
	Lease uint64
}

// maxHeader is the most bytes of headers that a plugin may add.
const maxHeader = 16 << 10

// composed is a request that can be sent any number of times.
type composed struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

// compose makes the request of what the operator and the plugin want. The error is
// for people.
func (e *Endpoint) compose(r Request, now time.Time) (*composed, error) {
	method := cmp.Or(r.Method, e.config.Method, http.MethodPost)
	if checkMethod("method", method) != nil {
		return nil, fmt.Errorf("the plugin asks for the method %q: only POST, PUT, PATCH and DELETE can be sent", method)
	}
	to, err := below(e.url, r.Path, r.Query)
	if err != nil {
		return nil, fmt.Errorf("the URL that the plugin asks for can't be used: %w", err)
	}
	header, err := pluginHeader(r.Header)
	if err != nil {
		return nil, fmt.Errorf("the headers that the plugin asks for can't be sent: %w", err)
	}
	if !validID(r.ID) {
		return nil, fmt.Errorf("the id %q can't be sent as a header", r.ID)
	}
	if !httpguts.ValidHeaderFieldValue(r.ContentType) {
		return nil, fmt.Errorf("the content type %q can't be sent as a header", r.ContentType)
	}
	if r.ContentType != "" {
		header.Set("Content-Type", r.ContentType)
	}
	if r.Filename != "" {
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": r.Filename}))
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "restante")
	}
	if r.Group != "" {
		header.Set("Restante-Group", r.Group)
	}
	if r.Lease > 0 {
		header.Set("Restante-Lease", strconv.FormatUint(r.Lease, 10))
	}
	for name, value := range e.config.Header {
		header.Set(name, value)
	}
	e.sign(header, r, now)
	return &composed{method, to, header, r.Body}, nil
}

// sign adds the headers of Standard Webhooks and Idempotency-Key. They are in lower
// case, as the specification writes them. It matters for the last: in its canonical
// form it would have net/http send a request again by itself, and there would be
// more requests than attempts on record.
func (e *Endpoint) sign(header http.Header, r Request, now time.Time) {
	at := r.Time
	if at.IsZero() {
		at = now
	}
	header["idempotency-key"] = []string{r.ID}
	header["webhook-id"] = []string{r.ID}
	header["webhook-timestamp"] = []string{strconv.FormatInt(at.Unix(), 10)}
	if signature := e.signer.Sign(r.ID, at, r.Body); signature != "" {
		header["webhook-signature"] = []string{signature}
	}
}

func validID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// pluginHeader returns a copy of what the plugin wants to add, or what is wrong with
// it.
func pluginHeader(from http.Header) (http.Header, error) {
	header, size := http.Header{}, 0
	for name, values := range from {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("%q can't be the name of a header", name)
		}
		if reason := operators(name); reason != "" {
			return nil, fmt.Errorf("%s %s", name, reason)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, fmt.Errorf("the value of %s has characters that a header can't carry", name)
			}
			size += len(name) + len(v)
			header.Add(name, v)
		}
	}
	if size > maxHeader {
		return nil, fmt.Errorf("they have %d bytes, at most %d are allowed", size, maxHeader)
	}
	return header, nil
}

// plain is a header's name as careless receivers read it: CGI makes "_" of "-".
func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// ours returns why a header can't be chosen, not by the operator either; "" if it
// can be.
func ours(name string) string {
	switch n := plain(name); {
	case slices.Contains([]string{
		"host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
		"te", "trailer", "upgrade", "expect", "http2-settings",
	}, n):
		return "belongs to the connection, and is set by the daemon"
	case strings.HasPrefix(n, "webhook-"), strings.HasPrefix(n, "svix-"), n == "idempotency-key", n == "x-idempotency-key":
		return "names or signs the delivery, and is set by the daemon"
	}
	return ""
}

// operators returns why a plugin can't choose a header; "" if it can.
func operators(name string) string {
	if reason := ours(name); reason != "" {
		return reason
	}
	switch n := plain(name); {
	case n == "authorization", n == "cookie", n == "set-cookie", n == "cookie2", strings.HasPrefix(n, "proxy-"):
		return "is for credentials: only the operator can set it, in headers of the endpoint block"
	case n == "content-type", n == "content-disposition":
		return "is of the document: WriteMessages sets it by the content type and file name"
	case strings.HasPrefix(n, "x-forwarded-"), slices.Contains([]string{
		"forwarded", "via", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-original-url", "x-rewrite-url",
	}, n):
		return "is set by proxies, which receivers trust: only the operator can set it, in headers of the endpoint block"
	case strings.HasPrefix(n, "restante-"):
		return "is set by the daemon"
	}
	return ""
}

// request makes a request of it that has not been sent yet.
func (c *composed) request() *http.Request {
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.body)), nil }
	r := &http.Request{
		Method: c.method, URL: c.url, Host: c.url.Host, Header: c.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(c.body)), GetBody: body,
	}
	r.Body, _ = body()
	if len(c.body) == 0 {
		r.Body, r.GetBody = http.NoBody, nil
	}
	return r
}
