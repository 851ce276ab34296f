//go:build unix

package process_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/restante/restante/host/formatter/process"
)

func TestSocketsAreShortPrivateAndRemoved(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	found, _ := filepath.Glob(b.sockets + "/restante-socket-*/plugin-dir*/plugin*")
	if len(found) != 1 || len(found[0]) > 104 {
		t.Fatalf("sockets: %q", found)
	}
	for _, folder := range []string{filepath.Dir(found[0]), filepath.Dir(filepath.Dir(found[0]))} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", folder, info.Mode(), err)
		}
	}
	if err := process.SweepSockets(b.sockets); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(found[0]); err != nil {
		t.Errorf("a sweep removed a socket in use: %v", err)
	}
	_ = syscall.Kill(p.PID(), syscall.SIGKILL)
	<-p.Done()
	eventually(t, "the socket is removed after a crash", func() bool {
		left, _ := os.ReadDir(b.sockets)
		return len(left) == 0
	})

	b.config.Sockets = filepath.Join(b.sockets, strings.Repeat("x", 80))
	if _, err := process.Start(t.Context(), b.config); err == nil || !strings.Contains(err.Error(), "too long by") {
		t.Errorf("Start with a long path = %v", err)
	}
}

func TestForeignAddressesAreRefused(t *testing.T) {
	b := newBench(t)
	foreign := filepath.Join(b.sockets, "docker.sock")
	l, err := net.Listen("unix", foreign)
	if err != nil {
		t.Fatal(err)
	}
	var accepted sync.WaitGroup
	accepted.Go(func() {
		if conn, err := l.Accept(); err == nil {
			t.Error("the host connected to a foreign socket")
			_ = conn.Close()
		}
	})
	defer func() {
		_ = l.Close()
		accepted.Wait()
	}()
	for _, c := range []struct{ address, want string }{
		{"unix|" + foreign, "not in its own folder"},
		{"unix|DIR/../../docker.sock", "not in its own folder"},
		{"tcp|127.0.0.1:2375", "not of a unix socket"},
		{"unix|DIR/nothing", "not a socket"},
		{"unix|DIR", "not in its own folder"},
		{"unix|@abstract", "not in its own folder"},
	} {
		t.Run(c.address, func(t *testing.T) {
			b.install("say:1|1|" + c.address + "|grpc|")
			if fault := b.refused(); !strings.Contains(fault.Reason, c.want) || !fault.Permanent {
				t.Errorf("Start() = %+v, want %q", fault, c.want)
			}
		})
	}
}

func TestASweepLeavesWhatIsNotOurs(t *testing.T) {
	base := t.TempDir()
	left := filepath.Join(base, "restante-socket-123", "plugin-dir4")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(left, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	keep := []string{"restante-data", "restante-socket-", "restante-socket-x1", "restante-socket-7"}
	for _, name := range keep {
		if err := os.Mkdir(filepath.Join(base, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, name, "letter"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.SweepSockets(base); err != nil {
		t.Error(err)
	}
	for _, name := range keep {
		if _, err := os.Stat(filepath.Join(base, name, "letter")); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Dir(left)); err == nil {
		t.Errorf("%s is still there", filepath.Dir(left))
	}
}
