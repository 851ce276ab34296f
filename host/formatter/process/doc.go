// Package process runs one formatter plugin as a process: it launches it, reads
// its output, calls it, notices its end and ends it. It is the only room that
// knows go-plugin.
//
// Start with Process. Config says what to run; Description is what the plugin
// says of itself; Exit is how it ended; a StartError says why it never came
// up. Below that, runner is what go-plugin gets instead of its own way to
// start a process, and says why.
//
// Nothing that comes from a plugin is trusted: not what it prints, not the
// address that it announces, not its replies.
//
// The package may import the standard library, golang.org/x/sys, go-plugin,
// hclog, gRPC, the contract in proto, and host. Never sdk.
package process
