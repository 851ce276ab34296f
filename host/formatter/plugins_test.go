//go:build unix

package formatter_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func TestNoPlugins(t *testing.T) {
	s := newShop(t)
	s.remove(".")
	s.open().ready()
	if got := s.List(); len(got) != 0 {
		t.Errorf("List() = %v", got)
	}
	if info, err := os.Stat(s.private); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("private folder: %v, %v", info, err)
	}
	if got := s.unavailable("student-plugin", "student", "1"); !strings.Contains(got, "none of the files in the plugin folder is this plugin: the folder is "+s.folder) {
		t.Errorf("reason: %q", got)
	}
	if err := s.Plugins.Run(t.Context()); err == nil {
		t.Error("a second Run: no error")
	}
}

func TestConfig(t *testing.T) {
	if _, err := formatter.New(formatter.Config{}); err == nil {
		t.Error("New: no error for an empty config")
	}
	s := newShop(t).open().ready()
	bad := s.config
	bad.Private = bad.Folder
	if _, err := formatter.New(bad); err == nil {
		t.Error("New: no error for one folder with two uses")
	}
}

func TestServe(t *testing.T) {
	s := newShop(t)
	s.put("student", plugintest.Spec{Name: "student-plugin", Version: "1.0.0", Groups: []string{"student", "send:letters"}})
	s.open()
	if got := s.unavailable("student-plugin", "student", "1"); got == "" {
		t.Error("no reason before it is ready")
	}
	s.ready()
	d, err := s.WriteMessages(t.Context(), "student-plugin", batch("student", `{"a":1}`))
	if want := "student/T/1.0.0\n1 1970-01-01T00:00:01Z {\"a\":1}\n"; err != nil || string(d.Body) != want {
		t.Errorf("WriteMessages() = %q, %v, want %q", d.Body, err, want)
	}
	got := s.status("student")
	if got.State != host.PluginActive || got.Reason != "" || got.Name != "student-plugin" || got.Version != "1.0.0" ||
		!slices.Equal(got.Groups, []host.GroupName{"letters", "student"}) || got.PID == 0 || len(got.Digest) != 64 || got.Restarts != 0 {
		t.Errorf("List() = %+v", got)
	}
	q, err := s.queues.Queue("letters")
	want := host.Queue{Group: "letters", Method: host.Send, Title: "Title of send:letters", Schedule: "@daily", Plugin: "student-plugin", Formats: true, File: "student"}
	if err != nil || q != want {
		t.Errorf("Queue(letters) = %+v, %v, want %+v", q, err, want)
	}
	_, err = s.WriteMessages(t.Context(), "student-plugin", batch("student", `{"do":"reject","text":"no name"}`))
	if rejected, ok := errors.AsType[*host.RejectedError](err); !ok || rejected.Plugin != "student-plugin" || !slices.Equal(rejected.Rejections, []host.Rejection{{ID: 1, Reason: "no name"}}) {
		t.Errorf("WriteMessages() = %v, want a *RejectedError", err)
	}
	if got := s.unavailable("student-plugin", "student", `{"do":"error","text":"bad\nday\n\ngoroutine 1"}`); !strings.HasSuffix(got, "it failed: bad day") {
		t.Errorf("reason: %q", got)
	}
	if got := s.unavailable("student-plugin", "other", "1"); !strings.Contains(got, `"1.0.0" does not declare the group "other"`) {
		t.Errorf("reason: %q", got)
	}
}

func TestCrashAndRestart(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	if got, want := s.unavailable("student-plugin", "student", `{"do":"panic","text":"boom"}`), "its process ended over this batch; it is started again: it crashed: panic: boom"; got != want {
		t.Errorf("reason: %q, want %q", got, want)
	}
	s.serves("student", "1")
	if got := s.status("student"); got.Restarts != 1 || got.State != host.PluginActive {
		t.Errorf("List() = %+v", got)
	}
	for _, want := range []string{"plugin panicked", "plugin ended", `reason="it crashed: panic: boom"`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("%q is not in the log", want)
		}
	}
}

func TestTheDeadlineKills(t *testing.T) {
	s := newShop(t)
	s.config.CallTimeout = 300 * time.Millisecond
	s.install("student", "1")
	s.open().ready()
	for _, do := range []string{`{"do":"spin"}`, `{"do":"stop"}`} {
		if got, want := s.unavailable("student-plugin", "student", do), "it took longer than 300ms over 1 message and was killed; it is started again"; got != want {
			t.Errorf("reason: %q, want %q", got, want)
		}
		s.serves("student", "1")
	}
}

