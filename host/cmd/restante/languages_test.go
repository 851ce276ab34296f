//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// languages are those that plugins are written in beside Go, each with a command
// that succeeds where they can be built and run. A plugin's own PATH is
// /usr/bin:/bin.
var languages = []struct{ name, needs, probe string }{
	{"python", "python3-grpcio and python3-protobuf", "python3 -m zipapp --help && PATH=/usr/bin:/bin python3 -c 'import grpc, google.protobuf'"},
	{"node", "nodejs and npm", "npm --version && PATH=/usr/bin:/bin node --version"},
}

func needLanguage(t *testing.T, needs, probe string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", probe).CombinedOutput(); err != nil {
		t.Skipf("this needs %s: run \"make deps\" (%v)\n%s", needs, err, out)
	}
}

// TestLanguages builds the plugin student-records in other languages, has
// "plugins check" try them, and compares what they write with what the Go plugin
// writes, byte for byte.
func TestLanguages(t *testing.T) {
	samples := filepath.Join("..", "..", "..", "examples", "messages", "student.ndjson")
	d := newDaemon(t, "student-records")
	reference := startPlugin(t, filepath.Join(d.plugins, "student-records"))
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			needLanguage(t, l.needs, l.probe)
			file := filepath.Join(t.TempDir(), "student-records")
			build := exec.CommandContext(t.Context(), filepath.Join("..", "..", "..", "examples", l.name, "build.sh"), file)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, out)
			}
			compareFormatters(t, reference, startPlugin(t, file), samples)
			report := must(t, "", "plugins", "check", file, "--sandbox", enforced(t), "--samples", "student="+samples, "--repeats", "8", "--timeout", "2m")
			if !strings.Contains(report, "Nothing failed in") || strings.Contains(report, "  warning  ") {
				t.Errorf("plugins check:\n%s", report)
			}
		})
	}
}

