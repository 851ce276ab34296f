package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/host"
)

// TestErrors breaks a plugin and mends it, and asks who has done what.
func TestErrors(t *testing.T) {
	d := newDaemon(t, "csv")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(args ...string) string {
		t.Helper()
		return must(t, "", append(args, "--data", d.data)...)
	}
	const good, bad = "queue \"plain\" {}\nplugin \"csv\" {\n  settings {\n    delimiter = \";\"\n  }\n}\n", "plugin \"csv\" {\n  settings {\n    delimiter = \"\"\n  }\n}\n"
	configure(bad)
	d.start()
	if out := do("errors", "list"); out != "Nothing is wrong. What was: restante errors list --all\n" {
		t.Errorf("at first list prints\n%s", out)
	}
	line := regexp.MustCompile(`(?m) 1 +new +plugin +csv +([a-z2-7]{10})  The plugin csv is rejected: .*delimiter`)
	id := ""
	eventually(t, "the broken plugin is reported", func() error {
		out := do("errors", "list")
		if m := line.FindStringSubmatch(out); m != nil {
			id = m[1]
			return nil
		}
		return errors.New(out)
	})
	show := do("errors", "show", id)
	for _, want := range []string{"Error:        " + id, "Plugin file:  csv", "Times:        1, first 20", "Over:         not yet", "Seen:         by nobody yet", "the delimiter is"} {
		if !strings.Contains(show, want) {
			t.Errorf("show prints no %q:\n%s", want, show)
		}
	}
	if out := do("errors", "acknowledge", id); out != "acknowledged "+id+", which stays until it is over\n" {
		t.Errorf("acknowledge prints %q", out)
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if out := do("errors", "show", id); !strings.Contains(out, " by local operator "+own.Username+"\n") {
		t.Errorf("acknowledged show prints\n%s", out)
	}
	if out := do("errors", "list"); !strings.Contains(out, " seen ") {
		t.Errorf("acknowledged list prints\n%s", out)
	}

	configure(good)
	do("reload")
	eventually(t, "what was mended is over", func() error {
		if out := do("errors", "list"); strings.Contains(out, id) {
			return errors.New(out)
		}
		return nil
	})
	if out := do("errors", "list", "--all"); !strings.Contains(out, id) || !strings.Contains(out, " done ") {
		t.Errorf("list --all prints\n%s", out)
	}
	if out := do("errors", "reopen", id); out != "reopened "+id+"\n" {
		t.Errorf("reopen prints %q", out)
	}
	if out := do("errors", "list"); !strings.Contains(out, " over, reopened ") {
		t.Errorf("reopened list prints\n%s", out)
	}
	if _, errs, err := run(t, "", "errors", "acknowledge", id, "none", "--data", d.data); err == nil || !strings.Contains(errs, `no error with the id "none"`) || !strings.Contains(errs, "hint:") {
		t.Errorf("acknowledge of none prints %s, %v", errs, err)
	}
	var page []host.ListedReport
	if err := json.Unmarshal([]byte(do("errors", "list", "--all", "--json")), &page); err != nil || len(page) == 0 || page[len(page)-1].ID != id || page[len(page)-1].Number == 0 {
		t.Errorf("list --json prints %+v, %v", page, err)
	}

	must(t, `{"a":1}`, "add", "plain", "--key", "k1", "--data", d.data)
	do("messages", "show", "plain", "1")
	run(t, "", "plugins", "approve", "nobody", "--data", d.data)
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	// Without a daemon the same is known.
	if out := do("errors", "list", "--all"); !strings.Contains(out, id) {
		t.Errorf("list --all prints\n%s", out)
	}
	do("messages", "hold", "plain", "1")
	checkAudit(t, do, own.Username, id)
}

func checkAudit(t *testing.T, do func(args ...string) string, own, id string) {
	t.Helper()
	out := do("audit", "list", "--limit", "100")
	want := []string{
		"messages held +plain +1 *", "plugin approved: not done +- +nobody +.*no plugin.*", "plugin approved +- +nobody *", "message looked at +plain +1 *",
		`messages added +plain +- +7 bytes, idempotency key "k1"`, "error acknowledged: not done +- +none .*", "error acknowledged +- +none *",
		"error acknowledged +- +" + id + " *", "error reopened +- +" + id + " *", "configuration reloaded +- +- *",
		"error looked at +- +" + id + " *", "error acknowledged +- +" + id + " *", "error looked at +- +" + id + " *",
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")[1:]
	if len(lines) != len(want) {
		t.Fatalf("the audit log has %d entries, want %d:\n%s", len(lines), len(want), out)
	}
	for n, line := range lines {
		if !regexp.MustCompile(`^\S+ \S+  local operator +` + regexp.QuoteMeta(own) + ` +` + want[n] + `$`).MatchString(line) {
			t.Errorf("line %d is\n%s\nwant %s", n+1, line, want[n])
		}
	}
	if out := do("audit", "list", "--group", "plain", "--limit", "2"); strings.Count(out, " plain ") != 2 || !strings.Contains(out, "Older ones: --before ") {
		t.Errorf("of one group the log is\n%s", out)
	}
	if out := do("audit", "list", "--group", "nobody"); !strings.HasPrefix(out, "No such entries.") {
		t.Errorf("of no group the log is\n%s", out)
	}
	exported := 0
	for s := bufio.NewScanner(strings.NewReader(do("audit", "export"))); s.Scan(); exported++ {
		var e host.ListedAudit
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Number != uint64(len(want)-exported) || e.Time.IsZero() || e.Who != host.LocalOperator {
			t.Errorf("line %d of the export is %s, %v", exported+1, s.Bytes(), err)
		}
	}
	if exported != len(want) {
		t.Errorf("%d entries are exported", exported)
	}
	var page []host.ListedAudit
	if err := json.Unmarshal([]byte(do("audit", "list", "--json", "--limit", "1", "--before", fmt.Sprint(len(want)))), &page); err != nil || len(page) != 1 || page[0].Number != uint64(len(want)-1) {
		t.Errorf("list --json prints %+v, %v", page, err)
	}
}
