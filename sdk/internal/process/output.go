package process

import (
	"os"
	"sync"
)

// Output keeps what the author prints away from the protocol.
//
// Standard output is a trap in two ways. Before the handshake, any line on it
// but the handshake's breaks the start. After it, go-plugin puts pipes in
// os.Stdout and os.Stderr whose contents travel in a gRPC stream: a program
// that prints blocks if nobody reads that stream, and loses its last words if
// it dies. What still holds the old file writes to the real standard output,
// where one line over 64 KiB stops go-plugin's reader for good.
//
// So the handshake gets a private copy of standard output, and everything else
// goes to standard error, which reaches the daemon's log whatever happens.
type Output struct {
	stderr    *os.File
	handshake *os.File // kept open: its end would look like the process's
	once      sync.Once
}

// ClaimOutput moves the process's standard output to stderr, and puts a file
// for the handshake in os.Stdout. It must be called before plugin.Serve. Where
// the system can't do it, os.Stdout stays as it is.
func ClaimOutput(stderr *os.File) *Output {
	o := &Output{stderr: stderr}
	if f, err := moveStdout(stderr); err == nil {
		o.handshake = f
		os.Stdout = f
	}
	return o
}

// Release puts stderr in os.Stdout and os.Stderr in place of go-plugin's pipes.
// It must be called after go-plugin has put them there, which is so in every
// call that the server handles. Only the first call does anything.
func (o *Output) Release() {
	o.once.Do(func() {
		stdoutPipe, stderrPipe := os.Stdout, os.Stderr
		os.Stdout, os.Stderr = o.stderr, o.stderr
		// What is in the pipes is still read; nothing more can come.
		for _, pipe := range []*os.File{stdoutPipe, stderrPipe} {
			if pipe != o.handshake && pipe != o.stderr {
				_ = pipe.Close()
			}
		}
	})
}
