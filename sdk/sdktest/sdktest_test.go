package sdktest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type writer = func(context.Context, sdk.Batch) (sdk.Document, error)

func pluginWith(write writer) sdk.Plugin {
	return sdk.Plugin{Name: "p", Version: "1", Groups: []sdk.Group{
		{Name: "g", Method: sdk.Poll, WriteMessages: write},
		{Name: "default", Method: sdk.Send},
	}}
}

var samples = map[string][]json.RawMessage{"g": {
	json.RawMessage(`{"name":"Ek","n":1.0}`), json.RawMessage(`["a","b"]`), json.RawMessage(`"c"`),
}}

func document(b sdk.Batch) sdk.Document {
	d := sdk.Document{ContentType: "application/json", Filename: "g.json"}
	for _, m := range b.Messages {
		d.Body = append(append(d.Body, m.Data...), '\n')
	}
	return d
}

func good(_ context.Context, b sdk.Batch) (sdk.Document, error) { return document(b), nil }

func TestRunAcceptsAGoodPlugin(t *testing.T) {
	p := pluginWith(good)
	p.Groups = append(p.Groups, sdk.Group{
		Name: "sent", Method: sdk.Send,
		FormatHTTPRequest: func(_ context.Context, o sdk.Outgoing) (sdk.HTTPRequest, error) {
			return sdk.HTTPRequest{URL: "?t=" + o.Token, Headers: http.Header{"A": {"1"}, "B": {"2"}}}, nil
		},
	})
	checked := 0
	sdktest.Run(t, p, sdktest.Options{
		Samples: map[string][]json.RawMessage{"g": samples["g"], "sent": samples["g"]},
		Golden:  "testdata",
		Check: func(t *testing.T, b sdk.Batch, d sdk.Document) {
			checked++
			if string(d.Body) != string(document(b).Body) {
				t.Errorf("Check was called with another document than that of its batch")
			}
		},
	})
	if want := 6; checked != want { // empty, one, samples, many, huge, unicode
		t.Errorf("Check was called %d times, want %d", checked, want)
	}
}

// tooLarge is what gRPC says of a message over the limit.
const tooLarge = "larger than max"

// faulty are formatters with one fault each, and what Run must say of it.
func faulty() map[string]struct {
	write writer
	want  string
} {
	var calls atomic.Int64
	return map[string]struct {
		write writer
		want  string
	}{
		"map_order": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			for key := range map[string]bool{"a": true, "b": true, "c": true} {
				d.Body = append(d.Body, key...)
			}
			return d, nil
		}, "first difference at byte"},
		"time_in_seconds": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Body = append(d.Body, time.Now().Format(time.DateTime)...)
			return d, nil
		}, "uses the time"},
		"random_file_name": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Filename = fmt.Sprint(rand.Uint64())
			return d, nil
		}, "content type and file name"},
		"counter": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Body = fmt.Append(d.Body, calls.Add(1))
			return d, nil
		}, "got  "},
		"panic_on_empty": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			_ = b.Messages[0]
			return document(b), nil
		}, "index out of range [0]"},
		"panic_on_unicode": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			for _, m := range b.Messages {
				if strings.Contains(string(m.Data), "👩") {
					panic("no such character")
				}
			}
			return document(b), nil
		}, "no such character"},
		"error_on_unicode": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			for _, m := range b.Messages {
				if strings.Contains(string(m.Data), `\u0000`) {
					return sdk.Document{}, errors.New("nul")
				}
			}
			return document(b), nil
		}, "must give a document or sdk.Reject"},
		"content_type": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.ContentType = "application / json"
			return d, nil
		}, `the content type "application / json"`},
		"file_name": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Filename = "../g.json"
			return d, nil
		}, "has a slash in it"},
		"too_large": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Body = bytes.Repeat(d.Body, 5)
			return d, nil
		}, tooLarge},
		"other_golden_file": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := document(b)
			d.Body = append(d.Body, "more"...)
			return d, nil
		}, "not as in the golden file"},
		"rejects_a_sample": {func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			if len(b.Messages) > 1 {
				return sdk.Document{}, sdk.Reject(2, "don't like it")
			}
			return document(b), nil
		}, "message 2: don't like it"},
	}
}

const faultKey = "SDKTEST_FAULT"

// TestFaulty runs only in the processes that the next test starts.
func TestFaulty(t *testing.T) {
	test, ok := faulty()[os.Getenv(faultKey)]
	if !ok {
		t.Skip("this test is started by TestRunFindsFaults")
	}
	o := sdktest.Options{Samples: samples, Golden: "testdata", HugeBytes: 1 << 10}
	if test.want == tooLarge {
		text := append(bytes.Repeat([]byte(" "), 256<<10), '1')
		o = sdktest.Options{Samples: map[string][]json.RawMessage{"g": {text}}}
	}
	sdktest.Run(t, pluginWith(test.write), o)
}

func TestRunFindsFaults(t *testing.T) {
	for name, test := range faulty() {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFaulty$")
			cmd.Env = append(os.Environ(), faultKey+"="+name)
			output, err := cmd.CombinedOutput()
			if _, ok := errors.AsType[*exec.ExitError](err); !ok {
				t.Errorf("the test of a faulty plugin ended with %v, want a failure", err)
			}
			if !strings.Contains(string(output), test.want) {
				t.Errorf("the output does not have %q:\n%.4000s", test.want, output)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	const dirKey = "SDKTEST_GOLDEN"
	if dir := os.Getenv(dirKey); dir != "" {
		sdktest.Run(t, pluginWith(good), sdktest.Options{Samples: samples, Golden: dir, HugeBytes: 1})
		return
	}
	dir := filepath.Join(t.TempDir(), "testdata")
	run := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=^TestUpdate$", "-test.short"}, args...)...)
		cmd.Env = append(os.Environ(), dirKey+"="+dir)
		return cmd.CombinedOutput()
	}
	if output, err := run(); err == nil || !strings.Contains(string(output), "with -update to write it") {
		t.Errorf("without golden files: %v\n%s", err, output)
	}
	if output, err := run("-update"); err != nil {
		t.Errorf("with -update: %v\n%s", err, output)
	}
	if output, err := run(); err != nil {
		t.Errorf("after -update: %v\n%s", err, output)
	}
	body, err := os.ReadFile(filepath.Join(dir, "g-samples.json"))
	if want := string(document(sdktest.Batch("g", samples["g"]...)).Body); err != nil || string(body) != want {
		t.Errorf("the golden file has %q, %v, want %q", body, err, want)
	}
}

func TestStartEndsWithTheTest(t *testing.T) {
	var c *sdktest.Client
	t.Run("inner", func(t *testing.T) {
		c = sdktest.Start(t, pluginWith(good))
		if _, err := c.Discover(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Discover(t.Context()); err == nil {
		t.Error("the plugin still answers")
	}
}
