package process

import (
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// Limits of what a plugin may print before its handshake line: more than this
// is no plugin; and how much of it is kept for the operator.
const (
	maxNoise      = 1 << 20
	maxNoiseLines = 20
	maxNoiseLine  = 300
)

// stdout reads a plugin's standard output. The first line that is a handshake
// goes to go-plugin, if it is acceptable. Lines before it are kept; all others
// go to the log.
type stdout struct {
	handshake *io.PipeReader
	pass      *io.PipeWriter
	sink      *sink
	folder    string // where the socket must be; set before read

	mu        sync.Mutex
	announced bool
	refusal   error // why the handshake is not acceptable, in words
	noise     []string
}

func newStdout(s *sink) *stdout {
	o := &stdout{sink: s}
	o.handshake, o.pass = io.Pipe()
	return o
}

// none tells go-plugin that there will be no handshake.
func (o *stdout) none() { _ = o.pass.Close() }

// read reads until r ends. It never waits for anything but r, and for go-plugin
// to take one line.
func (o *stdout) read(r io.Reader) {
	defer o.none()
	waiting, printed := true, 0
	eachLine(r, func(line []byte, size int) {
		if !waiting {
			o.sink.write(hclog.Debug, "plugin printed", "text", oneLine(string(line), maxLine))
			return
		}
		if a, ok := parseAnnouncement(line); ok {
			waiting = false
			if o.accept(a) {
				_, _ = fmt.Fprintf(o.pass, "%s\n", a.line)
			}
			o.none()
			return
		}
		o.keep(line)
		if printed += size; printed > maxNoise {
			waiting = false
			o.refuse(fmt.Errorf("it is not a formatter plugin: it printed more than %s to standard output and never announced itself", "1 MiB"))
			o.none()
		}
	})
}

func (o *stdout) accept(a announcement) bool {
	if err := a.check(o.folder); err != nil {
		o.refuse(err)
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.announced = true
	return true
}

func (o *stdout) refuse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refusal = err
}

func (o *stdout) keep(line []byte) {
	text := oneLine(string(line), maxNoiseLine)
	o.sink.write(hclog.Debug, "plugin printed", "text", text)
	o.mu.Lock()
	defer o.mu.Unlock()
	if text != "" && len(o.noise) < maxNoiseLines {
		o.noise = append(o.noise, text)
	}
}

// facts returns what is known so far.
func (o *stdout) facts() (announced bool, noise []string, refusal error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.announced, append([]string(nil), o.noise...), o.refusal
}
