package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// logger puts what the server says into our log. Notices are for debugging, and
// what is said over and over, as by every attempt to connect, is said once in a
// while.
type logger struct {
	log hclog.Logger

	mu    sync.Mutex
	seen  map[string]time.Time
	fatal error
}

// repeatAfter is when the same is said again.
const repeatAfter = time.Minute

// meanings are what the server says that an operator has to act on.
var meanings = []struct{ part, message string }{
	{"authorization violation", "another node refuses this one, which has another secret"},
	{"authentication error", "a node was refused, which has another secret"},
	{"tls route handshake error", "a connection between nodes was refused: check certificates, keys and ca"},
	{"cluster name", "a node was refused, which belongs to another cluster"},
	{"duplicate name", "a node was refused, which has the name of another one"},
	{"out of space", "the node has no space left"},
	{"insufficient storage", "the node has no space left"},
}

// usual is what the server warns of while all goes as it should, or what Ready says
// better.
var usual = []string{
	"error trying to connect to route", "waiting for routing to be established",
	"not established contact with a meta leader", "metalayer blocking snapshot",
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug("server", "text", text(format, v)) }
func (l *logger) Debugf(format string, v ...any)  { l.log.Trace("server", "text", text(format, v)) }
func (l *logger) Tracef(format string, v ...any)  { l.log.Trace("server", "text", text(format, v)) }
func (l *logger) Warnf(format string, v ...any)   { l.report(text(format, v)) }
func (l *logger) Errorf(format string, v ...any)  { l.report(text(format, v)) }

// Fatalf keeps why the server can't run; Start returns it.
func (l *logger) Fatalf(format string, v ...any) {
	err := errors.New(text(format, v))
	for _, a := range v {
		if cause, ok := a.(error); ok {
			err = fmt.Errorf("%s: %w", strings.TrimSpace(strings.ReplaceAll(err.Error(), cause.Error(), "")), cause)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = errors.Join(l.fatal, err)
}

func (l *logger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *logger) report(text string) {
	lower := strings.ToLower(text)
	for _, m := range meanings {
		if !strings.Contains(lower, m.part) {
			continue
		}
		if l.first(m.message) {
			l.log.Error(m.message, "text", text)
		}
		return
	}
	if slices.ContainsFunc(usual, func(part string) bool { return strings.Contains(lower, part) }) {
		l.log.Debug("server", "text", text)
		return
	}
	if l.first(kind(lower)) {
		l.log.Warn("the node reports", "text", text)
	}
}

// first tells whether something is to be said, and notes that it was.
func (l *logger) first(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if last, ok := l.seen[what]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	for other, when := range l.seen {
		if now.Sub(when) >= repeatAfter {
			delete(l.seen, other)
		}
	}
	l.seen[what] = now
	return true
}

// kind is a text without its digits: ports, numbers of connections and times.
func kind(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}

func text(format string, v []any) string { return fmt.Sprintf(format, v...) }
