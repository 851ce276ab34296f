//go:build linux

package clustertest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/loopback"
)

// folder is where the program is built.
var folder string

func TestMain(m *testing.M) {
	// Scenarios wait most of their time, for elections.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(func() int {
		var err error
		if folder, err = os.MkdirTemp("", "restante"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(folder)
		return m.Run()
	}())
}

// program builds "restante" for all tests, and returns its path.
var program = sync.OnceValues(func() (string, error) { return build("development") })

// build builds a version of "restante", and returns its path.
func build(version string) (string, error) {
	path := filepath.Join(folder, "restante-"+version)
	cmd := exec.Command("go", "build", "-ldflags=-X main.version="+version, "-o", path, "github.com/restante/restante/host/cmd/restante")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build restante: %w\n%s", err, out)
	}
	return path, nil
}

// fleet is some daemons that keep the same messages.
type fleet struct {
	t         *testing.T
	daemons   []*daemon
	queues    string     // their part of the configuration
	yard      *room      // that starts the daemons, unless they have a network
	network   *network   // nil if they are all on the loopback interface
	authority *authority // of the certificates that nodes need in a network
}

// daemon is one "restante serve".
type daemon struct {
	fleet   *fleet
	name    string
	node    string // the name of its node
	program string // its path; of all tests if it is empty
	dir     string
	api     string // its address
	route   string // its address for the other nodes
	room    *room
	process *process // nil if none runs
	log     *logged
	http    *http.Client
}

// process is one life of a daemon.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // after ended
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newFleet makes n daemons with these queues, and starts none. They are a cluster if
// there is more than one; with a network, each is on a machine of its own, as far as
// its network tells.
func newFleet(t *testing.T, n int, queues string, w *network) *fleet {
	t.Helper()
	f := &fleet{t: t, network: w}
	dir := t.TempDir() // which is deleted after the fleet has ended
	t.Cleanup(f.close)
	if w == nil {
		var err error
		if f.yard, err = newRoom(false); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		d := &daemon{fleet: f, name: string(rune('a' + i)), room: f.yard, log: &logged{}}
		d.node = d.name
		d.dir = filepath.Join(dir, d.name)
		if w != nil {
			d.room = w.rooms[i]
		}
		if w == nil {
			d.api, d.route = freeAddress(t), freeAddress(t)
		} else {
			d.api, d.route = "127.0.0.1:8089", w.address(i)+":7422"
		}
		d.http = &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: d.dial, MaxIdleConnsPerHost: 64}}
		f.daemons = append(f.daemons, d)
	}
	f.configure(queues)
	return f
}

// patience is how long a client waits for an answer.
const patience = 5 * time.Second

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := loopback.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// configure writes the configuration of every daemon.
func (f *fleet) configure(queues string) {
	f.t.Helper()
	f.queues = queues
	for i, d := range f.daemons {
		if err := os.MkdirAll(filepath.Join(d.dir, "plugins"), 0o755); err != nil {
			f.t.Fatal(err)
		}
		text := queues
		if len(f.daemons) > 1 {
			text += f.storeBlock(i)
		}
		if err := os.WriteFile(d.config(), []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (d *daemon) config() string { return filepath.Join(d.dir, "restante.hcl") }
func (d *daemon) data() string   { return filepath.Join(d.dir, "data") }

// dial connects to the API from within the daemon's network, so that a daemon that is
// cut off from the others still has clients.
func (d *daemon) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	if d.fleet.network == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	d.room.do(func() { c, err = new(net.Dialer).DialContext(ctx, network, address) })
	return c, err
}

// begin starts a daemon, and does not wait until it is ready.
func (d *daemon) begin() {
	t := d.fleet.t
	t.Helper()
	path, err := d.program, error(nil)
	if path == "" {
		path, err = program()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(path, "serve", "--listen", d.api, "--data", d.data(), "--plugins", filepath.Join(d.dir, "plugins"), "--config", d.config())
	p.cmd.Stderr = d.log
	p.cmd.Env = append(os.Environ(), "RESTANTE_LOG_LEVEL=debug") // which has the leaders
	// It ends with the room, and so with the tests.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.room.do(func() { err = p.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	d.process = p
}

// signal sends a signal to the daemon.
func (d *daemon) signal(s syscall.Signal) {
	d.fleet.t.Helper()
	if err := d.process.cmd.Process.Signal(s); err != nil {
		d.fleet.t.Fatalf("send %v to daemon %s: %v", s, d.name, err)
	}
}

// kill ends the daemon without a warning.
func (d *daemon) kill() {
	d.fleet.t.Helper()
	d.signal(syscall.SIGKILL)
	d.gone()
}

// gone waits until a daemon that was killed has ended.
func (d *daemon) gone() {
	<-d.process.ended
	d.process = nil
}

// stop has the daemon end by itself.
func (d *daemon) stop() {
	t := d.fleet.t
	t.Helper()
	d.signal(syscall.SIGTERM)
	select {
	case <-d.process.ended:
		if d.process.err != nil {
			t.Errorf("daemon %s ended with %v", d.name, d.process.err)
		}
	case <-time.After(time.Minute):
		t.Errorf("daemon %s does not end", d.name)
		d.kill()
	}
	d.process = nil
}

// ready waits until the daemon is.
func (d *daemon) ready() {
	d.fleet.t.Helper()
	eventually(d.fleet.t, "daemon "+d.name+" is ready", func() error {
		select {
		case <-d.process.ended:
			d.fleet.t.Fatalf("daemon %s has ended: %v", d.name, d.process.err)
		default:
		}
		r, err := d.http.Get("http://" + d.api + "/readyz")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz answers %s", r.Status)
		}
		return nil
	})
}

// start starts daemons, and waits until they are ready.
func (f *fleet) start(daemons ...*daemon) {
	f.t.Helper()
	for _, d := range daemons {
		d.begin()
	}
	for _, d := range daemons {
		d.ready()
	}
}

// lose deletes all that a daemon has stored, as if its disk was lost.
func (d *daemon) lose() {
	d.fleet.t.Helper()
	if err := os.RemoveAll(d.data()); err != nil {
		d.fleet.t.Fatal(err)
	}
}

func (d *daemon) client() *control.Client { return control.Dial(d.data()) }

// run runs "restante" for the data folder of the daemon.
func (d *daemon) run(args ...string) (out string, err error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	b, err := exec.Command(path, append(args, "--data", d.data())...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("restante %s: %w\n%s", strings.Join(args, " "), err, b)
	}
	return string(b), err
}

// close ends everything, also what was stopped.
func (f *fleet) close() {
	for _, d := range f.daemons {
		if d.process != nil {
			d.process.cmd.Process.Kill()
			<-d.process.ended
		}
		d.http.CloseIdleConnections()
		if f.t.Failed() {
			f.t.Logf("the log of daemon %s:\n%s", d.name, tail(d.log.String()))
		}
	}
	if f.yard != nil {
		f.yard.close()
	}
	if f.network != nil {
		f.network.close()
	}
}

// tail returns the last lines of a log, without those about every call.
func tail(text string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(line string) bool { return strings.Contains(line, `"request_id"`) })
	return strings.Join(lines[max(len(lines)-100, 0):], "")
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s: %v", what, err)
		}
		<-tick.C
	}
}
