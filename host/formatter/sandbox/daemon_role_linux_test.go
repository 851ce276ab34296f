//go:build amd64 || arm64

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/restante/restante/host/formatter/sandbox"
)

// holdProgram starts a program that never ends by itself, prints its process
// id, and waits to be killed.
func holdProgram(tier string) error {
	support, err := sandbox.Probe(context.Background()) // of a process of its own
	if err != nil {
		return err
	}
	switch tier {
	case "no namespaces":
		support = support.Without(sandbox.Namespaces, "withheld", "")
	case "no user namespace":
		support = support.WithoutUserNamespace()
	}
	folder, err := os.MkdirTemp("/tmp", "rs")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := prepare(support, sandbox.Config{}, self, folder, "hold")
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	// A standard input that nobody closes, so that only the kernel can tell.
	stdin, _, err := os.Pipe()
	if err != nil {
		return err
	}
	r.Stdin, r.Stdout, r.Stderr = stdin, in, os.Stderr
	if err := r.Start(); err != nil {
		return err
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		return err
	}
	// The mount of its folder keeps it in use; its name can go.
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	fmt.Println(r.Process.Pid)
	waitForKill()
	return nil
}

// probeWithheld probes where user namespaces are switched off and there is no
// privilege to make others. It must run in a user namespace of its own.
func probeWithheld() error {
	runtime.LockOSThread() // privileges are a thread's own
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	for capability := range uintptr(64) {
		_ = unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := errors.Join(unix.Capset(&header, &none[0])); err != nil {
		return err
	}
	support, err := sandbox.Probe(context.Background()) // of a process of its own
	if err != nil {
		return err
	}
	fmt.Println(support.Tier())
	fmt.Println(support.Missing())
	return nil
}
