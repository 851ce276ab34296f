//go:build unix

package process_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

// hostVariable makes the test binary a daemon that runs the plugin that the
// variable names; see TestHostDeathKillsThePlugin.
const hostVariable = "RESTANTE_TEST_HOST"

func TestMain(m *testing.M) {
	plugintest.RunPlugin()
	if path := os.Getenv(hostVariable); path != "" {
		beHost(path)
		return
	}
	goleak.VerifyTestMain(m)
}

func beHost(path string) {
	p, err := process.Start(context.Background(), process.Config{
		Name: "plugin", Path: path, Sockets: filepath.Dir(path), Log: hclog.NewNullLogger(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.PID())
	select {}
}

// bench is one test's folder and log. Its end checks that no process and no
// folder is left.
type bench struct {
	*testing.T
	folder, sockets string
	log             *plugintest.Output
	config          process.Config
}

func newBench(t *testing.T) *bench {
	t.Helper()
	sockets, err := os.MkdirTemp("/tmp", "rt")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, folder: t.TempDir(), sockets: sockets, log: &plugintest.Output{}}
	b.config = process.Config{
		Name:    "student",
		Sockets: sockets,
		Log:     hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: b.log, JSONFormat: true}),
		Grace:   500 * time.Millisecond,
	}
	t.Cleanup(func() {
		if left := children(t); len(left) > 0 {
			t.Errorf("%d processes are left: %v", len(left), left)
		}
		left, _ := os.ReadDir(sockets)
		if len(left) > 0 {
			t.Errorf("folders for sockets are left: %v", left)
		}
		_ = os.RemoveAll(sockets)
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	return b
}

// install makes a plugin with one group.
func (b *bench) install(start string) {
	b.Helper()
	b.config.Path = plugintest.Install(b, b.folder, "student", plugintest.Spec{
		Name: "student-records", Version: "1.0.0", Groups: []string{"student"}, Start: start,
	})
}

// installSpec makes a plugin with this name and these groups.
func (b *bench) installSpec(name string, groups ...string) {
	b.Helper()
	b.config.Path = plugintest.Install(b, b.folder, "student", plugintest.Spec{Name: name, Groups: groups})
}

// start starts a plugin that must come up.
func (b *bench) start() *process.Process {
	b.Helper()
	p, err := process.Start(b.Context(), b.config)
	if err != nil {
		b.Fatalf("Start: %v", err)
	}
	b.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return p
}

// refused starts a plugin that must not come up.
func (b *bench) refused() *process.StartError {
	b.Helper()
	p, err := process.Start(b.Context(), b.config)
	if err == nil {
		_ = p.Stop(context.Background())
		b.Fatal("Start: no error")
	}
	fault, ok := err.(*process.StartError)
	if !ok {
		b.Fatalf("Start: %v (%T), want a *StartError", err, err)
	}
	if strings.Contains(fault.Reason, "Unrecognized") {
		b.Errorf("Start: %q is not for people", fault.Reason)
	}
	return fault
}

// batch makes a batch of one message for each of data.
func batch(data ...string) host.Batch {
	b := host.Batch{Group: "student", Token: "TOKEN"}
	for i, d := range data {
		b.Messages = append(b.Messages, host.Message{ID: host.ID(i + 1), Time: time.Unix(1550239321, 0), Data: []byte(d)})
	}
	return b
}

// eventually polls until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// children returns our child processes, zombies included.
func children(t *testing.T) []string {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []string
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // gone
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			found = append(found, string(text[:min(40, len(text))]))
		}
	}
	return found
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
