package natsstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

// group is what an open store has in memory of a group.
type group struct {
	name   host.GroupName
	stream string
	queue  queue[*addition]
	// Only the goroutine of the queue has these: what this daemon appended last
	// without another in between, and until when others are likely to append too.
	run       struct{ first, last uint64 }
	contended time.Time

	mu     sync.Mutex
	last   tail
	silent string // the writer that gave no answer when it was handed something
}

func (s *Store) group(name host.GroupName) *group {
	s.groupsMu.Lock()
	defer s.groupsMu.Unlock()
	g := s.groups[name]
	if g == nil {
		g = &group{name: name, stream: s.names.group(name)}
		s.groups[name] = g
	}
	return g
}

// tail is the end of a group's stream.
type tail struct {
	known bool
	seq   uint64 // the last sequence; 0 if there is none, or no stream
	// visible is the last id that was given out for good: that of seq, or the one
	// before an addition that is not complete.
	visible host.ID
	time    time.Time // of the message at seq
	writer  string    // that appended it; empty if it is not known
	settled uint64    // the latest fence up to seq
	// open is the label of an addition that is not complete, or of a fence.
	open *label
	// deleted says that the message at seq was pruned, or is damaged, so that only
	// the state knows a time and the latest fence.
	deleted bool
}

// tailAt makes a tail of the message at the end. One that is damaged counts as
// complete: its id was given out.
func tailAt(g host.GroupName, m *stored) tail {
	last := tail{known: true, seq: m.seq, visible: host.ID(m.seq)}
	l, err := peekLabel(m)
	if err == nil && l.large.pieces == 0 {
		_, _, err = openMessage(g, m, m.data)
	}
	if err != nil {
		last.deleted = true
		return last
	}
	last.time, last.settled, last.writer = l.time, l.settled, l.by.writer
	if l.fence || l.last() > host.ID(m.seq) {
		last.open, last.visible = &l, l.first-1
	}
	if l.fence {
		last.settled = m.seq
	}
	return last
}

func (g *group) remembered() tail {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

func (g *group) remember(last tail) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last.seq >= g.last.seq || !last.known {
		g.last = last
	}
	if last.writer != "" && last.writer != g.silent {
		g.silent = ""
	}
}

// tail asks the leader for the end of a group's stream. If it is where it was, the
// answer is short.
func (s *Store) tail(ctx context.Context, name host.GroupName) (tail, error) {
	g := s.group(name)
	known := g.remembered()
	if known.known {
		m, err := s.get(ctx, g.stream, getRequest{Next: ">", Seq: known.seq + 1})
		if err == nil && m == nil {
			return known, nil
		}
		if err != nil && !errors.Is(err, errNoStream) {
			return tail{}, err
		}
	}
	last, err := s.readTail(ctx, g)
	if err == nil && !last.known {
		last, err = s.confirmNoStream(ctx, g)
	}
	if err == nil {
		g.remember(last)
	}
	return last, err
}

// lookAgainFor is how long a stream that should be there is looked for: a server
// that has just become its leader may not know it yet, and a daemon may be about to
// make it.
const lookAgainFor = 3 * time.Second

// confirmNoStream is asked whether a group that seems to have no stream really has
// none. Its state was written before its stream was made.
func (s *Store) confirmNoStream(ctx context.Context, g *group) (tail, error) {
	known := g.remembered().known
	c, err := s.tableOf(string(g.name)).load(ctx, stateKey(g.name))
	if err != nil || !known && !c.exists() {
		return tail{}, err
	}
	for since := time.Now(); time.Since(since) < lookAgainFor; {
		if !s.pause(ctx, 5) {
			return tail{}, s.unavailable(ctx, errNoStream)
		}
		if last, err := s.readTail(ctx, g); err != nil || last.known {
			return last, err
		}
	}
	state, err := s.stateOf(c)
	if err == nil && (known || state.Last > 0) {
		err = fmt.Errorf("the stream %s with the messages of %q is gone: restore it from a backup", g.stream, g.name)
	}
	return tail{}, err // perhaps a daemon died before it made the stream
}

// readTail asks for the end of a group's stream whatever is remembered. It is not
// known if there seems to be no stream.
func (s *Store) readTail(ctx context.Context, g *group) (tail, error) {
	m, err := s.get(ctx, g.stream, getRequest{Last: ">"})
	if errors.Is(err, errNoStream) {
		return tail{}, nil
	}
	if err != nil {
		return tail{}, err
	}
	if m != nil {
		return tailAt(g.name, m), nil
	}
	found, err := s.info(ctx, g.stream, "")
	if errors.Is(err, errNoStream) {
		return tail{}, nil
	}
	if err != nil {
		return tail{}, err
	}
	seq := found.State.Last
	return tail{known: true, seq: seq, visible: host.ID(seq), deleted: seq > 0}, nil
}

// getMessage asks the leader of a group's stream for a message, nil if there is
// none.
func (s *Store) getMessage(ctx context.Context, g host.GroupName, r getRequest) (*stored, error) {
	for {
		m, err := s.get(ctx, s.names.group(g), r)
		if !errors.Is(err, errNoStream) {
			return m, err
		}
		if last, err := s.tail(ctx, g); err != nil || !last.known {
			return nil, err
		}
	}
}
