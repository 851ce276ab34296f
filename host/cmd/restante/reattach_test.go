package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReattach has a daemon use a plugin that runs by itself, as it would under a
// debugger.
func TestReattach(t *testing.T) {
	d := newDaemon(t, "csv")
	plugin := exec.CommandContext(t.Context(), filepath.Join(d.plugins, "csv"))
	plugin.Env = append(os.Environ(), "RESTANTE_DEBUG=1", "TMPDIR="+t.TempDir())
	out, err := plugin.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Start(); err != nil {
		t.Fatal(err)
	}
	defer plugin.Process.Kill()
	value := ""
	lines := bufio.NewScanner(out)
	for value == "" && lines.Scan() {
		if _, after, ok := strings.Cut(lines.Text(), "RESTANTE_REATTACH='"); ok {
			value = strings.TrimSuffix(after, "'")
		}
	}
	t.Setenv("RESTANTE_REATTACH", value)
	d.start()
	list := func() string { return must(t, "", "plugins", "list", "--data", d.data) }
	if out := list(); !strings.Contains(out, "csv (RESTANTE_REATTACH)  active") || !strings.Contains(out, "is the plugin \"csv\" already") {
		t.Errorf("list prints\n%s", out)
	}
	must(t, "1", "add", "csv", "--data", d.data)
	key := d.key("csv", "poll")
	if r, err := d.fetch(t.Context(), key, "csv"); err != nil || r.status != 200 || !strings.HasPrefix(string(r.body), "id,") {
		t.Errorf("fetch = %d %s, %v", r.status, r.body, err)
	}
	// The daemon lets go of it and leaves it alive, for the next one.
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.start()
	if r, err := d.fetch(t.Context(), key, "csv"); err != nil || r.status != 200 {
		t.Errorf("fetch = %d %s, %v", r.status, r.body, err)
	}
	if err := plugin.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := plugin.Wait(); err != nil {
		t.Errorf("the plugin ended with %v", err)
	}
	eventually(t, "the end of the plugin is noticed", func() error {
		if out := list(); !strings.Contains(out, "the connection to it ended") && !strings.Contains(out, "backing off") {
			return errors.New(out)
		}
		return nil
	})
	t.Log(list())
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"{", `{"csv":{"address":"relative","version":1}}`} {
		t.Setenv("RESTANTE_REATTACH", bad)
		if _, errs, err := run(t, "", "serve", "--data", d.data); err == nil || !strings.Contains(errs, "RESTANTE_REATTACH") {
			t.Errorf("with %s: %v %s", bad, err, errs)
		}
	}
}
