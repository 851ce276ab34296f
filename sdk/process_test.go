//go:build unix

package sdk_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
	"github.com/restante/restante/proto/handshake"
)

// plugin is a plugin process started without go-plugin's client, so that a test
// holds its standard input and sees its raw output.
type plugin struct {
	formatterv1.FormatterClient
	cmd    *exec.Cmd
	stdin  io.Closer
	gate   *os.File
	stdout *bufio.Reader
	stderr *watched
}

// limit is how long a test waits for what should happen soon.
const limit = 30 * time.Second

func launch(t *testing.T) *plugin {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleKey+"=plugin", handshake.CookieKey+"="+handshake.CookieValue,
		"PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+socketDir(t))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	gateEnd, gate, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{gateEnd}
	p := &plugin{cmd: cmd, stdin: stdin, gate: gate, stdout: bufio.NewReader(stdout), stderr: newWatched()}
	cmd.Stderr = p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = gateEnd.Close()
	t.Cleanup(func() {
		_ = gate.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})

	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("read the handshake: %v\n%s", err, p.stderr)
	}
	fields := strings.Split(strings.TrimSpace(line), "|")
	if len(fields) < 5 || fields[1] != "1" || fields[2] != "unix" || fields[4] != "grpc" {
		t.Fatalf("handshake %q", line)
	}
	conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.FormatterClient = formatterv1.NewFormatterClient(conn)
	return p
}

// socketDir is short, since the path of a socket is limited to 108 bytes.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sdk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *plugin) write(ctx context.Context, group string) (string, error) {
	resp, err := p.WriteMessages(ctx, &formatterv1.WriteMessagesRequest{Group: group})
	return string(resp.GetDocument().GetBody()), err
}

// exits waits for the end of the process and wants the exit status 0.
func (p *plugin) exits(t *testing.T) {
	t.Helper()
	timer := time.AfterFunc(limit, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the plugin ended with %v, want status 0\n%s", err, p.stderr)
	}
	if !strings.Contains(p.stderr.String(), "main returned") {
		t.Errorf("Serve did not return; standard error:\n%s", p.stderr)
	}
}

func TestServeEndsOnSIGTERM(t *testing.T) {
	p := launch(t)
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := p.write(t.Context(), "slow")
		answers <- answer{text, err}
	}()
	p.stderr.wait(t, "slow: begun")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := p.gate.WriteString("answered\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; got.err != nil || got.text != "slow, answered" {
		t.Errorf("the call in flight gave %q, %v", got.text, got.err)
	}
	p.exits(t)
}

func TestServeCutsOffCallsThatDoNotEnd(t *testing.T) {
	p := launch(t)
	result := make(chan error, 1)
	go func() {
		_, err := p.write(t.Context(), "slow")
		result <- err
	}()
	p.stderr.wait(t, "slow: begun")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.exits(t)
	if err := <-result; err == nil {
		t.Error("a call that was cut off gave no error")
	}
}

func TestServeEndsWithStdin(t *testing.T) {
	p := launch(t)
	if text, err := p.write(t.Context(), "size"); err != nil || text != "0 messages, 0 bytes" {
		t.Fatalf("WriteMessages = %q, %v", text, err)
	}
	if err := p.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	p.exits(t)
}

func TestServeIgnoresSIGINT(t *testing.T) {
	p := launch(t)
	// The handler is there before the first call is answered.
	if _, err := p.write(t.Context(), "size"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := p.write(t.Context(), "size"); err != nil {
		t.Errorf("WriteMessages after SIGINT: %v", err)
	}
}

// TestStandardOutputHasTheHandshakeOnly prints through every file there is.
func TestStandardOutputHasTheHandshakeOnly(t *testing.T) {
	p := launch(t)
	for range 3 {
		if _, err := p.write(t.Context(), "print"); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"\nprinted x", "printed to stderr x", "printed to the first stdout x", "printed by the runtime"} {
		if !strings.Contains("\n"+p.stderr.String(), text) {
			t.Errorf("standard error does not have %q", text)
		}
	}
	_ = p.stdin.Close()
	rest, err := io.ReadAll(p.stdout)
	if err != nil || len(rest) > 0 {
		t.Errorf("after the handshake came %.100q, %v", rest, err)
	}
	p.exits(t)
}

func TestLogging(t *testing.T) {
	p := launch(t)
	if _, err := p.write(t.Context(), "log"); err != nil {
		t.Fatal(err)
	}
	for _, parts := range [][]string{
		{`"@level":"info"`, `"@message":"through hclog"`, `"count":1`},
		{`"@level":"warn"`, `"@message":"through slog"`, `"request.id":7`},
		{`"@level":"info"`, `"@message":"through log"`, `"@module":"plugin"`},
	} {
		if !hasLine(p.stderr.String(), parts) {
			t.Errorf("no line with %q in\n%s", parts, p.stderr)
		}
	}
	if strings.Contains(p.stderr.String(), "below the level") {
		t.Errorf("a debug line was written:\n%s", p.stderr)
	}
}

func hasLine(text string, parts []string) bool {
	for line := range strings.Lines(text) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

// watched collects what a process writes.
type watched struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func newWatched() *watched { return &watched{changed: make(chan struct{}, 1)} }

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// wait waits until the process has written a text.
func (w *watched) wait(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(limit)
	for !strings.Contains(w.String(), text) {
		select {
		case <-w.changed:
		case <-timeout:
			t.Fatalf("no %q in\n%s", text, w)
		}
	}
}
