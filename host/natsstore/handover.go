package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// Of daemons that append to one group at once, only one can be right about the last
// sequence, and all that the others sent is refused. So for a while they hand what
// they have to append over to the daemon that was faster, which appends it together
// with its own.
//
// Nothing may be appended twice when its answer is lost, perhaps as that daemon died
// or stands still. So what is handed over names a sequence that this daemon appended,
// and is taken only while nobody else appended since. Whoever gets no answer looks
// for what it handed over behind that sequence, by its operation, and if it is not
// there appends it itself: from then on it can't be taken any more.

// handover is what an addition has that is handed over, or was.
type handover struct {
	// origin is the operation by which it is found, of the daemon that hands it
	// over. It is empty while it never was.
	origin operation
	// behind is a sequence of the daemon that it is handed over to: it is stored
	// behind it, if at all.
	behind uint64
	// unsure says that it may be stored.
	unsure   bool
	refusals int
	// taken says that it came from another daemon.
	taken bool
}

const (
	// maxHandover is how many bytes are handed over at once, and for how many an
	// addition is appended by the daemon that has it.
	maxHandover = 256 << 10
	// contendedFor is how long others are likely to append too, after one did.
	contendedFor = 10 * time.Second
	// maxRefusals is how often an addition is handed over again after it was refused.
	maxRefusals = 3
)

// end gives the outcome. Unless it is certain that nothing was done, it does not say
// that nothing was.
func (a *addition) end(err error) {
	if err != nil && a.unsure && !errors.Is(err, host.ErrKeyReused) {
		err = fmt.Errorf("%w: another daemon was to add it, and gave no answer; %v", host.ErrUnavailable, err)
	}
	a.waiter.end(err)
}

// errRefused: a daemon that was handed something is not the one that appended last.
var errRefused = errors.New("another daemon appended since")

// accept refuses what was handed over to this daemon, but is not the one any more
// that should append it.
func (s *Store) accept(g *group, last tail, all []*addition) (rest []*addition) {
	for _, a := range all {
		if a.taken && (last.seq == 0 || last.seq != g.run.last || a.behind < g.run.first) {
			a.end(errRefused)
			continue
		}
		rest = append(rest, a)
	}
	return rest
}

// appended remembers what this daemon appended.
func (g *group) appended(p *placed) {
	g.remember(p.after)
	if uint64(p.first) != g.run.last+1 {
		g.run.first = uint64(p.first)
	}
	g.run.last = p.after.seq
}

// handOver hands additions over to the daemon that appended last, if it is another
// one and goes on, and returns those that it does not hand over.
func (s *Store) handOver(g *group, last tail, all []*addition) (rest []*addition) {
	if last.writer == "" || last.writer == s.writer || time.Now().After(g.contended) || g.isSilent(last.writer) {
		return all
	}
	var now []*addition
	bytes := 0
	for _, a := range all {
		if a.taken || a.unsure || a.refusals >= maxRefusals || a.bytes > maxHandover {
			rest = append(rest, a)
			continue
		}
		if bytes += a.bytes; bytes > maxHandover {
			s.sendOver(g, last, now)
			now, bytes = nil, a.bytes
		}
		now = append(now, a)
	}
	s.sendOver(g, last, now)
	return rest
}

