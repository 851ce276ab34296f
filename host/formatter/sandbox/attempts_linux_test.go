//go:build amd64 || arm64

package sandbox_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// target is what an attempt aims at: things that the daemon has.
type target struct {
	Folder, File, Victim string
	Dir                  string // the program's own folder
	Daemon               int
	Address              uintptr // of something in the daemon's memory
	TCP, UDP             string
	Unix, Datagram       string
	Abstract             string
}

const targetVariable = "RESTANTE_TEST_TARGET"

// attempt is one way to do what a plugin must not. Try returns nil if it worked.
type attempt struct {
	name string
	try  func(target) error
	// needs says why it need not work without a sandbox: "root" or "kernel"
	// (some kernels don't have it).
	needs string
	// open says for whom it works without namespaces: "all" or "root".
	open string
}

func attempts() []attempt {
	return slices.Concat(fileAttempts(), networkAttempts(), processAttempts(), systemAttempts(), hereAttempts(), resourceAttempts())
}

// answer is what came of an attempt: "open", or "denied" and the errno.
type answer string

func (a answer) open() bool { return a == "open" }

// makeAttempt is the program's side. It prints the answer.
func makeAttempt(name string) {
	// A file that grows beyond the limit brings this signal, by default deadly.
	signal.Ignore(syscall.SIGXFSZ)
	runtime.LockOSThread()
	var t target
	if err := json.Unmarshal([]byte(os.Getenv(targetVariable)), &t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, a := range attempts() {
		if a.name == name {
			fmt.Println(answerOf(a.try(t)))
			return
		}
	}
}

func answerOf(err error) answer {
	var number syscall.Errno
	switch {
	case err == nil:
		return "open"
	case errors.As(err, &number):
		return answer("denied " + unix.ErrnoName(number))
	}
	return answer("denied (" + err.Error() + ")")
}

// call makes a system call on this thread alone.
func call(trap uintptr, arguments ...uintptr) error {
	var a [6]uintptr
	copy(a[:], arguments)
	if _, _, number := syscall.RawSyscall6(trap, a[0], a[1], a[2], a[3], a[4], a[5]); number != 0 {
		return number
	}
	return nil
}

// unless takes an error as a success: the kernel got as far as to dislike what
// was asked, so it would have done it.
func unless(err error, past ...error) error {
	for _, p := range past {
		if errors.Is(err, p) {
			return nil
		}
	}
	return err
}

func closing(fd int, err error) error {
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}
