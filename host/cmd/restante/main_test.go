package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/formatter/sandbox"
	"github.com/restante/restante/host/loopback"
)

// beRestante in the environment makes the test binary the program itself.
const beRestante = "RESTANTE_TEST_BE_RESTANTE"

func TestMain(m *testing.M) {
	if os.Getenv(beRestante) != "" {
		os.Unsetenv(beRestante)
		main()
		return
	}
	os.Exit(m.Run())
}

// restante returns the program as a command to start.
func restante(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	// The race detector would have every command sleep a second at its end.
	// Not every machine that runs tests gives a whole sandbox.
	cmd.Env = append(os.Environ(), beRestante+"=1", "GORACE=atexit_sleep_ms=0", "RESTANTE_SANDBOX=best-effort")
	return cmd
}

// run runs a command to its end.
func run(t testing.TB, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := restante(t.Context(), args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// enforced returns the strictest mode of the sandbox that this machine allows.
func enforced(t testing.TB) string {
	t.Helper()
	support, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if missing := support.Missing(); missing != nil {
		t.Logf("the sandbox is not enforced: %v", missing)
		return "best-effort"
	}
	return "enforce"
}

// must runs a command that must succeed, and returns what it printed.
func must(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, errs, err := run(t, stdin, args...)
	if err != nil {
		t.Fatalf("restante %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// daemon is a running "restante serve".
type daemon struct {
	t       testing.TB
	cmd     *exec.Cmd
	data    string
	plugins string
	config  string
	address string
	log     *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newDaemon makes the folders and the configuration of a daemon with a queue
// "plain" and the plugins of these names.
func newDaemon(t testing.TB, plugins ...string) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{t: t, data: filepath.Join(dir, "data"), plugins: filepath.Join(dir, "plugins"), config: filepath.Join(dir, "c.hcl"), log: &safeBuffer{}}
	if err := os.MkdirAll(d.plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config, []byte("queue \"plain\" {}\nqueue \"pushed\" {\n  method = \"send\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range plugins {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(d.plugins, name), "github.com/restante/restante/plugins/"+name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build plugin %s: %v\n%s", name, err, out)
		}
	}
	d.address = freeAddress(t)
	t.Cleanup(func() {
		if d.cmd != nil {
			d.stop(syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", d.log)
		}
	})
	return d
}

func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := loopback.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// start starts the daemon and waits until it is ready.
func (d *daemon) start() {
	d.t.Helper()
	d.startOnly()
	eventually(d.t, "the daemon is ready", func() error {
		if state := d.cmd.ProcessState; state != nil {
			return fmt.Errorf("it ended: %v", state)
		}
		return ready(d)
	})
}

func ready(d *daemon) error {
	r, err := http.Get("http://" + d.address + "/readyz")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", r.Status)
	}
	return nil
}

// startOnly starts the daemon and does not wait for anything.
func (d *daemon) startOnly() {
	d.t.Helper()
	d.cmd = restante(context.Background(), "serve", "--listen", d.address, "--data", d.data, "--plugins", d.plugins, "--config", d.config)
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
}

// stop signals the daemon, waits for its end and returns its exit status.
func (d *daemon) stop(signal syscall.Signal) error {
	d.cmd.Process.Signal(signal)
	err := d.cmd.Wait()
	d.cmd = nil
	return err
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
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

func (d *daemon) client() *control.Client { return control.Dial(d.data) }

func (d *daemon) key(groups, allow string) string {
	d.t.Helper()
	return strings.TrimSpace(must(d.t, "", "keys", "create", "--data", d.data, "--group", groups, "--allow", allow))
}

func (d *daemon) url(call string) string {
	return "http://" + d.address + "/api/haplo-integration-messages/" + call
}

// response is an answer of the API that was read to its end.
type response struct {
	status int
	header http.Header
	body   []byte
}

// call calls the API with a key.
func (d *daemon) call(ctx context.Context, method, path, key, contentType string, body io.Reader) (response, error) {
	r, err := http.NewRequestWithContext(ctx, method, d.url(path), body)
	if err != nil {
		return response{}, err
	}
	r.SetBasicAuth("haplo", key)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return response{answer.StatusCode, answer.Header, text}, err
}

func (d *daemon) fetch(ctx context.Context, key, group string) (response, error) {
	return d.call(ctx, "GET", "poll/"+group+"/fetch", key, "", nil)
}

func (d *daemon) mark(ctx context.Context, key, group, token string) (m host.Marked, err error) {
	form := strings.NewReader(url.Values{"token": {token}}.Encode())
	r, err := d.call(ctx, "POST", "poll/"+group+"/mark", key, "application/x-www-form-urlencoded", form)
	if err != nil {
		return m, err
	}
	if r.status != http.StatusOK {
		return m, fmt.Errorf("mark answers %d: %s", r.status, r.body)
	}
	_, err = fmt.Sscanf(string(r.body), "Marked: %d, Unread: %d", &m.Marked, &m.Unread)
	return m, err
}

// defaultDocument is a document in the default format.
type defaultDocument struct {
	Version  int
	Token    string
	Messages []struct {
		ID   host.ID
		Data json.RawMessage
	}
}
