//go:build unix

package check

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
	"github.com/restante/restante/host/formatter/sandbox"
)

// run checks a plugin with small batches, and that the report can be written.
func run(t *testing.T, c Config) Report {
	t.Helper()
	c.Repeats, c.LargeBytes = 6, cmp.Or(c.LargeBytes, 128<<10)
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	return r
}

// want fails the test unless a check went so and its text has all of words.
func want(t *testing.T, r Report, name string, s Status, words ...string) {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Group != "plain" })
	if i < 0 {
		t.Errorf("there is no check %q", name)
		return
	}
	c := r.Checks[i]
	if c.Status != s {
		t.Errorf("%s is %s, want %s", name, c.Status, s)
	}
	text := strings.Join(append([]string{c.Seen, c.Do}, c.Details...), "\n")
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s says %q, want %q in it", name, text, w)
		}
	}
}

// others fails the test if a check failed that is not named.
func others(t *testing.T, r Report, names ...string) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Status == Failed && !slices.Contains(names, c.Name) {
			t.Errorf("%s failed: %s", c.Name, c.Seen)
		}
	}
}

func TestImpure(t *testing.T) {
	onLinux := func(s Status) Status {
		if runtime.GOOS != "linux" {
			return Skipped
		}
		return s
	}
	for name, test := range map[string]struct {
		check  string
		status Status
		words  []string
		also   string // another check that fails
	}{
		"pure":    {"same bytes", OK, []string{"6 runs over 2 processes"}, ""},
		"time":    {"same bytes", Failed, []string{"current time", "first different byte", "run 1 (process", `written 20`}, "concurrent calls"},
		"date":    {"same bytes", Warning, []string{"today's date"}, ""},
		"pid":     {"same bytes", Failed, []string{"process id", "each process agrees with itself"}, ""},
		"counter": {"same bytes", Failed, []string{"counter"}, ""},
		"random":  {"same bytes", Failed, []string{"looks random"}, ""},
		"map":     {"same bytes", Failed, []string{"order of a map"}, ""},
		"leaver":  {"leaves nothing", onLinux(Failed), []string{"left behind"}, ""},
		"vain":    {largeBatch, Warning, []string{"for half of the batch", "larger than 64 MiB"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, Config{Sandbox: sandbox.Off, Path: self(t, name), LargeBytes: 1 << 20})
			want(t, r, test.check, test.status, test.words...)
			want(t, r, "start", OK, "ready in")
			want(t, r, "discover again", OK)
			want(t, r, "unicode", OK)
			want(t, r, "stop", OK)
			want(t, r, "samples", OK, "--samples g=FILE")
			others(t, r, test.check, test.also)
			if r.Plugin != "test" || r.Version != "1" || len(r.Groups) != 2 || len(r.SHA256) != 64 {
				t.Errorf("the report is of %q %q, %v, %s", r.Plugin, r.Version, r.Groups, r.SHA256)
			}
		})
	}
}

func TestBadStart(t *testing.T) {
	for name, test := range map[string]struct {
		spec   plugintest.Spec
		check  string
		status Status
		words  []string
	}{
		"noise":      {plugintest.Spec{Name: "p", Version: "1", Start: "noise"}, "standard output", Warning, []string{"Welcome to the plugin!", "before the handshake"}},
		"exit":       {plugintest.Spec{Name: "p", Start: "exit:3"}, "start", Failed, []string{"status 3", "config file missing"}},
		"hang":       {plugintest.Spec{Name: "p", Start: "hang"}, "start", Failed, []string{"did not announce itself within 2s", "thinking"}},
		"deaf":       {plugintest.Spec{Name: "p", Start: "deaf"}, "stop", Failed, []string{"had to be killed"}},
		"no version": {plugintest.Spec{Name: "p"}, "discover", Warning, []string{"no version"}},
		"twice":      {plugintest.Spec{Name: "p", Groups: []string{"weird:twice"}}, "discover", Failed, []string{`the group "g" twice`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.spec.Groups == nil {
				test.spec.Groups = []string{"g"}
			}
			c := Config{Sandbox: sandbox.Off, Path: plugintest.Install(t, t.TempDir(), "p", test.spec), Grace: 300 * time.Millisecond}
			if name == "hang" {
				c.StartTimeout = 2 * time.Second
			}
			r := run(t, c)
			want(t, r, test.check, test.status, test.words...)
			others(t, r, test.check, "stop")
		})
	}
}

