package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// addition is one addition that waits to be appended.
type addition struct {
	waiter
	data   []json.RawMessage // copies
	bytes  int
	large  map[int]largeRef // by the index of the message
	key    string
	digest string
	// replaces is the sequence of an earlier message with the key that is gone
	// and still in the stream.
	replaces uint64
	handover

	first host.ID // the outcome
}

// Append implements host.Messages. What many wait to append is appended at once, by
// a goroutine for each group of each daemon. It decides the ids and says what it
// takes the last sequence to be: if another daemon was faster, the leader refuses
// everything, and it is handed over to that one.
func (s *Store) Append(ctx context.Context, a host.Addition) ([]host.ID, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(a.Data) == 0 || len(a.Data) > host.MaxAddition {
		return nil, fmt.Errorf("append %d messages: %w", len(a.Data), host.ErrTooLarge)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	add := &addition{waiter: newWaiter(ctx), key: a.Key, large: map[int]largeRef{}}
	for _, data := range a.Data {
		add.data = append(add.data, slices.Clone(data))
		add.bytes += min(len(data), pieceSize) + perMessage
	}
	if a.Key != "" {
		add.digest = hexDigest(host.Addition{Data: add.data}.Digest())
	}
	for i, data := range add.data {
		if len(data) > pieceSize {
			var err error
			if add.large[i], err = s.putLarge(ctx, a.Group, data); err != nil {
				return nil, err
			}
		}
	}
	g := s.group(a.Group)
	if err := s.enqueue(g, add); err != nil {
		return nil, err
	}
	if err := add.wait(s); err != nil {
		return nil, fmt.Errorf("append to %q: %w", a.Group, err)
	}
	for i, r := range add.large {
		s.background(ctx, func(ctx context.Context) error { return s.nameLarge(ctx, a.Group, r, add.first+host.ID(i)) })
	}
	ids := make([]host.ID, len(a.Data))
	for i := range ids {
		ids[i] = add.first + host.ID(i)
	}
	return ids, nil
}

// enqueue has an addition appended, or handed over.
func (s *Store) enqueue(g *group, a *addition) error {
	return g.queue.add(s, a, func(all []*addition) { s.appendAll(g, all) })
}

// perMessage is about how many bytes a message has beside its data.
const perMessage = 300

// maxAppendBytes is up to how many bytes are appended at once.
const maxAppendBytes = 8 << 20

// appendAll appends additions, many at once. An addition that is too large for one
// batch goes alone.
func (s *Store) appendAll(g *group, all []*addition) {
	for len(all) > 0 {
		var now, later []*addition
		messages, bytes := 0, 0
		keys := map[string]bool{}
		for i, a := range all {
			if err := a.ctx.Err(); err != nil {
				a.end(err) // nothing of it was done here
				continue
			}
			messages += len(a.data)
			bytes += a.bytes
			if len(now) > 0 && (messages > maxBatch || bytes > maxAppendBytes) {
				later = append(later, all[i:]...)
				break
			}
			if a.key != "" && keys[a.key] {
				later = append(later, a) // it gets the ids of the one before
				continue
			}
			keys[a.key] = true
			now = append(now, a)
		}
		if len(now) > 0 {
			s.appendSome(g, now)
		}
		all = later
	}
}

// appendSome appends additions at once and gives them their outcomes.
func (s *Store) appendSome(g *group, all []*addition) {
	var waiters []*waiter
	for _, a := range all {
		waiters = append(waiters, &a.waiter)
	}
	ctx, cancel := together(waiters)
	defer cancel()
	var err error
	for n := 0; len(all) > 0; n++ {
		var last tail
		if last, err = s.appendable(ctx, g); err != nil {
			break
		}
		if all = s.handOver(g, last, s.accept(g, last, all)); len(all) == 0 {
			return
		}
		if all, err = s.withoutStored(ctx, g, last, all); len(all) == 0 || err != nil {
			break
		}
		p := s.prepare(g, last, all)
		if err = s.write(ctx, p); !errors.Is(err, errTooLate) {
			if err == nil {
				g.appended(p)
			}
			s.notify(g.name) // perhaps only the answer was lost
			break
		}
		g.remember(tail{}) // it is somewhere else
		g.contended = time.Now().Add(contendedFor)
		if all, err = s.withoutRepeated(ctx, g, all); err != nil {
			break
		}
		if !s.pause(ctx, min(n, 6)) {
			err = s.unavailable(ctx, err)
			break
		}
	}
	for _, a := range all {
		a.end(err)
	}
}

// appendable returns the end of a group's stream when something can be appended
// there: what was left incomplete is settled, and the stream is made if need be.
func (s *Store) appendable(ctx context.Context, g *group) (last tail, err error) {
	if last = g.remembered(); !last.known {
		if last, err = s.readTail(ctx, g); err == nil && !last.known {
			last, err = s.confirmNoStream(ctx, g)
		}
		if err != nil {
			return last, err
		}
		if !last.known {
			if err := s.makeGroup(ctx, g.name); err != nil {
				return last, fmt.Errorf("make the stream of group %q: %w", g.name, err)
			}
			last.known = true
		}
	}
	if last.open != nil {
		return s.settleOpen(ctx, g, last)
	}
	if last.deleted {
		c, err := s.tableOf(string(g.name)).load(ctx, stateKey(g.name))
		if err != nil {
			return last, err
		}
		state, err := s.stateOf(c)
		if err != nil {
			return last, err
		}
		last.time, last.settled = state.Time, state.settled
	}
	return last, nil
}

// makeGroup makes the stream of a group. First its state is written, so that a stream
// that seems not to be there is looked for: see confirmNoStream.
func (s *Store) makeGroup(ctx context.Context, g host.GroupName) error {
	err := s.tableOf(string(g)).do(ctx, &change{needs: []string{stateKey(g)}, run: func(c *commit) error {
		old, err := c.get(stateKey(g))
		if err == nil && !old.exists() && !c.changed(stateKey(g)) {
			_, err = c.change(g)
		}
		return err
	}})
	if err != nil {
		return err
	}
	return s.createStream(ctx, s.groupConfig(g))
}

// placed is what is about to be appended, with its ids.
type placed struct {
	group *group
	first host.ID // also the sequence
	by    operation
	all   []*nats.Msg
	after tail
	// parts are for what is too much for one batch.
	parts []int // how many messages each has
	// keys are the subjects of idempotency keys, and the sequences they are at.
	keys map[string]uint64
}

// prepare numbers and stamps what is to be appended.
func (s *Store) prepare(g *group, last tail, all []*addition) *placed {
	at := s.now().UTC()
	if last.time.After(at) {
		at = last.time
	}
	p := &placed{group: g, first: host.ID(last.seq) + 1, by: s.operation(), keys: map[string]uint64{}}
	id := p.first
	for _, a := range all {
		a.first = id
		for i, data := range a.data {
			l := label{by: p.by, origin: a.origin, time: at, first: a.first, count: uint64(len(a.data)), settled: last.settled, large: a.large[i], key: a.key}
			if a.key != "" && i == len(a.data)-1 {
				l.digest = a.digest
			}
			m := s.encodeMessage(g.name, id, l, data)
			if l.digest != "" {
				m.Header.Set("Nats-Expected-Last-Subject-Sequence", fmt.Sprint(a.replaces))
				p.keys[m.Subject] = a.replaces
			}
			p.all = append(p.all, m)
			id++
		}
	}
	p.after = tail{known: true, seq: uint64(id) - 1, visible: id - 1, time: at, writer: s.writer, settled: last.settled}
	p.split()
	return p
}

// split divides what is too much for one batch.
func (p *placed) split() {
	n, bytes := 0, 0
	for _, m := range p.all {
		if n == maxBatch || n > 0 && bytes+len(m.Data) > maxAppendBytes {
			p.parts = append(p.parts, n)
			n, bytes = 0, 0
		}
		n++
		bytes += len(m.Data)
	}
	p.parts = append(p.parts, n)
}

// write publishes what was prepared. It fails with errTooLate if it is not stored,
// and can't be any more.
//
// An answer can be lost although all was stored; then the operation at the place
// where it should be tells. While nothing is there, publishing it again does no
// harm, since only one can be stored behind the last sequence.
func (s *Store) write(ctx context.Context, p *placed) error {
	unsure := false
	done := 0 // messages that are stored
	for n := 0; ; n++ {
		err := s.publishParts(ctx, p, done, n)
		switch {
		case err == nil:
			return nil
		case wrongLast(err) && !unsure && len(p.parts) == 1:
			return errTooLate
		case !wrongLast(err) && !transient(err):
			// Parts that were stored are given up by the next to append.
			return refusal(err, unsure)
		}
		unsure = true
		if !s.pause(ctx, n) {
			return s.unavailable(ctx, err)
		}
		refused := wrongLast(err)
		if done, err = s.stored(ctx, p); err != nil || done == len(p.all) {
			return err
		}
		if refused && done == 0 {
			if err := s.checkKeys(ctx, p); err != nil {
				return err
			}
		}
	}
}

// stored returns how many of the messages are stored. It fails with errTooLate if
// something else is in their place.
func (s *Store) stored(ctx context.Context, p *placed) (int, error) {
	last, err := s.readTail(ctx, p.group)
	if err == nil && !last.known {
		last, err = s.confirmNoStream(ctx, p.group)
	}
	if err != nil {
		return 0, err
	}
	if last.seq < uint64(p.first) {
		return 0, nil
	}
	// All have the same operation, so the one that must be there is enough: the
	// last of all, or the last that is stored.
	at := min(last.seq, uint64(p.first)+uint64(len(p.all))-1)
	m, err := s.getMessage(ctx, p.group.name, getRequest{Seq: at})
	if err != nil {
		return 0, err
	}
	if m == nil {
		return 0, fmt.Errorf("%w: what was at %d of %q was deleted before its addition was confirmed", host.ErrUnavailable, at, p.group.name)
	}
	if l, err := peekLabel(m); err != nil || l.by != p.by || l.fence {
		return 0, errTooLate
	}
	return int(at-uint64(p.first)) + 1, nil
}
