//go:build amd64 || arm64

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// trialPassed is the exit status of a trial that got through. It is not 0,
	// which would also come of a trampoline that does nothing.
	trialPassed = 124
	// trialLimit is how long a trial may take: a hundred times as long as it
	// does.
	trialLimit = 5 * time.Second
)

// Probe finds out what this system gives this user, by trying it in processes
// of its own. User ids and versions of the kernel tell little: containers,
// security modules and settings decide. It takes some 10 milliseconds if all is
// well, and some 50 if not; call it once, at the start. It fails if ctx ends,
// or if nothing could be tried at all.
func Probe(ctx context.Context) (Support, error) {
	names := []LayerName{Namespaces, FileRules, CallFilter, ResourceLimits}
	support, fault, err := probeNamespaces(ctx, names)
	if err != nil {
		return Support{}, err
	}
	if fault == nil {
		for _, name := range names {
			support.layers = append(support.layers, Layer{Name: name, OK: true})
		}
		return support, nil
	}
	// Not all together, so one by one.
	support, fault, err = probeNamespaces(ctx, []LayerName{Namespaces})
	for _, name := range names {
		if err == nil && name != Namespaces {
			fault, err = try(ctx, []LayerName{name}, false, false)
		}
		if err != nil {
			return Support{}, err
		}
		layer := Layer{Name: name, OK: fault == nil}
		if fault != nil {
			layer.Reason, layer.Remedy = fault.Error(), remedy(name, fault)
		}
		support.layers = append(support.layers, layer)
	}
	return support, nil
}

// probeNamespaces tries the layers, with Namespaces among them, in all ways to
// make namespaces, best first. The fault is that of the best.
func probeNamespaces(ctx context.Context, names []LayerName) (support Support, fault, err error) {
	others := []bool{false}
	if mayGiveUser() {
		others = []bool{true, false}
	}
	for _, other := range others {
		for _, user := range []bool{true, false} {
			found, err := try(ctx, names, user, other)
			if err != nil {
				return Support{}, nil, err
			}
			if found == nil {
				return Support{userNamespace: user, otherUser: other}, nil, nil
			}
			if fault == nil {
				fault = found
			}
		}
	}
	return Support{}, fault, nil
}

// mayGiveUser tells whether we are root, and can give a program another user,
// and its folder to it, and still use what is in there.
func mayGiveUser() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if os.Geteuid() != 0 || unix.Capget(&header, &have[0]) != nil {
		return false
	}
	for _, capability := range []uint{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_SETUID, unix.CAP_SETGID} {
		if have[0].Effective&(1<<capability) == 0 {
			return false
		}
	}
	return true
}

// try starts a trampoline that applies the layers. The fault is why it could
// not.
func try(ctx context.Context, names []LayerName, userNamespace, otherUser bool) (fault, err error) {
	limits, err := Limits{}.withDefaults()
	if err != nil {
		return nil, err
	}
	return tryWith(ctx, orders{
		Layers: names, Name: "trial", Path: "/trial", Trial: true,
		Memory: limits.Memory, Files: limits.Files, Threads: limits.Threads,
	}, userNamespace, otherUser, func(*exec.Cmd) error { return nil })
}

// tryWith starts a trampoline in a folder of its own and sees it to its end.
func tryWith(ctx context.Context, o orders, userNamespace, otherUser bool, started func(*exec.Cmd) error) (fault, err error) {
	if o.Dir, err = os.MkdirTemp("", "restante-probe-"); err != nil {
		return nil, fmt.Errorf("probe the sandbox: %w", err)
	}
	defer func() { _ = os.RemoveAll(o.Dir) }()
	cmd, err := o.command(userNamespace, otherUser, program{})
	if err != nil {
		return err, nil
	}
	defer closeFiles(cmd)
	var said bytes.Buffer
	cmd.Stderr, cmd.Env, cmd.Dir, cmd.WaitDelay = &said, []string{"TMPDIR=" + o.Dir}, "/", time.Second
	// The death signal follows the thread that starts the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start in new namespaces: %w", cause(err)), nil
	}
	if fault = started(cmd); fault != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fault, nil
	}
	limited, cancel := context.WithTimeout(ctx, trialLimit)
	defer cancel()
	unhook := context.AfterFunc(limited, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	unhook()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("it did not end within %s", trialLimit), nil
	case err != nil && !errors.As(err, &exit):
		return nil, fmt.Errorf("probe the sandbox: %w", err)
	}
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return fmt.Errorf("the trial was ended by a signal (%s)", status.Signal()), nil
	case status.ExitStatus() == trialPassed:
		return nil, nil
	case status.ExitStatus() == FailedStatus:
		_, why, _ := strings.Cut(strings.TrimSpace(said.String()), giveUpPrefix)
		return errors.New(why), nil
	}
	return fmt.Errorf("the trial ended with status %d", status.ExitStatus()), nil
}

// closeFiles closes the files that are for the trampoline.
func closeFiles(cmd *exec.Cmd) {
	for _, f := range cmd.ExtraFiles {
		_ = f.Close()
	}
}

// cause strips the name of our own executable, which says nothing, from an
// error of the start.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// remedy says what an operator can do about a layer that can't be had.
func remedy(name LayerName, fault error) string {
	switch name {
	case Namespaces:
		return remedyNamespaces("/proc/sys")
	case FileRules:
		if strings.Contains(fault.Error(), unix.EOPNOTSUPP.Error()) {
			return "add landlock to the kernel's boot parameter lsm="
		}
		return "use Linux 5.13 or later with Landlock, and in a container a security profile that allows it"
	case CallFilter:
		return "use Linux 5.9 or later with CONFIG_SECCOMP_FILTER"
	}
	return ""
}

// remedyNamespaces looks at the settings below folder that switch user
// namespaces off.
func remedyNamespaces(folder string) string {
	var remedies []string
	for _, s := range []struct{ file, off, remedy string }{
		{"/user/max_user_namespaces", "0", "set sysctl user.max_user_namespaces=15000"},
		{"/kernel/unprivileged_userns_clone", "0", "set sysctl kernel.unprivileged_userns_clone=1"},
		{"/kernel/apparmor_restrict_unprivileged_userns", "1", "set sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the daemon an AppArmor profile with \"userns,\""},
	} {
		value, err := os.ReadFile(folder + s.file)
		if err == nil && strings.TrimSpace(string(value)) == s.off {
			remedies = append(remedies, s.remedy)
		}
	}
	if len(remedies) > 0 {
		return strings.Join(remedies, "; ")
	}
	return "in a container, use a security profile that allows unshare and mount; in a systemd unit, remove RestrictNamespaces"
}
