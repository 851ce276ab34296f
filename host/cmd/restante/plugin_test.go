//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restante/restante/host"
)

// TestNewPlugin writes a plugin's repository from within this checkout, does
// with it what its author would do first, without a network, and checks it.
func TestNewPlugin(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	dir := filepath.Join(t.TempDir(), "it's new")
	out := must(t, "", "plugin", "new", "student-records", "--group", "student:all", "--module", "example.org/acme/records", "--dir", dir)
	for _, want := range []string{"main_test.go", "\n  cd '", "make test", "restante plugins check bin/student-records --samples student:all=samples.ndjson"} {
		if !strings.Contains(out, want) {
			t.Errorf("it printed no %q:\n%s", want, out)
		}
	}
	for _, command := range []string{"gofmt -l -d .", "go mod tidy -diff", "go vet ./...", "go test ./...", "make build"} {
		words := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || words[0] == "gofmt" && len(out) > 0 {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	report := must(t, "", "plugins", "check", filepath.Join(dir, "bin", "student-records"),
		"--samples", "student:all="+filepath.Join(dir, "samples.ndjson"), "--repeats", "4")
	for _, want := range []string{"student-records 0.1.0", "Group student:all", "4 runs over 2 processes gave the same", "Nothing failed in 21 checks."} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}

	// A second one, and one that go can't complete.
	if _, errs, err := run(t, "", "plugin", "new", "other", "--dir", dir); err == nil || !strings.Contains(errs, dir) || !strings.Contains(errs, "restante: hint: ") {
		t.Errorf("a second plugin in the same folder: %v\n%s", err, errs)
	}
	cmd := restante(t.Context(), "plugin", "new", "other", "--json")
	cmd.Dir = t.TempDir()
	text, err := cmd.Output()
	var made struct {
		Dir, Name, Group, Incomplete string
		Files                        []string
	}
	if err != nil || json.Unmarshal(text, &made) != nil || made.Incomplete == "" || made.Group != "other" || len(made.Files) < 10 {
		t.Errorf("plugin new outside of a checkout, without a network: %v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(made.Dir, "main.go")); err != nil {
		t.Error(err)
	}
}

// TestNewPluginLanguages writes plugins in other languages, builds and checks them
// as they are, and then with all that their helpers can do.
func TestNewPluginLanguages(t *testing.T) {
	sources := map[string]struct{ file, text string }{
		"python": {"plugin.py", `
import json, logging
import restante_plugin as restante

def configure(settings):
    if settings["mode"] == "bad":
        raise ValueError("the mode is bad")

def write(batch):
    if batch.settings["mode"] == "fail":
        raise RuntimeError("out of \u00fcse")
    print("a line that is printed")
    logging.getLogger("mine").warning("written as %s", "asked")
    numbers = restante.read_json(b'[1.50, 1e400, -0, "7"]')
    text = json.dumps([batch.group, batch.token, batch.settings, numbers, [[m.id, m.time] for m in batch.messages]], sort_keys=True)
    return restante.Document("application/json", text.encode())

restante.serve("all", "1", [restante.Group("all", "All", write), restante.Group("none", "No format", method="send", schedule="@daily")],
    [restante.Setting("mode", str, "What it does", "good"), restante.Setting("number", float, required=True), restante.Setting("flag", bool)], configure)
`},
		"node": {"plugin.js", `
const restante = require('./restante-plugin');

function configure(settings) {
  if (settings.mode === 'bad') throw new Error('the mode is bad');
}

function write(batch) {
  if (batch.settings.mode === 'fail') throw new Error('out of \u00fcse');
  console.log('a line that is printed');
  restante.log('warn', 'written as asked');
  const numbers = restante.readJSON(Buffer.from('[1.50, 1e400, -0, "7"]')).map(String);
  const { mode, number, flag } = batch.settings;
  const settings = { ...(flag === undefined ? {} : { flag }), mode, number };
  const body = JSON.stringify([batch.group, batch.token, settings, numbers, batch.messages.map((m) => [Number(m.id), m.time])]);
  return { contentType: 'application/json', body };
}

restante.serve({ name: 'all', version: '1', configure,
  groups: [{ name: 'all', title: 'All', writeMessages: write }, { name: 'none', title: 'No format', method: 'send', schedule: '@daily' }],
  settings: [{ name: 'mode', type: 'string', description: 'What it does', default: 'good' }, { name: 'number', type: 'number', required: true }, { name: 'flag', type: 'bool' }] });
`},
	}
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			needLanguage(t, l.needs, l.probe)
			dir := filepath.Join(t.TempDir(), "new")
			out := must(t, "", "plugin", "new", "records", "--lang", l.name, "--group", "student:all", "--dir", dir)
			file, source := filepath.Join(dir, "bin", "records"), sources[l.name]
			for _, want := range []string{source.file + "\n", "make build", "restante plugins check bin/records --samples student:all=samples.ndjson"} {
				if !strings.Contains(out, want) || strings.Contains(out, "make test") {
					t.Errorf("it printed no %q:\n%s", want, out)
				}
			}
			build := func() {
				cmd := exec.CommandContext(t.Context(), "make", "-s", "build")
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("make build: %v\n%s", err, out)
				}
			}
			build()
			report := must(t, "", "plugins", "check", file, "--samples", "student:all="+filepath.Join(dir, "samples.ndjson"), "--repeats", "4", "--timeout", "2m")
			for _, want := range []string{"records 0.1.0", "Group student:all", "4 runs over 2 processes gave the same", "Nothing failed in 21 checks."} {
				if !strings.Contains(report, want) {
					t.Errorf("the report has no %q:\n%s", want, report)
				}
			}
			// The samples give what they give in Go.
			text, err := os.ReadFile(filepath.Join(dir, "samples.ndjson"))
			if err != nil {
				t.Fatal(err)
			}
			samples, err := host.CheckLines(text)
			if err != nil {
				t.Fatal(err)
			}
			b := studentBatch("T", samples[:3])
			b.Group = "student:all"
			const table = "id,time,student,action\n1,2019-02-15T14:02:01Z,S1001,enrol\n2,2019-02-15T14:02:02Z,S1002,withdraw\n" +
				"3,2019-02-15T14:02:03Z,\"Zoë \"\"Zed\"\" O'Brien, née Łukasiewicz\",enrol\n"
			if w := write(t, startPlugin(t, file), b); string(w.document.Body) != table || w.document.Filename != "student-all.csv" {
				t.Errorf("it wrote %+v, want %s", w, table)
			}

			if err := os.WriteFile(filepath.Join(dir, source.file), []byte(source.text), 0o600); err != nil {
				t.Fatal(err)
			}
			build()
			helper(t, file)
		})
	}
}

