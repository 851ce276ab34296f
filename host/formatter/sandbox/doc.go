// Package sandbox starts a program in such a way that it can do little more
// than compute: it has no network, no files but what it needs to run, no other
// processes, and bounded memory. It is made for formatter plugins, which get
// their work over a unix socket in a folder of their own.
//
// Start with Sandbox, whose Command makes the command that starts a program.
// Probe finds out what this system allows this user; Support says what it
// found, layer by layer. Clock lets a program see another time, in tests.
//
// # How it works
//
// A command from Sandbox starts a trampoline, in new namespaces where there are
// any: a program that is written for this one start, and is no more than a list
// of system calls (trampoline_linux.go). They give up all that the plugin must
// not have, one layer after the other (shutin_linux.go), and the last of them,
// an exec, turns the process into the plugin. So the plugin has the process id
// that the daemon knows, and nothing stands between the two.
//
// No layer is trusted alone. Namespaces and an empty root (root_linux.go) take
// away the things themselves; file rules (landlock_linux.go) and the system
// call filter (filter_linux.go) refuse the calls that would reach for them;
// resource limits (limits_linux.go) bound what is left. docs/sandbox-escapes.md
// lists what was tried against them and what came of it.
//
// What it does not do: a plugin can make empty files and sockets in its own
// folder without a limit on their number; it can use all processors until the
// daemon loses patience; scripts and dynamically linked programs can read the
// system's programs and libraries below /usr. What the kernel needs for a
// plugin is bounded only as far as its files, threads and addresses are: a
// control group of the service manager bounds it all.
//
// A daemon that is root gives its plugins the user nobody where there are
// namespaces. Without, they stay root with no privileges, since they could not
// reach their folders otherwise.
//
// The package may import the standard library, golang.org/x/sys and
// golang.org/x/net/bpf, and nothing of ours.
package sandbox