func TestBadBatch(t *testing.T) {
	path := plugintest.Install(t, t.TempDir(), "p", plugintest.Spec{Name: "p", Version: "1", Groups: []string{"g"}})
	for name, test := range map[string]struct {
		sample string
		check  string
		status Status
		words  []string
		then   Status // of the next check
	}{
		"crash":        {`{"do":"exit","n":3}`, "one message", Failed, []string{"status 3", "must not end its process"}, Failed},
		"panic":        {`{"do":"panic","text":"boom"}`, "one message", Failed, []string{"panic: boom"}, Failed},
		"hang":         {`{"do":"wait","n":60000}`, "one message", Failed, []string{"did not answer in time"}, Skipped},
		"error":        {`{"do":"error","text":"not today"}`, "one message", Failed, []string{"not today", "reject them by their ids"}, Failed},
		"content type": {`{"do":"type","text":"nonsense"}`, "one message", Failed, []string{`"nonsense" is not a media type`}, Failed},
		"rejection":    {`{"do":"reject","text":"no good"}`, "one message", Warning, []string{"message 1 rejected: no good"}, Warning},
		"output":       {`{"do":"stdout","text":"hello there"}`, "standard output", Warning, []string{"hello there", "after it"}, OK},
		"plain errors": {`{"do":"stderr","text":"hello there"}`, "standard error", Warning, []string{"hello there", "plain text"}, OK},
		"send group":   {`{"a":"b"}`, "discover", OK, []string{"p 1, 1 group"}, OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 10 * time.Second
			if name == "hang" {
				limit = time.Second
			}
			r := run(t, Config{Sandbox: sandbox.Off, Path: path, CallTimeout: limit, Samples: map[host.GroupName][]json.RawMessage{
				"g": {json.RawMessage(test.sample)}, "other": {json.RawMessage(`1`)},
			}})
			want(t, r, "empty batch", OK, "text/plain, g.txt")
			want(t, r, test.check, test.status, test.words...)
			want(t, r, "1,000 messages", test.then)
			want(t, r, "samples", Failed, "does not declare")
			want(t, r, "leaves nothing", OK)
		})
	}
}

func TestRequest(t *testing.T) {
	path := plugintest.Install(t, t.TempDir(), "p", plugintest.Spec{Name: "p", Version: "1", Groups: []string{"request:g"}})
	for name, test := range map[string]struct {
		sample string
		status Status
		words  []string
	}{
		"good":      {`1`, OK, []string{"PUT to /g?count=100, 2 headers"}},
		"elsewhere": {`{"do":"request-url","text":"https://evil.example/"}`, Failed, []string{"configuration says where messages go"}},
		"error":     {`{"do":"request-error","text":"no address"}`, Failed, []string{"it failed: no address"}},
		"time":      {`{"do":"request-time"}`, Failed, []string{"another request when asked twice", "the same of the same batch"}},
		"hang":      {`{"do":"request-wait","n":60000}`, Failed, []string{"did not answer in time"}},
		"rejected":  {`{"do":"reject","text":"no good"}`, Skipped, []string{"no document to send"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 30 * time.Second
			if name == "hang" {
				limit = 5 * time.Second
			}
			r := run(t, Config{Sandbox: sandbox.Off, Path: path, CallTimeout: limit, Samples: map[host.GroupName][]json.RawMessage{"g": {json.RawMessage(test.sample)}}})
			want(t, r, "HTTP request", test.status, test.words...)
			others(t, r, "HTTP request")
		})
	}
}

// TestShippedPlugin checks a plugin that is built from source.
func TestShippedPlugin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csv")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/restante/restante/plugins/csv").CombinedOutput(); err != nil {
		t.Fatalf("build csv: %v\n%s", err, out)
	}
	var steps []string
	r, err := Run(t.Context(), Config{Sandbox: sandbox.BestEffort, Path: path, Progress: func(step string) { steps = append(steps, step) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed() || r.Count(Warning) > 0 {
		t.Errorf("the report is %+v", r)
	}
	want(t, r, "same bytes", OK, "32 runs over 2 processes")
	want(t, r, largeBatch, OK, "of 16 MiB")
	if !slices.Contains(steps, "csv: unicode") {
		t.Errorf("the steps were %q", steps)
	}
}

func TestNotAPlugin(t *testing.T) {
	folder := t.TempDir()
	if _, err := Run(t.Context(), Config{Path: filepath.Join(folder, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run without a file: %v", err)
	}
	if _, err := Run(t.Context(), Config{Path: folder}); err == nil {
		t.Error("Run on a folder: no error")
	}
	path := filepath.Join(folder, "text")
	if err := os.WriteFile(path, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, Config{Sandbox: sandbox.Off, Path: path})
	want(t, r, "file", Failed, "chmod +x")
	want(t, r, "start", Failed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Path: path}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run when it is cancelled: %v", err)
	}
}