func TestACallerThatGivesUp(t *testing.T) {
	s := newShop(t)
	s.config.CallTimeout = 400 * time.Millisecond
	s.install("student", "1")
	s.open().ready()
	pid := s.status("student").PID
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.WriteMessages(ctx, "student-plugin", batch("student", `{"do":"spin"}`)); err != context.DeadlineExceeded {
		t.Errorf("WriteMessages() = %v, want the error of the context", err)
	}
	// It does not spin for ever.
	s.eventually("it is killed", func() bool { st := s.status("student"); return st.State == host.PluginActive && st.PID != pid })
}

func TestBadFilesHarmNobody(t *testing.T) {
	s := newShop(t)
	s.config.StartTimeout = 3 * time.Second
	s.install("good", "1")
	for file, how := range map[string]string{"hangs": "hang", "exits": "exit:3", "old": "netrpc", "future": "say:1|9|unix|DIR/s|grpc|", "panics": "panic"} {
		s.put(file, plugintest.Spec{Name: file, Start: how})
	}
	s.put("names", plugintest.Spec{Name: "a b", Groups: []string{"g"}})
	plugintest.WriteFile(t, s.folder, "text", []byte("hello"))
	plugintest.WriteFile(t, s.folder, "readme.md.tmp", []byte("hello"))
	for _, name := range []string{"README.md", "plain", ".hidden", "half.tmp", "edit~", "restante.lock"} {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte("hello"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/nowhere", filepath.Join(s.folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.folder, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.open().ready()
	want := map[string]struct {
		state  host.PluginState
		reason string
	}{
		"exits":  {host.PluginBackingOff, "exited with status 3"},
		"future": {host.PluginRejected, "protocol version 9"},
		"good":   {host.PluginActive, ""},
		"hangs":  {host.PluginBackingOff, "did not announce itself within 3s"},
		"link":   {host.PluginRejected, "leads nowhere"},
		"names":  {host.PluginRejected, `its name "a b"`},
		"old":    {host.PluginRejected, "netrpc"},
		"panics": {host.PluginBackingOff, "panic: no way to start"},
		"plain":  {host.PluginRejected, "not executable: run chmod 755 " + filepath.Join(s.folder, "plain")},
		"text":   {host.PluginRejected, "it is a text file"},
	}
	list := s.List()
	for _, got := range list {
		w, ok := want[got.File]
		if !ok || got.State != w.state || !strings.Contains(got.Reason, w.reason) || (got.Reason == "") != (w.reason == "") {
			t.Errorf("%s: %s (%q), want %s (%q)", got.File, got.State, got.Reason, w.state, w.reason)
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d files are listed, want %d", len(list), len(want))
	}
	s.serves("good", "1")
	if err := os.Chmod(filepath.Join(s.folder, "plain"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.eventually("the mode is noticed", func() bool { return strings.Contains(s.status("plain").Reason, "it is a text file") })
}

// TestCallsHaveAnEnd: callers that give up leave no more calls behind than run
// at the same time.
func TestCallsHaveAnEnd(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	s.open().ready()
	held := filepath.Join(t.TempDir(), "held")
	if err := os.WriteFile(held, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			_, err := s.WriteMessages(ctx, "student-plugin", batch("student", fmt.Sprintf(`{"do":"hold","text":%q}`, held)))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("WriteMessages() = %v, want the error of the context", err)
			}
		})
	}
	callers.Wait()
	if n := runtime.NumGoroutine() - before; n > 50 {
		t.Errorf("%d goroutines are left by 100 callers that gave up", n)
	}
	if err := os.Remove(held); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "1")
}

// TestWhatOthersMayWriteIsRefused names the command that mends it.
func TestWhatOthersMayWriteIsRefused(t *testing.T) {
	s := newShop(t)
	s.install("student", "1")
	path := filepath.Join(s.folder, "student")
	for _, mode := range []os.FileMode{0o775, 0o757} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		s.open().ready()
		if got := s.await("student", host.PluginRejected).Reason; !strings.Contains(got, "run chmod go-w "+path) {
			t.Errorf("reason: %q", got)
		}
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	s.serves("student", "1")
	if err := os.Chmod(s.folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := formatter.New(s.config); err == nil || !strings.Contains(err.Error(), "run chmod go-w "+s.folder) {
		t.Errorf("New() = %v", err)
	}
	if err := os.Chmod(s.folder, 0o755); err != nil {
		t.Fatal(err)
	}
}
