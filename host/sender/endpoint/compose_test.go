package endpoint

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPluginIsKeptIn has a plugin ask for what it may not have.
func TestPluginIsKeptIn(t *testing.T) {
	var requests atomic.Int32
	url := receive(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	e := open(t, Config{URL: url + "/api", AllowPrivate: loopback})
	for name, c := range map[string]struct {
		change func(*Request)
		want   string
	}{
		"a method":        {func(r *Request) { r.Method = "CONNECT" }, `the method "CONNECT"`},
		"a path":          {func(r *Request) { r.Path = "../admin" }, "lead out of the configured URL"},
		"a host":          {func(r *Request) { r.Path = "http://169.254.169.254/" }, "without a scheme or host"},
		"a content type":  {func(r *Request) { r.ContentType = "a/b\r\nX: y" }, "content type"},
		"no id":           {func(r *Request) { r.ID = "" }, "the id"},
		"an id":           {func(r *Request) { r.ID = "a\nb" }, "the id"},
		"header's name":   {func(r *Request) { r.Header = http.Header{"X: y\r\nZ": {""}} }, "the name of a header"},
		"pseudo-header":   {func(r *Request) { r.Header = http.Header{":path": {"/"}} }, "the name of a header"},
		"header's value":  {func(r *Request) { r.Header = http.Header{"X": {"a\r\nY: z"}} }, "a header can't carry"},
		"too many":        {func(r *Request) { r.Header = http.Header{"X": {strings.Repeat("x", 20<<10)}} }, "at most 16384"},
		"credentials":     {headed("Authorization"), "only the operator"},
		"lower case":      {headed("authorization"), "only the operator"},
		"an underscore":   {headed("Content_Length"), "belongs to the connection"},
		"cookies":         {headed("Cookie"), "only the operator"},
		"for the proxy":   {headed("Proxy-Authorization"), "only the operator"},
		"the host header": {headed("Host"), "belongs to the connection"},
		"the length":      {headed("Content-Length"), "belongs to the connection"},
		"the encoding":    {headed("Transfer-Encoding"), "belongs to the connection"},
		"the connection":  {headed("Connection"), "belongs to the connection"},
		"an upgrade":      {headed("Upgrade"), "belongs to the connection"},
		"a trailer":       {headed("Trailer"), "belongs to the connection"},
		"expectations":    {headed("Expect"), "belongs to the connection"},
		"a signature":     {headed("webhook-signature"), "signs the delivery"},
		"another's":       {headed("Svix-Id"), "signs the delivery"},
		"idempotency":     {headed("Idempotency-Key"), "names or signs"},
		"origin":          {headed("X-Forwarded-For"), "set by proxies"},
		"another URL":     {headed("X-Original-URL"), "set by proxies"},
		"the type":        {headed("Content-Type"), "of the document"},
		"ours":            {headed("Restante-Group"), "set by the daemon"},
	} {
		r := batch()
		c.change(&r)
		a := e.Send(t.Context(), r)
		check(t, a, Block, c.want)
		if !a.Permanent {
			t.Errorf("%s: Send = %+v", name, a)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent", requests.Load())
	}
}

func headed(name string) func(*Request) {
	return func(r *Request) { r.Header = http.Header{name: {"x"}} }
}

// TestCallersKeepTheirs sees that Send changes nothing of a request.
func TestCallersKeepTheirs(t *testing.T) {
	e := open(t, Config{URL: receive(t, func(http.ResponseWriter, *http.Request) {}), AllowPrivate: loopback, Header: map[string]string{"X-Kind": "ours"}})
	r := batch()
	r.Header = http.Header{"X-Kind": {"theirs"}}
	if a := e.Send(t.Context(), r); a.Outcome() != OK || len(r.Header) != 1 || r.Header.Get("X-Kind") != "theirs" {
		t.Errorf("Send = %v and leaves the headers %v", a.Err, r.Header)
	}
}
