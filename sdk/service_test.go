package sdk_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func pluginWith(write func(context.Context, sdk.Batch) (sdk.Document, error)) sdk.Plugin {
	return sdk.Plugin{Name: "p", Version: "1", Groups: []sdk.Group{{Name: "g", Method: sdk.Poll, WriteMessages: write}}}
}

func TestRejectionsOverTheWire(t *testing.T) {
	long := strings.Repeat("é", sdk.MaxReasonBytes)
	c := sdktest.Start(t, pluginWith(func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
		if b.Token == "" {
			return sdk.Document{}, sdk.Reject(99, "nothing")
		}
		return sdk.Document{}, errors.Join(sdk.Reject(2, long), sdk.Reject(1, "a\xff"))
	}))
	_, err := c.WriteMessages(t.Context(), sdktest.Batch("g", []byte("1"), []byte("2")))
	got := sdk.Rejections(err)
	if len(got) != 2 || got[0] != (sdk.Rejection{ID: 1, Reason: "a\uFFFD"}) {
		t.Fatalf("rejections = %.100v", got)
	}
	if n := len(got[1].Reason); n > sdk.MaxReasonBytes || n < sdk.MaxReasonBytes-4 || !strings.HasSuffix(got[1].Reason, "é…") {
		t.Errorf("a long reason was cut to %d bytes, which end in %q", n, got[1].Reason[n-6:])
	}

	_, err = c.WriteMessages(t.Context(), sdk.Batch{Group: "g"})
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "message 99, which is not in the batch") {
		t.Errorf("a rejection of another message gave %v", err)
	}
}

func TestInvalidDocuments(t *testing.T) {
	tests := map[string]struct {
		document sdk.Document
		want     string
	}{
		"no content type":   {sdk.Document{}, "no content type"},
		"bad content type":  {sdk.Document{ContentType: "a/b/c"}, `the content type "a/b/c"`},
		"half content type": {sdk.Document{ContentType: "json"}, "type/subtype"},
		"slash":             {sdk.Document{ContentType: "a/b", Filename: "x/y"}, "a slash"},
		"backslash":         {sdk.Document{ContentType: "a/b", Filename: `x\y`}, "a slash"},
		"line feed":         {sdk.Document{ContentType: "a/b", Filename: "x\ny"}, "control character"},
		"long file name":    {sdk.Document{ContentType: "a/b", Filename: strings.Repeat("x", 256)}, "the limit is 255"},
		"no UTF-8":          {sdk.Document{ContentType: "a/b", Filename: "\xff"}, "UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := sdktest.Start(t, pluginWith(func(context.Context, sdk.Batch) (sdk.Document, error) {
				return test.document, nil
			}))
			_, err := c.WriteMessages(t.Context(), sdktest.Batch("g"))
			if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), test.want) {
				t.Errorf("WriteMessages: %v, want an Internal error with %q", err, test.want)
			}
		})
	}
}