// helper tries what the helper of a language does: settings, errors and output.
func helper(t *testing.T, file string) {
	t.Helper()
	b := studentBatch("T", []json.RawMessage{json.RawMessage("1")})
	b.Group = "all"
	for name, c := range map[string]struct{ settings, refused, failure, text string }{
		"all":       {`{"mode":"x","number":1.5,"flag":false}`, "", "", `{"flag": false, "mode": "x", "number": 1.5}`},
		"defaults":  {`{"number":2.5}`, "", "", `{"mode": "good", "number": 2.5}`},
		"their own": {`{"mode":"bad","number":1}`, "the mode is bad", "", ""},
		"no value":  {`{}`, `the setting "number" has no value`, "", ""},
		"type":      {`{"number":"1"}`, `the setting "number" is not of its type`, "", ""},
		"bool":      {`{"number":true}`, `the setting "number" is not of its type`, "", ""},
		"unknown":   {`{"number":1,"other":1}`, `there is no setting "other"`, "", ""},
		"no object": {`[]`, "the settings are no JSON object", "", ""},
		"fails":     {`{"mode":"fail","number":1}`, "", "it failed: out of üse", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlugin(t, file)
			d, err := p.Discover(t.Context())
			if err != nil || len(d.Settings) != 3 || len(d.Groups) != 2 || d.Groups[1].Formats || d.Groups[1].Method != host.Send || d.Groups[1].Schedule != "@daily" || string(d.Settings[0].Default) != `"good"` || !d.Settings[1].Required {
				t.Errorf("Discover = %+v, %v", d, err)
			}
			err = p.Configure(t.Context(), []byte(c.settings))
			if c.refused != "" {
				if err == nil || err.Error() != "it failed: "+c.refused {
					t.Errorf("Configure(%s) = %v, want %q", c.settings, err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Configure(t.Context(), []byte(c.settings)); err == nil || !strings.Contains(err.Error(), "configured already") {
				t.Errorf("a second Configure = %v", err)
			}
			w := write(t, p, b)
			want := ""
			if c.failure == "" {
				want = strings.ReplaceAll(`["all", "T", `+c.text+`, ["1.50", "1e400", "-0", "7"], [[1, "2019-02-15T14:02:01Z"]]]`, " ", "")
			}
			if got := strings.ReplaceAll(string(w.document.Body), " ", ""); got != want || w.failure != c.failure {
				t.Errorf("it wrote %s, %q, want %s, %q", got, w.failure, want, c.failure)
			}
		})
	}
	report := must(t, "", "plugins", "check", file, "--set", "number=3", "--repeats", "2", "--timeout", "2m")
	for _, want := range []string{"warn: written as asked", "nothing printed", "Nothing failed in"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %q:\n%s", want, report)
		}
	}
}
