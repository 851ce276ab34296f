package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/host"
)

// root is the module's folder.
const root = "../../.."

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	running := newDaemon(t)
	running.start()
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.hcl")
	if err := os.WriteFile(bad, []byte("listen = \"127.0.0.1:1\"\nlisten_on = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := func() string { return filepath.Join(t.TempDir(), "data") }
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"a port in use": {[]string{"--data", fresh(), "--listen", taken.Addr().String()},
			[]string{"in use by another program", "hint:", "--listen"}},
		"a data folder in use": {[]string{"--data", running.data, "--listen", "127.0.0.1:0"},
			[]string{"in use by another daemon", "hint:", "--data"}},
		"a data folder open to others": {[]string{"--data", open, "--listen", "127.0.0.1:0"},
			[]string{"open to other users", "hint: run: chmod 700 " + open}},
		"a file as data folder":      {[]string{"--data", bad, "--listen", "127.0.0.1:0"}, []string{bad}},
		"a bad address":              {[]string{"--data", fresh(), "--listen", "8089"}, []string{"ADDRESS:PORT"}},
		"a bad configuration":        {[]string{"--data", fresh(), "--config", bad}, []string{"line 2", "listen_on", bad}},
		"a configuration of nothing": {[]string{"--data", fresh(), "--config", bad + "x"}, []string{"no such file"}},
		"an unknown flag":            {[]string{"--port", "1"}, []string{"unknown flag: --port", "hint:", "--help"}},
		"an unknown log level":       {[]string{"--data", fresh(), "--log-level", "loud"}, []string{"loud", "debug"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, err := run(t, "", append([]string{"serve"}, c.args...)...)
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || out != "" {
				t.Errorf("serve = %v with %q on standard output, want exit status 1", err, out)
			}
			for _, want := range append(c.want, "restante: error: ") {
				if !strings.Contains(errs, want) {
					t.Errorf("serve printed %s, want %q", errs, want)
				}
			}
			if strings.Contains(errs, "goroutine") {
				t.Errorf("serve panicked: %s", errs)
			}
		})
	}
	running.key("plain", "add") // it goes on
}

func TestStopAnswersWhatIsInFlight(t *testing.T) {
	d := newDaemon(t)
	d.start()
	key := d.key("plain", "poll")
	type outcome struct {
		response
		err error
	}
	waiting := make(chan outcome)
	go func() {
		r, err := d.call(t.Context(), "GET", "poll/plain/fetch?wait=60", key, "", nil)
		waiting <- outcome{r, err}
	}()
	// The key's time of use shows that the poll has been let in.
	eventually(t, "the poll waits", func() error {
		c := d.client()
		defer c.Close()
		keys, err := c.Keys(t.Context())
		if err == nil && keys[0].Used.IsZero() {
			err = errors.New("the key is unused")
		}
		return err
	})
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Errorf("the daemon ended with %v, want exit status 0", err)
	}
	if o := <-waiting; o.err != nil || o.status != http.StatusOK {
		t.Errorf("the poll that waited got %d %s, %v", o.status, o.body, o.err)
	}
	if _, err := os.Stat(filepath.Join(d.data, "control.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket is left behind: %v", err)
	}
	for _, want := range []string{`"@message":"started"`, `"@message":"stopping"`, `"@message":"stopped"`} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}

func TestLongDataPath(t *testing.T) {
	d := newDaemon(t)
	d.data = filepath.Join(t.TempDir(), strings.Repeat("long-", 20), strings.Repeat("path-", 20))
	d.start()
	if out := must(t, "[1]", "add", "plain", "--data", d.data); out != "1\n" {
		t.Errorf("add prints %q", out)
	}
}

