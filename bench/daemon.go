package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/loopback"
)

// daemon is a restante process of its own.
type daemon struct {
	cmd     *exec.Cmd
	data    string
	address string
	began   time.Time
	took    time.Duration // from exec to ready
}

// startDaemon starts a daemon with its data in folder/name and waits until it
// is ready. More flags win over its own.
func startDaemon(ctx context.Context, s *settings, name string, flags ...string) (*daemon, error) {
	config := filepath.Join(s.folder, "bench.hcl")
	if err := os.WriteFile(config, []byte("queue \"plain\" {}\n"), 0o600); err != nil {
		return nil, err
	}
	d, err := launch(ctx, s, name, config, flags...)
	if err != nil {
		return nil, err
	}
	return d, d.await()
}

// launch starts a daemon and does not wait.
func launch(ctx context.Context, s *settings, name, config string, flags ...string) (*daemon, error) {
	address, err := loopback.FreeAddress()
	if err != nil {
		return nil, err
	}
	d := &daemon{data: filepath.Join(s.folder, name), address: address}
	d.cmd = exec.CommandContext(ctx, filepath.Join(s.bin, "restante"), append([]string{"serve", "--listen", d.address, "--data", d.data,
		"--plugins", filepath.Join(s.bin, "plugins"), "--config", config, "--log-level", "warn"}, flags...)...)
	d.cmd.Stderr = os.Stderr
	d.began = time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	s.running = append(s.running, d)
	return d, nil
}

// await waits until the daemon is ready.
func (d *daemon) await() error {
	for {
		r, err := http.Get("http://" + d.address + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				d.took = time.Since(d.began)
				return nil
			}
		}
		if time.Since(d.began) > time.Minute {
			d.kill(syscall.SIGKILL)
			return errors.New("the daemon was not ready within a minute")
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// kill ends the daemon; killing it again does nothing.
func (d *daemon) kill(signal syscall.Signal) {
	d.cmd.Process.Signal(signal)
	d.cmd.Wait()
}

func (d *daemon) key(ctx context.Context) (string, error) {
	c := control.Dial(d.data)
	defer c.Close()
	key, err := c.CreateKey(ctx, host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayPoll, host.MayAdd}})
	return key.Text, err
}

// dial connects with a key for everything.
func (d *daemon) dial(ctx context.Context) (*client, error) {
	key, err := d.key(ctx)
	if err != nil {
		return nil, err
	}
	return dial(d.address, key)
}

// memory returns the resident memory of the daemon's process in MiB: all of it,
// and the part that is not pages of files.
func (d *daemon) memory() (all, own float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib float64
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "VmRSS":
			fmt.Sscan(value, &kib)
			all = kib / 1024
		case "RssAnon":
			fmt.Sscan(value, &kib)
			own = kib / 1024
		}
	}
	return all, own, nil
}

// startBare starts this program as the bare handler.
func startBare(ctx context.Context) (address string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-bare")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(address), func() { cmd.Process.Kill(); cmd.Wait() }, err
}
