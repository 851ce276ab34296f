//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/restante/restante/host"
)

var kills = flag.Int("kills", 10, "how often TestKillLeavesNoPlugin kills the daemon")

// TestKillLeavesNoPlugin kills the daemon with SIGKILL again and again: while
// its plugins serve and one of them is stopped, and while they are being
// started. No plugin may live on, not even one that does not notice the end of
// its standard input, and the next start must clear away what is left of their
// sockets, and serve.
func TestKillLeavesNoPlugin(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills a child with its parent")
	}
	sockets, err := os.MkdirTemp("/tmp", "rk") // short, as paths of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for what a failure leaves
		for _, pid := range pluginsOf(sockets) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		os.RemoveAll(sockets)
	})
	d := newDaemon(t, "cloudevents", "csv")
	buildDeaf(t, filepath.Join(d.plugins, "deaf"))
	names := []string{"cloudevents", "csv", "deaf"}
	t.Setenv("XDG_RUNTIME_DIR", sockets)
	folders := func() int {
		left, err := filepath.Glob(filepath.Join(sockets, "restante-socket-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	var key string
	killed, swept := 0, 0
	for round := range *kills {
		left := folders()
		if round%3 == 2 {
			d.startOnly()
			eventually(t, "a plugin is being started", func() error {
				if len(pluginsOf(sockets)) == 0 {
					return fmt.Errorf("there is none")
				}
				return nil
			})
		} else {
			d.start()
			if key == "" {
				key = d.key("csv", "poll,add")
			}
			pids := d.serving(names)
			eventually(t, "there is one folder for each process", func() error {
				if n := folders(); n != len(names) {
					return fmt.Errorf("round %d: %d folders for sockets, want %d; %d were left before", round, n, len(names), left)
				}
				return nil
			})
			swept += left
			if r, err := d.call(t.Context(), "POST", "add/csv", key, "application/json", strings.NewReader(`{"a":1}`)); err != nil || r.status != http.StatusCreated {
				t.Fatalf("round %d: an add: %d %s, %v", round, r.status, r.body, err)
			}
			if r, err := d.fetch(t.Context(), key, "csv"); err != nil || r.status != http.StatusOK || !strings.HasPrefix(string(r.body), "id,datetime") {
				t.Fatalf("round %d: a poll: %d %s, %v", round, r.status, r.body, err)
			}
			if err := syscall.Kill(pids[round%len(pids)], syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		before := pluginsOf(sockets)
		d.stop(syscall.SIGKILL)
		http.DefaultClient.CloseIdleConnections()
		eventually(t, "the plugins are gone", func() error {
			if now := pluginsOf(sockets); len(now) > 0 {
				return fmt.Errorf("%v live on of %v", now, before)
			}
			return nil
		})
		killed += len(before)
	}
	d.start()
	d.serving(names)
	if err := d.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if n := folders(); n > 0 {
		t.Errorf("%d folders for sockets are left in the end", n)
	}
	if n := pluginsOf(sockets); len(n) > 0 {
		t.Errorf("the plugins %v are left in the end", n)
	}
	t.Logf("killed %d times with %d plugin processes, none of which lived on; %d folders for sockets were cleared away by the next start", *kills, killed, swept)
}

// deaf is a plugin that is written without the SDK and that nothing but SIGKILL
// ends.
const deaf = `package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-plugin"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
	"github.com/restante/restante/proto/handshake"
)

type service struct {
	formatterv1.UnimplementedFormatterServer
}

func (service) Discover(context.Context, *formatterv1.DiscoverRequest) (*formatterv1.DiscoverResponse, error) {
	return &formatterv1.DiscoverResponse{Name: "deaf", Version: "1", Groups: []*formatterv1.Group{{Name: "deaf", Method: formatterv1.Method_METHOD_POLL}}}, nil
}

func main() {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugin(service{}),
		GRPCServer:       plugin.DefaultGRPCServer,
	})
	select {}
}
`

// buildDeaf builds it as a part of this module.
func buildDeaf(t *testing.T, path string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte(deaf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, source).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}

// serving waits until exactly these plugin files are active, and returns their
// processes.
func (d *daemon) serving(files []string) (pids []int) {
	d.t.Helper()
	c := d.client()
	defer c.Close()
	eventually(d.t, "the plugins serve", func() error {
		all, err := c.Plugins(context.Background())
		if err != nil {
			return err
		}
		pids = nil
		var active []string
		for _, p := range all {
			if p.State == host.PluginActive {
				active, pids = append(active, p.File), append(pids, p.PID)
			}
		}
		if !slices.Equal(active, files) {
			return fmt.Errorf("%v are active", active)
		}
		return nil
	})
	return pids
}

// pluginsOf returns the processes whose socket is in this folder, whoever their
// parent is and whatever they run. A zombie is none: it waits for init.
func pluginsOf(sockets string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "PLUGIN_UNIX_SOCKET_DIR="+sockets) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
