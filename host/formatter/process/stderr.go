package process

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// What is kept of a plugin's standard error.
const (
	tailLines = 50
	tailLine  = 1 << 10
	maxPanic  = 16 << 10
)

// stderr reads a plugin's standard error: log lines go to the log at their own
// level, a Go panic is collected and logged as one, and other text is logged as
// it is. The last lines are kept.
type stderr struct {
	sink *sink

	mu        sync.Mutex
	tail      []string
	panic     []byte // the last panic with its stack
	panicking bool
}

// read reads until r ends.
func (e *stderr) read(r io.Reader) {
	eachLine(r, func(line []byte, _ int) { e.take(line) })
	e.panicEnds()
}

func (e *stderr) take(line []byte) {
	e.remember(line)
	if l, ok := parseLogLine(line); ok {
		e.panicEnds()
		e.sink.write(l.level, l.message, l.args...)
		return
	}
	if e.partOfPanic(line) {
		return
	}
	if level, text := plainLevel(oneLine(string(line), maxLogMessage)); text != "" {
		e.sink.write(level, text)
	}
}

func (e *stderr) remember(line []byte) {
	text := clip(strings.TrimRight(paragraph(string(line), tailLine), " \t"), tailLine)
	if text == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.tail) == tailLines {
		copy(e.tail, e.tail[1:])
		e.tail = e.tail[:tailLines-1]
	}
	e.tail = append(e.tail, text)
}

// partOfPanic tells whether the line belongs to a panic of the Go runtime. The
// process is about to end then, and so everything after it does, too, except
// for what another goroutine manages to log.
func (e *stderr) partOfPanic(line []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if panicBegins(line) {
		if !e.panicking {
			e.panic = e.panic[:0]
		}
		e.panicking = true
	}
	if e.panicking && len(e.panic) < maxPanic {
		e.panic = append(e.panic, clip(strings.ToValidUTF8(string(line), "\uFFFD"), maxPanic-len(e.panic))...)
		e.panic = append(e.panic, '\n')
	}
	return e.panicking
}

// panicBegins knows the first line of what the Go runtime prints before it ends
// a program: for a panic, for its own failure, and for a signal.
func panicBegins(line []byte) bool {
	for _, begin := range []string{"panic: ", "fatal error: ", "SIGSEGV: ", "SIGBUS: ", "SIGABRT: ", "SIGQUIT: "} {
		if bytes.HasPrefix(line, []byte(begin)) {
			return true
		}
	}
	return false
}

func (e *stderr) panicEnds() {
	e.mu.Lock()
	ended := e.panicking
	e.panicking = false
	text := paragraph(string(e.panic), maxPanic)
	e.mu.Unlock()
	if ended {
		first, stack, _ := strings.Cut(text, "\n")
		e.sink.write(hclog.Error, "plugin panicked", "panic", oneLine(first, maxFailure), "stack", strings.TrimSpace(stack))
	}
}

// facts returns the last lines and the last panic.
func (e *stderr) facts() (tail []string, panicked string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.tail...), paragraph(string(e.panic), maxPanic)
}
