// Package process looks after the plugin's process: where its output goes
// (Output), when it should end (Stdin) and how it ends (Stopper).
//
// It may import the standard library, golang.org/x/sys and gRPC.
package process