// sendOver hands over in one message. The additions get their outcomes, or wait again.
func (s *Store) sendOver(g *group, last tail, all []*addition) {
	if len(all) == 0 {
		return
	}
	var waiters []*waiter
	bytes := 0
	for _, a := range all {
		a.origin, a.behind = s.operation(), last.seq
		waiters = append(waiters, &a.waiter)
		bytes += a.bytes
	}
	request := encodeHandover(g.name, all)
	s.running.Add(1) // as the queue that calls this is counted, Close waits yet
	go func() {
		defer s.running.Done()
		ctx, cancel := together(waiters)
		defer cancel()
		var after tail
		err := s.onceWith(ctx, "", bytes, func(ctx context.Context) (err error) {
			inbox, answers, stop := s.outcomes.open(1)
			defer stop()
			if err := s.conn.PublishRequest(s.names.handovers(last.writer), inbox, request); err != nil {
				return err
			}
			select {
			case m := <-answers:
				if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
					return nats.ErrNoResponders
				}
				after, err = decodeOutcome(m.Data, all)
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err == nil {
			after.writer = last.writer
			g.remember(after)
		} else {
			g.fellSilent(last.writer)
		}
		notSent := errors.Is(err, nats.ErrNoResponders) || errors.Is(err, errNotConnected) || errors.Is(err, host.ErrClosed)
		for _, a := range all {
			if err == nil && a.first > 0 {
				a.end(nil)
				continue
			}
			a.unsure = err != nil && !notSent
			a.refusals++
			g.queue.again(s, a, func(all []*addition) { s.appendAll(g, all) })
		}
	}()
}

// isSilent tells whether a writer gave no answer.
func (g *group) isSilent(writer string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.silent == writer
}

// fellSilent has additions not handed over to a writer until another one appended.
func (g *group) fellSilent(writer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent, g.last = writer, tail{}
}

// withoutStored gives those additions their outcomes that were handed over without
// an answer and are stored, and returns the others.
func (s *Store) withoutStored(ctx context.Context, g *group, last tail, all []*addition) (rest []*addition, err error) {
	unsure := map[operation]*addition{}
	behind := last.seq
	for _, a := range all {
		if a.unsure {
			unsure[a.origin] = a
			behind = min(behind, a.behind)
		}
	}
	if len(unsure) == 0 {
		return all, nil
	}
	stored := map[*addition]host.ID{}
	var unknown error // why it can't be found out
	for behind < last.seq {
		var ids []host.ID
		for ; behind < last.seq && len(ids) < firstPage; behind++ {
			ids = append(ids, host.ID(behind)+1)
		}
		found, err := s.fetchPage(ctx, g.name, ids)
		if err != nil {
			return all, err
		}
		for _, id := range ids {
			l, err := label{}, errMissing
			if m := found[id]; m != nil {
				l, err = peekLabel(m)
			}
			if err != nil {
				unknown = fmt.Errorf("at %d of %q: %w", id, g.name, err)
			} else if a := unsure[l.origin]; a != nil {
				stored[a] = l.first
			}
		}
	}
	if len(stored) > 0 {
		s.notify(g.name) // the daemon that stored it may not have come to that
	}
	for _, a := range all {
		switch first, is := stored[a]; {
		case is:
			a.first = first
			a.end(nil)
		case a.unsure && unknown != nil:
			a.end(unknown)
		default:
			a.behind = max(a.behind, last.seq) // so far it was looked for
			rest = append(rest, a)
		}
	}
	return rest, nil
}

// takeOver appends what another daemon hands over. It answers only when it knows
// all outcomes.
func (s *Store) takeOver(m *nats.Msg) {
	s.handed.Store(time.Now().UnixNano())
	name, all, err := decodeHandover(m.Data)
	if err != nil {
		s.log.Warn("what another program handed over is not understood", "error", err)
		return
	}
	if !s.begin() {
		_ = m.Respond(encodeOutcome(all, tail{}))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptTime)
	g := s.group(name)
	var queued []*addition
	for _, a := range all {
		a.waiter = newWaiter(ctx)
		if s.enqueue(g, a) == nil {
			queued = append(queued, a)
		}
	}
	go func() {
		defer s.running.Done()
		defer cancel()
		for _, a := range queued {
			err := a.wait(s)
			switch {
			case errors.Is(err, errRefused), errors.Is(err, host.ErrStoreFull), errors.Is(err, host.ErrKeyReused):
				a.first = 0 // it can find out by itself
			case err != nil:
				return
			}
		}
		last := g.remembered()
		if last.writer != s.writer || last.open != nil {
			last = tail{}
		}
		_ = m.Respond(encodeOutcome(all, last))
	}()
}
