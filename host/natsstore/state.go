package natsstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/restante/restante/host"
)

// groupState is the cell of a group: everything about it but the messages. Adding
// does not change it, so its Last can be behind; it is never before an id that
// another of its sets has.
type groupState struct {
	host.State
	// settled is the sequence of the latest fence (see parts.go) whose ids the
	// state knows to be gone.
	settled uint64
	// leftover are the ids that are gone, and perhaps still in the stream.
	leftover host.Ranges
	zip      *zstd.Encoder
}

func stateKey(g host.GroupName) string { return "s." + encodeToken(string(g)) }

// Forms of the cell. The compressed one has the same after the first byte.
const (
	statePlain      = 1
	stateCompressed = 2
)

// zipFrom is from how many bytes on a state is compressed.
const zipFrom = 2048

// encode writes the form; settled, a varint; the length of leftover as text, a
// varint, and the text; the state.
func (s *groupState) encode() []byte {
	b := binary.AppendUvarint([]byte{statePlain}, s.settled)
	text := s.leftover.String()
	b = binary.AppendUvarint(b, uint64(len(text)))
	b = append(b, text...)
	b, _ = s.AppendBinary(b)
	if len(b) >= zipFrom {
		b = s.zip.EncodeAll(b[1:], []byte{stateCompressed})
	}
	return b
}

func (s *Store) decodeState(b []byte) (*groupState, error) {
	state := &groupState{zip: s.zip}
	if len(b) == 0 {
		return state, nil // the cell is not there yet
	}
	form, b := b[0], b[1:]
	if form == stateCompressed {
		var err error
		if b, err = s.unzip.DecodeAll(b, nil); err != nil {
			return nil, errMalformed
		}
	} else if form != statePlain {
		return nil, errMalformed
	}
	var n int
	if state.settled, n = binary.Uvarint(b); n <= 0 {
		return nil, errMalformed
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, errMalformed
	}
	text, b := string(b[n:n+int(size)]), b[n+int(size):]
	if text != "" {
		var err error
		if state.leftover, err = host.ParseRanges(text); err != nil {
			return nil, errMalformed
		}
	}
	if err := state.UnmarshalBinary(b); err != nil {
		return nil, fmt.Errorf("%w: %w", host.ErrDamaged, err)
	}
	return state, nil
}

// stateOf returns what a cell holds, which must not be changed.
func (s *Store) stateOf(c *cell) (*groupState, error) {
	// Cells in memory are shared, so what is decoded is kept under the lock.
	s.decoding.Lock()
	defer s.decoding.Unlock()
	if state, ok := c.decoded.(*groupState); ok {
		return state, nil
	}
	state, err := s.decodeState(c.value)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", c.key, err)
	}
	c.decoded = state
	return state, nil
}

// state returns a state that may be looked at.
func (c *commit) state(g host.GroupName) (*groupState, error) {
	found, err := c.get(stateKey(g))
	if err != nil {
		return nil, err
	}
	return c.table.store.stateOf(found)
}

// change returns a state that may be changed, and is written then.
func (c *commit) change(g host.GroupName) (*groupState, error) {
	state, err := c.state(g)
	if err != nil || c.changed(stateKey(g)) {
		return state, err
	}
	copied := *state
	copied.State, copied.leftover = state.State.Clone(), state.leftover.Clone()
	c.set(&cell{key: stateKey(g), decoded: &copied})
	return &copied, nil
}

// view is what a group looks like at one moment. It must not be changed.
type view struct {
	*groupState
	last tail
}

// look is what a group looked like at two moments, that of its state and that of its
// newest message, both as the leaders have them.
type look struct {
	cell *cell
	last tail
}

func sameState(a, b look) bool { return a.cell.seq == b.cell.seq }
func sameLast(a, b look) bool  { return a.last.seq == b.last.seq }

// look looks at a group.
func (s *Store) look(ctx context.Context, g host.GroupName) (l look, err error) {
	type found struct {
		cell *cell
		err  error
	}
	loaded := make(chan found, 1)
	go func() {
		c, err := s.tableOf(string(g)).load(ctx, stateKey(g))
		loaded <- found{c, err}
	}()
	l.last, err = s.tail(ctx, g)
	f := <-loaded
	l.cell = f.cell
	return l, cmp.Or(err, f.err)
}

// view returns what a group looks like at one moment. The state and the messages are
// led by different servers, so it looks until one of them was the same before and
// after it looked at the other.
func (s *Store) view(ctx context.Context, g host.GroupName) (view, error) {
	var before, between, now look
	for n := 1; ; n++ {
		var err error
		if now, err = s.look(ctx, g); err != nil {
			return view{}, err
		}
		one := now
		switch {
		case n > 1 && sameState(between, now) && sameLast(between, now):
		case n > 2 && sameState(before, now):
			one.last = between.last
		case n > 2 && sameLast(before, now):
			one.cell = between.cell
		default:
			before, between = between, now
			continue
		}
		state, err := s.stateOf(one.cell)
		if err != nil {
			return view{}, err
		}
		return view{s.joined(state, one.last), one.last}, nil
	}
}

// joined returns the state with the newest message in it.
func (s *Store) joined(state *groupState, last tail) *groupState {
	if state.Last >= last.visible {
		return state
	}
	// The sets are shared: nobody changes either.
	joined := *state
	joined.Last, joined.Time = last.visible, last.time
	return &joined
}
