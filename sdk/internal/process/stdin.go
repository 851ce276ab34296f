package process

import (
	"io"
	"os"
)

// StdinEnded returns a channel that is closed when the other end of stdin is
// closed: the daemon is gone then, even if it was killed. Data is thrown away.
//
// Only a pipe or a socket is watched. /dev/null is at its end from the start,
// and a terminal belongs to a person; for these, and on a read error, the
// channel stays open. The goroutine that reads can't be interrupted and lasts
// as long as the process.
func StdinEnded(stdin *os.File) <-chan struct{} {
	ended := make(chan struct{})
	info, err := stdin.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return ended
	}
	go func() {
		if _, err := io.Copy(io.Discard, stdin); err == nil {
			close(ended)
		}
	}()
	return ended
}
