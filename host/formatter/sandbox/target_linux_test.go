//go:build amd64 || arm64

package sandbox_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"unsafe"
)

// newTarget makes the things that the attempts aim at. They last as long as the
// process.
func newTarget(folder string) (t target, err error) {
	secret := []byte("secret")
	t = target{
		Folder: folder, File: filepath.Join(folder, "store"), Victim: filepath.Join(folder, "victim"),
		Daemon: os.Getpid(), Address: uintptr(unsafe.Pointer(&secret[0])),
		Unix: filepath.Join(folder, "unix"), Datagram: filepath.Join(folder, "datagram"),
		Abstract: fmt.Sprintf("@restante-test-%d", os.Getpid()),
	}
	for _, path := range []string{t.File, t.File + "2", t.Victim} {
		if err := os.WriteFile(path, secret, 0o600); err != nil {
			return t, err
		}
	}
	for _, path := range []string{t.Unix, t.Abstract} {
		if _, err := net.Listen("unix", path); err != nil {
			return t, err
		}
	}
	if _, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: t.Datagram, Net: "unixgram"}); err != nil {
		return t, err
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return t, err
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return t, err
	}
	go func() { // answers whatever it is asked
		b := make([]byte, 512)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(b[:n], from)
		}
	}()
	t.TCP, t.UDP = tcp.Addr().String(), udp.LocalAddr().String()
	return t, nil
}