func startPlugin(t *testing.T, file string) *process.Process {
	t.Helper()
	p, err := process.Start(t.Context(), process.Config{
		Name: filepath.Base(file), Path: file, Log: hclog.NewNullLogger(), CallTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// compareFormatters wants two plugins to describe themselves alike and to give
// the same answers to batches of samples and of odd messages.
func compareFormatters(t *testing.T, want, got *process.Process, samples string) {
	t.Helper()
	describe := func(p *process.Process) process.Description {
		d, err := p.Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.Build = process.Build{}
		return d
	}
	if w, g := describe(want), describe(got); !reflect.DeepEqual(w, g) {
		t.Errorf("Discover = %+v, want %+v", g, w)
	}

	text, err := os.ReadFile(samples)
	if err != nil {
		t.Fatal(err)
	}
	data, err := host.CheckLines(text)
	if err != nil {
		t.Fatal(err)
	}
	// More than the 4 MiB that gRPC takes unless told otherwise.
	large := bytes.Replace(data[0], []byte("Åkesson"), bytes.Repeat([]byte("Å<"), 2<<20), 1)
	changed := oddMessages(t, data)
	batches := map[string]host.Batch{
		"none":  studentBatch("T", nil),
		"one":   studentBatch("T", data[:1]),
		"16":    studentBatch("T", data[:16]),
		"all":   studentBatch("T", data),
		"large": studentBatch("T", []json.RawMessage{data[1], large}),
		"token": studentBatch(`a"b<c>&'d`, data[:2]),
		"odd":   studentBatch("T", changed),
	}
	batches["stranger"] = host.Batch{Group: "stranger", Token: "T"}
	// Every time and id that there may be.
	times := studentBatch("T", data[:6])
	for i, at := range []time.Time{time.Unix(0, 0), time.Unix(1, 1), time.Unix(1550239321, 120_000_000), time.Unix(-1, 999_999_999),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)} {
		times.Messages[i].Time, times.Messages[i].ID = at, host.ID(1)<<(12*i)+1
	}
	batches["times"] = times

	accepted := changed[:0:0]
	for name, b := range batches {
		w, g := write(t, want, b), write(t, got, b)
		w.compare(t, name, g, b)
		if name == "odd" {
			rejected := map[host.ID]bool{}
			for _, r := range w.rejections {
				rejected[r.ID] = true
			}
			for _, m := range b.Messages {
				if !rejected[m.ID] {
					accepted = append(accepted, m.Data)
				}
			}
			if len(rejected) < 500 || len(accepted) < 500 {
				t.Errorf("of the odd messages %d are rejected and %d accepted, want 500 of both", len(rejected), len(accepted))
			}
		}
	}
	b := studentBatch("T", accepted)
	write(t, want, b).compare(t, "odd and accepted", write(t, got, b), b)

	// No daemon makes such a token; the text is the formatter's own.
	if o := write(t, got, studentBatch("\x01", data[:1])); !strings.Contains(o.failure, "can't be written in XML") {
		t.Errorf("a token that is not XML: %+v", o)
	}
}

func studentBatch(token host.Token, data []json.RawMessage) host.Batch {
	b := host.Batch{Group: "student", Token: token}
	for i, d := range data {
		b.Messages = append(b.Messages, host.Message{ID: host.ID(i + 1), Time: time.Unix(1550239321+int64(i), 0), Data: d})
	}
	return b
}

// written is what came of a batch.
type written struct {
	document   host.Document
	rejections []host.Rejection
	failure    string
}

func write(t *testing.T, p *process.Process, b host.Batch) (w written) {
	t.Helper()
	var err error
	w.document, w.rejections, err = p.WriteMessages(t.Context(), b)
	if err != nil {
		w.failure = err.Error()
		if _, ok := errors.AsType[*process.FailedError](err); !ok {
			t.Errorf("a batch of %d messages: %v", len(b.Messages), err)
		}
	}
	return w
}

func (w written) compare(t *testing.T, name string, got written, b host.Batch) {
	t.Helper()
	if w.failure != got.failure {
		t.Errorf("%s: it fails with %q, want %q", name, got.failure, w.failure)
	}
	if w.document.ContentType != got.document.ContentType || w.document.Filename != got.document.Filename {
		t.Errorf("%s: it is %s, %s, want %s, %s", name, got.document.ContentType, got.document.Filename, w.document.ContentType, w.document.Filename)
	}
	if w, g := w.document.Body, got.document.Body; !bytes.Equal(w, g) {
		at := 0
		for at < min(len(w), len(g)) && w[at] == g[at] {
			at++
		}
		const around = 200
		t.Errorf("%s: from byte %d on it is\n%s\nwant\n%s", name, at, g[max(0, at-around):min(len(g), at+around)], w[max(0, at-around):min(len(w), at+around)])
	}
	if len(w.rejections) != len(got.rejections) {
		t.Errorf("%s: %d messages are rejected, want %d", name, len(got.rejections), len(w.rejections))
	}
	const most = 5
	for i, shown := 0, 0; i < min(len(w.rejections), len(got.rejections)) && shown < most; i++ {
		if w.rejections[i] != got.rejections[i] {
			shown++
			t.Errorf("%s: the rejection is %v, want %v", name, got.rejections[i], w.rejections[i])
			for _, m := range b.Messages {
				if m.ID == w.rejections[i].ID {
					t.Logf("message %d is %.600s", m.ID, m.Data)
				}
			}
		}
	}
}

// oddMessages returns variants of messages: each value in turn is replaced by
// each of the odd values.
func oddMessages(t *testing.T, samples []json.RawMessage) []json.RawMessage {
	t.Helper()
	values := []any{
		nil, true, []any{}, []any{nil}, []any{"text"}, []any{map[string]any{"code": 1}}, map[string]any{}, map[string]any{"id": nil, "code": "X"},
		"", " ", "\u0085", "\u00a0\u3000\u2028", "\x1c", "\x00", "\ufeff", "a\ufffeb", "😀ä\u0001", "\U0010ffff", "\ufffd",
		"<b>&amp;'\"]]>\t\r\n", "e\u0301", "محمد \u202e", strings.Repeat("Größe 🙂", 50),
		"2024-02-29", "2023-02-29", "0000-01-01", "0001-01-01", "2024-13-01", "2024-1-01", "9999-12-31", "٢٠٢٤-01-01", "2024-02-29\n", "2024-02-29T00:00:00Z",
		"a@b", "a@b@c", "a@b\u00a0c", " a@b", "a@b\u0085", "a@b\v", "a@\x01", "S1234567", "S1234567\n", "s1234567", "S١٢٣٤٥٦٧", "A.b_c-d", "-a", "20", "create", "withdraw",
		json.Number("0"), json.Number("20"), json.Number("999"), json.Number("1000"), json.Number("-0"), json.Number("67.50"), json.Number("100"), json.Number("100.000"),
		json.Number("100.5"), json.Number("1e1"), json.Number("1E+2"), json.Number("0.10000000000000000000001"), json.Number("12345678901234567890"),
	}
	var all []json.RawMessage
	add := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	for _, v := range values {
		if v != nil { // the daemon takes no null
			add(v)
		}
	}
	// A create, a withdrawal, and one with marks and a missing name.
	for _, i := range []int{0, 7, 11, 23} {
		var root any
		d := json.NewDecoder(bytes.NewReader(samples[i%len(samples)]))
		d.UseNumber()
		if err := d.Decode(&root); err != nil {
			t.Fatal(err)
		}
		add(upperCase(root))
		replaceEach(root, func(set func(any)) {
			for _, v := range values {
				set(v)
				add(root)
			}
		})
	}
	for _, text := range []string{
		`{"unknown":{"a":[1,2.50]},"action":"create","__proto__":{"action":"x"},"constructor":1,"given":true,"toString":2}`,
		`{"action":7,"student":{"id":8}}`, `{"student":{"modules":{"code":1}},"action":7}`, `{"withdrawal":true,"action":[]}`,
		`{"action":"withdraw","withdrawal":{}}`, `{"action":"create","withdrawal":{}}`, `{"action":"x","withdrawal":{}}`, fmt.Sprintf(`{"action":%q}`, "create "),
	} {
		all = append(all, json.RawMessage(text))
	}
	return all
}

// replaceEach calls f for every value below v, with a function that replaces it.
func replaceEach(v any, f func(set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			replaceEach(inner, f)
			f(func(with any) { v[name] = with })
			v[name] = inner
		}
	case []any:
		for i, inner := range v {
			replaceEach(inner, f)
			f(func(with any) { v[i] = with })
			v[i] = inner
		}
	}
}

// upperCase returns v with other names: Go's JSON package reads them as the same.
func upperCase(v any) any {
	switch v := v.(type) {
	case map[string]any:
		other := map[string]any{}
		for name, inner := range v {
			other[strings.ToUpper(name)] = upperCase(inner)
		}
		return other
	case []any:
		var other []any
		for _, inner := range v {
			other = append(other, upperCase(inner))
		}
		return other
	}
	return v
}

// TestProtocolPage holds the contract in the page for authors to the contract.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "plugin-protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	contract, err := os.ReadFile(filepath.Join("..", "..", "..", "proto", "formatter", "v1", "formatter.proto"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, append(append([]byte("\n```proto\n"), contract...), "```\n"...)) {
		t.Error(`docs/plugin-protocol.md has another formatter.proto: run "make contract"`)
	}
}
