//go:build !linux

package process

import "os/exec"

// parentDeath does nothing: only Linux kills a process when its parent dies.
// Elsewhere the plugin has to notice that its standard input is closed.
func parentDeath(*exec.Cmd) {}

// awaitEnd returns false: the end is known only by reaping the process.
func awaitEnd(int) bool { return false }
