//go:build !linux

package process

import "os/exec"

// resident returns 0: the memory of a process is not known.
func resident(int) int64 { return 0 }

// noExec returns false: it is not known.
func noExec(string) bool { return false }

// CloseOnExec does nothing: there is no call for it.
func CloseOnExec() error { return nil }

// parentDeath does nothing: only Linux kills a process when its parent dies.
// Elsewhere the plugin has to notice that its standard input is closed.
func parentDeath(*exec.Cmd) {}

// awaitEnd returns false: the end is known only by reaping the process.
func awaitEnd(int) bool { return false }
