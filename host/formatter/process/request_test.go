//go:build unix

package process_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

func TestFormatHTTPRequest(t *testing.T) {
	b := newBench(t)
	b.installSpec("student-records", "request:student")
	b.config.CallTimeout = 2 * time.Second
	b.config.MaxMessageBytes = 1 << 20
	p := b.start()
	d, err := p.Discover(t.Context())
	if err != nil || !d.Groups[0].FormatsHTTPRequest {
		t.Fatalf("Discover() = %+v, %v", d, err)
	}
	document := host.Document{ContentType: "text/plain", Body: []byte("hello")}
	got, err := p.FormatHTTPRequest(t.Context(), batch(`1`, `2`), document)
	want := host.HTTPRequest{Method: "PUT", URL: "/student?count=2", Headers: []host.HTTPHeader{{Name: "X-Version", Value: ""}, {Name: "X-Size", Value: "5"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("FormatHTTPRequest() = %+v, %v, want %+v", got, err, want)
	}
	for _, c := range []struct {
		name, do, want string
		is             error
	}{
		{"elsewhere", `{"do":"request-url","text":"https://evil.example/"}`, "configuration says where messages go", process.ErrBadReply},
		{"error", `{"do":"request-error","text":"no address"}`, "it failed: no address", nil},
		{"large", `{"do":"request-large","n":2000000}`, "it is larger than 1 MiB", process.ErrBadReply},
		{"headers", `{"do":"request-large","n":40000}`, "at most 32768", process.ErrBadReply},
		{"slow", `{"do":"request-wait","n":60000}`, "it had 2s", process.ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.FormatHTTPRequest(t.Context(), batch(c.do), document)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("FormatHTTPRequest() = %v, want %q", err, c.want)
			}
		})
	}
	_, err = p.FormatHTTPRequest(t.Context(), batch(fmt.Sprintf("%q", strings.Repeat("x", 2<<20))), document)
	if err == nil || !strings.Contains(err.Error(), "at most 1 MiB are allowed") {
		t.Errorf("of a large batch: %v", err)
	}
}