func TestCancelledByTheCaller(t *testing.T) {
	entered, code := make(chan struct{}), make(chan error, 1)
	c := sdktest.Start(t, pluginWith(func(ctx context.Context, _ sdk.Batch) (sdk.Document, error) {
		close(entered)
		<-ctx.Done()
		code <- ctx.Err()
		return sdk.Document{}, ctx.Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if _, err := c.WriteMessages(ctx, sdktest.Batch("g")); status.Code(err) != codes.Canceled {
		t.Errorf("WriteMessages: %v, want Canceled", err)
	}
	if err := <-code; !errors.Is(err, context.Canceled) {
		t.Errorf("the formatter's context ended with %v", err)
	}
}

func TestOnlyTheCallersDeadlineCounts(t *testing.T) {
	c := sdktest.Start(t, pluginWith(func(context.Context, sdk.Batch) (sdk.Document, error) {
		return sdk.Document{}, status.FromContextError(context.DeadlineExceeded).Err()
	}))
	if _, err := c.WriteMessages(t.Context(), sdktest.Batch("g")); status.Code(err) != codes.Unknown {
		t.Errorf("WriteMessages: %v, want Unknown", err)
	}
}

func TestFormatHTTPRequest(t *testing.T) {
	p := sdk.Plugin{Name: "p", Version: "1", Groups: []sdk.Group{{
		Name: "g", Method: sdk.Send,
		FormatHTTPRequest: func(_ context.Context, o sdk.Outgoing) (sdk.HTTPRequest, error) {
			if len(o.Messages) == 0 {
				return sdk.HTTPRequest{Headers: http.Header{"Bad Name": {"x"}}}, nil
			}
			return sdk.HTTPRequest{
				Method:  http.MethodPut,
				URL:     "records/" + o.Token + "?type=" + o.Document.Filename,
				Headers: http.Header{"X-B": {"2", "1"}, "X-A": {"3"}},
			}, nil
		},
	}}}
	c := sdktest.Start(t, p)
	o := sdk.Outgoing{Batch: sdktest.Batch("g", []byte("1")), Document: sdk.Document{Filename: "f"}}
	got, err := c.FormatHTTPRequest(t.Context(), o)
	want := sdk.HTTPRequest{
		Method: "PUT", URL: "records/sdktest-token?type=f",
		Headers: http.Header{"X-A": {"3"}, "X-B": {"2", "1"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("FormatHTTPRequest = %+v, %v, want %+v", got, err, want)
	}
	if _, err := c.FormatHTTPRequest(t.Context(), sdk.Outgoing{Batch: sdktest.Batch("g")}); status.Code(err) != codes.Internal {
		t.Errorf("a bad header name gave %v", err)
	}
}

func TestValidate(t *testing.T) {
	group := sdk.Group{Name: "g", Method: sdk.Poll}
	tests := map[string]struct {
		change func(*sdk.Plugin)
		want   string
	}{
		"nothing wrong":       {func(*sdk.Plugin) {}, ""},
		"no name":             {func(p *sdk.Plugin) { p.Name = "" }, `Name "": it is empty`},
		"name ends with dot":  {func(p *sdk.Plugin) { p.Name = "a." }, "the last character"},
		"name with colon":     {func(p *sdk.Plugin) { p.Name = "a:b" }, "the character ':' is not allowed"},
		"long name":           {func(p *sdk.Plugin) { p.Name = strings.Repeat("a", 65) }, "65 bytes long; the limit is 64"},
		"no version":          {func(p *sdk.Plugin) { p.Version = "" }, "Version: it is empty"},
		"no groups":           {func(p *sdk.Plugin) { p.Groups = nil }, "at least one group"},
		"same group":          {func(p *sdk.Plugin) { p.Groups = append(p.Groups, group) }, `Groups[1] ("g"): Groups[0] has the same name`},
		"no method":           {func(p *sdk.Plugin) { p.Groups[0].Method = 0 }, "it must be sdk.Poll or sdk.Send"},
		"group name with dot": {func(p *sdk.Plugin) { p.Groups[0].Name = ".g" }, "the first character"},
		"title of two lines":  {func(p *sdk.Plugin) { p.Groups[0].Title = "a\nb" }, "Title: there is a control character at byte 1"},
		"long description":    {func(p *sdk.Plugin) { p.Groups[0].Description = strings.Repeat("a", 4001) }, "the limit is 4000"},
		"schedule of a poll":  {func(p *sdk.Plugin) { p.Groups[0].Schedule = "@daily" }, "only a group with the method sdk.Send"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := sdk.Plugin{Name: "p", Version: "1", Groups: []sdk.Group{group}}
			test.change(&p)
			err := p.Validate()
			if test.want == "" {
				if err != nil {
					t.Errorf("Validate: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Validate: %v, want %q", err, test.want)
			}
		})
	}
}
