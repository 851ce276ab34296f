//go:build amd64 || arm64

package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// report is what a program finds around it.
type report struct {
	Args, Env      []string
	Files          []int
	Folder, Host   string
	Process, User  int
	Privileges     uint32
	NoNew, Filters int
}

// beProgram does what the program in the sandbox is to do.
func beProgram(task string) {
	name, argument, _ := strings.Cut(task, " ")
	switch name {
	case "attempt":
		makeAttempt(argument)
	case "open":
		fmt.Println("open")
	case "clocks":
		_ = json.NewEncoder(os.Stdout).Encode(readClocks())
	case "report":
		_ = json.NewEncoder(os.Stdout).Encode(look())
	case "serve":
		if err := serve(filepath.Join(os.Getenv("TMPDIR"), "plugin")); err != nil {
			fmt.Println(err)
		}
	case "hold":
		fmt.Println("ready")
		waitForKill()
	}
}

// waitForKill is no select, which Go's runtime may find to be a deadlock.
func waitForKill() {
	for {
		_ = unix.Pause()
	}
}

func look() (r report) {
	r.Args, r.Env = os.Args, os.Environ()
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			r.Files = append(r.Files, fd)
		}
	}
	r.Folder, _ = os.Getwd()
	r.Host, _ = os.Hostname()
	r.Process, r.User = os.Getpid(), os.Getuid()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	_ = unix.Capget(&header, &have[0])
	for _, h := range have {
		r.Privileges |= h.Effective | h.Permitted | h.Inheritable
	}
	r.NoNew, _ = unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	r.Filters, _ = unix.PrctlRetInt(unix.PR_GET_SECCOMP, 0, 0, 0, 0)
	return r
}

// serve listens as a plugin does, by way of a temporary file, and repeats what
// one caller says.
func serve(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_ = f.Close()
	if err := os.Remove(path); err != nil {
		return err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println(path)
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if _, err := io.Copy(conn, conn); err != nil {
		return err
	}
	_ = conn.Close()
	return l.Close()
}