// TestBadPlugins drops everything but a plugin into the folder, and one plugin
// twice: the good ones serve, the bad ones are named with the reason.
func TestBadPlugins(t *testing.T) {
	d := newDaemon(t, "csv")
	good, err := os.ReadFile(filepath.Join(d.plugins, "csv"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := bytes.Clone(good)
	foreign[18], foreign[19] = 0xF3, 0 // e_machine of the ELF header: RISC-V
	for name, f := range map[string]struct {
		content []byte
		mode    os.FileMode
	}{
		"text":           {[]byte("this is no program\n"), 0o755},
		"truncated":      {good[:len(good)/3], 0o755},
		"foreign":        {foreign, 0o755},
		"not-executable": {good, 0o644},
		"not-a-plugin":   {[]byte("#!/bin/sh\necho hello; exit 3\n"), 0o755},
		"future":         {[]byte("#!/bin/sh\necho '1|99|unix|/nowhere|grpc|'; sleep 60\n"), 0o755},
	} {
		if err := os.WriteFile(filepath.Join(d.plugins, name), f.content, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	if err := os.WriteFile(filepath.Join(d.plugins, "second-csv"), good, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"csv": "", "text": "not a program", "truncated": "cut short", "foreign": "riscv",
		"not-executable": "chmod", "not-a-plugin": "status 3", "future": "99", "second-csv": `csv`,
	}
	c := d.client()
	defer c.Close()
	eventually(t, "all files have their state", func() error {
		all, err := c.Plugins(t.Context())
		if err != nil {
			return err
		}
		if len(all) != len(want) {
			return fmt.Errorf("%d files are listed, want %d", len(all), len(want))
		}
		for _, p := range all {
			if p.State == host.PluginStarting {
				return fmt.Errorf("%s is starting", p.File)
			}
			if (p.State == host.PluginActive) != (p.File == "csv") || !strings.Contains(strings.ToLower(p.Reason), want[p.File]) {
				return fmt.Errorf("%s is %s: %s, want %q", p.File, p.State, p.Reason, want[p.File])
			}
		}
		return nil
	})
	all, err := c.Plugins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		t.Logf("%-14s %-11s %s", p.File, p.State, p.Reason)
	}
	key := d.key("csv", "poll,add")
	r, err := d.call(t.Context(), "POST", "add/csv", key, "application/json", strings.NewReader(`{"a":1}`))
	if err != nil || r.status != http.StatusCreated {
		t.Errorf("add answers %d %s, %v", r.status, r.body, err)
	}
	if r, err := d.fetch(t.Context(), key, "csv"); err != nil || !strings.HasPrefix(string(r.body), "id,datetime,a\r\n1,") {
		t.Errorf("fetch answers %d %s, %v", r.status, r.body, err)
	}
}

// TestMissingPlugin takes the plugin away: adds go on, a fetch says why not,
// and with the plugin back everything is there.
func TestMissingPlugin(t *testing.T) {
	d := newDaemon(t, "csv")
	d.start()
	key := d.key("csv", "poll,add")
	add := func(want string) {
		t.Helper()
		r, err := d.call(t.Context(), "POST", "add/csv", key, "application/json", strings.NewReader(`{"a":1}`))
		if err != nil || string(r.body) != want {
			t.Errorf("add answers %s, %v, want %s", r.body, err, want)
		}
	}
	status := func(want int, words string) {
		t.Helper()
		eventually(t, fmt.Sprintf("a fetch answers %d", want), func() error {
			r, err := d.fetch(t.Context(), key, "csv")
			if err == nil && (r.status != want || !strings.Contains(string(r.body), words)) {
				err = fmt.Errorf("it answers %d %s", r.status, r.body)
			}
			return err
		})
	}
	add(`{"id":1}`)
	status(200, "\r\n1,")
	file := filepath.Join(d.plugins, "csv")
	if err := os.Rename(file, file+".tmp"); err != nil {
		t.Fatal(err)
	}
	status(503, "not in the plugin folder")
	add(`{"id":2}`)
	d.stop(syscall.SIGTERM)
	d.start()
	add(`{"id":3}`)
	status(503, "not in the plugin folder")
	if err := os.Rename(file+".tmp", file); err != nil {
		t.Fatal(err)
	}
	status(200, "\r\n3,")
}

// TestFullDisk fills the disk of the data folder: adds are refused, marks go
// on where they can, and nothing that was answered is lost.
func TestFullDisk(t *testing.T) {
	d := newDaemon(t)
	if err := os.MkdirAll(d.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", d.data).CombinedOutput(); err != nil {
		t.Skipf("mounting a small disk needs root: %v %s", err, out)
	}
	t.Cleanup(func() {
		if d.cmd != nil {
			d.stop(syscall.SIGKILL)
		}
		if out, err := exec.Command("umount", d.data).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	d.start()
	key := d.key("plain", "poll,add")
	message := []byte(`"` + strings.Repeat("x", 100_000) + `"`)
	add := func() response {
		t.Helper()
		r, err := d.call(t.Context(), "POST", "add/plain", key, "application/json", bytes.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	answered := 0
	r := add()
	for ; r.status == http.StatusCreated; r = add() {
		answered++
	}
	if r.status != http.StatusServiceUnavailable || !strings.Contains(string(r.body), "no space left") || answered < 10 {
		t.Fatalf("after %d adds an add answers %d %s", answered, r.status, r.body)
	}
	t.Logf("full after %d adds: %s", answered, r.body)
	d.stop(syscall.SIGKILL)
	d.start()
	if r := add(); r.status == http.StatusCreated {
		answered++ // a small rest may have been free
	}
	got := 0
	for {
		r, err := d.fetch(t.Context(), key, "plain")
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("fetch answers %d %s, %v", r.status, r.body, err)
		}
		var doc defaultDocument
		if err := json.Unmarshal(r.body, &doc); err != nil {
			t.Fatal(err)
		}
		for _, m := range doc.Messages {
			if !bytes.Equal(m.Data, message) {
				t.Errorf("message %d came back with %d bytes", m.ID, len(m.Data))
			}
		}
		got += len(doc.Messages)
		if len(doc.Messages) == 0 {
			break
		}
		if _, err := d.mark(t.Context(), key, "plain", doc.Token); err != nil {
			t.Fatalf("a mark on a full disk: %v", err)
		}
	}
	if got != answered {
		t.Errorf("%d messages came out, %d were answered", got, answered)
	}
	out := must(t, "", "messages", "prune", "plain", "--before", "1ns", "--data", d.data)
	if want := fmt.Sprintf("Deleted: %d\n", answered); out != want {
		t.Errorf("prune prints %q, want %q", out, want)
	}
	eventually(t, "adds go on with space", func() error {
		if r := add(); r.status != http.StatusCreated {
			return fmt.Errorf("add answers %d %s", r.status, r.body)
		}
		return nil
	})
}
