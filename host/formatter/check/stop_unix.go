//go:build unix

package check

import "syscall"

// terminate asks a process to end. The process is our child and was not waited
// for if it is still running, so the number is its own.
func terminate(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }
