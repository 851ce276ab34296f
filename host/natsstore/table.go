package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// table keeps cells in a stream that has one message for each subject: the cell's
// latest version. A cell is changed by comparing its sequence, and several cells of
// a table are changed at once, by a batch; change.go is how.
type table struct {
	store  *Store
	stream string
	root   string // of all subjects
	queue  queue[*change]
	// confirms are those that wait for a sequence, see confirm.go.
	confirms queue[*confirmation]

	mu    sync.Mutex
	known map[string]*cell // what was read or written last, by key
}

// maxKnown is how many cells of a table are kept in memory, and maxKnownBytes how
// large those may be that are not kept for good.
const (
	maxKnown      = 4096
	maxKnownBytes = 64 << 10
)

// Cells are named by parts of a subject; the first says what it is:
//
//	s.GROUP                        the state of a group, see state.go
//	r.BUCKET.KEY                   a record
//	h.JOURNAL                      the head of a journal, see journals.go
//	j.JOURNAL.PAGE.KEYHASH.NUMBER  an entry
//	b.GROUP.SUM                    a body, see bodies.go
//	l.GROUP.OPERATION              the data of a large message, see large.go
//	c.0                            nothing, see confirm.go
//
// A value that is too large for one message goes on in pieces, whose subjects are
// that of the cell, the name of the pieces, and the number of the piece.
type cell struct {
	key   string
	seq   uint64 // of its latest version, which is its revision; 0 if it was never written
	gone  bool   // deleted, and what is left of it is about to be
	value []byte
	// The operations that wrote it, the latest of each writer, the newest first.
	operations []operation
	// Pieces are how many pieces there are besides value, and named says what
	// they are called: the operation that wrote them, or "0".
	pieces int
	named  string
	// attached is what goes into pieces, and not into the value.
	attached []byte
	// decoded is what was made of the value, or is to be made a value of.
	decoded encoder
}

// encoder is what a cell holds.
type encoder interface{ encode() []byte }

func (c *cell) exists() bool { return c.seq > 0 && !c.gone }

// lasting tells whether cells of a kind are never deleted. Their pieces are always
// called the same, so that new ones take the place of old ones.
func lasting(key string) bool { return key[0] == 's' || key[0] == 'h' }

// pieceSize is how large a message may be apart from its headers. A server takes
// 1 MiB unless told otherwise, and NATS advises to stay well below.
const pieceSize = 512 << 10

// headroom is more than the headers of a message have.
const headroom = 16 << 10

// maxPieces is more than any value has.
const maxPieces = maxBatch - 20

func (t *table) subject(key string) string { return t.root + "." + key }

// encode returns the message of a cell; the pieces are not in it.
func (t *table) encode(c *cell) *nats.Msg {
	kind := "v"
	if c.gone {
		kind = "x"
	}
	fields := []string{kind, strconv.Itoa(c.pieces), c.named, formatOperations(c.operations)}
	if c.named == "" {
		fields[2] = "-"
	}
	return &nats.Msg{Subject: t.subject(c.key), Header: seal(t.subject(c.key), fields, c.value), Data: c.value}
}

func (t *table) decode(m *stored) (*cell, error) {
	key := strings.TrimPrefix(m.subject, t.root+".")
	fields, err := unseal(m.subject, m.header, m.data)
	if err == nil && len(fields) != 4 {
		err = errMalformed
	}
	c := &cell{key: key, seq: m.seq, value: m.data}
	if err == nil {
		c.gone = fields[0] == "x"
		if c.named = fields[2]; c.named == "-" {
			c.named = ""
		}
		if c.pieces, err = strconv.Atoi(fields[1]); err != nil || c.pieces < 0 || c.pieces > maxPieces {
			err = errMalformed
		}
	}
	if err == nil {
		if c.operations, err = parseOperations(fields[3]); err != nil {
			err = errMalformed
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s of the stream %s: %w", m.subject, t.stream, err)
	}
	return c, nil
}

func (t *table) piece(key, named string, i int) string {
	return t.subject(key) + "." + named + "." + strconv.Itoa(i)
}

// encodePieces returns the messages of what does not fit into the cell itself.
func (t *table) encodePieces(key, named string, by operation, data []byte) (all []*nats.Msg) {
	for i := 1; len(data) > 0; i++ {
		n := min(len(data), pieceSize)
		subject := t.piece(key, named, i)
		all = append(all, &nats.Msg{Subject: subject, Header: seal(subject, []string{"p", by.String()}, data[:n]), Data: data[:n]})
		data = data[n:]
	}
	return all
}

// readPieces returns the data of all pieces of a cell that an operation wrote. It
// fails with host.ErrDamaged if not all are there, perhaps as the cell was changed
// meanwhile.
func (t *table) readPieces(ctx context.Context, key, named, by string, pieces int, notBefore uint64) ([]byte, error) {
	var subjects []string
	for i := range pieces {
		subjects = append(subjects, t.piece(key, named, i+1))
	}
	found, err := t.store.lastOf(ctx, t.stream, subjects, notBefore, nil)
	if err != nil {
		return nil, err
	}
	var data []byte
	for _, subject := range subjects {
		m := found[subject]
		if m == nil {
			return nil, fmt.Errorf("%s of the stream %s: %w", subject, t.stream, errMissing)
		}
		fields, err := unseal(subject, m.header, m.data)
		if err == nil && (len(fields) != 2 || fields[1] != by) {
			err = errSum
		}
		if err != nil {
			return nil, fmt.Errorf("%s of the stream %s: %w", subject, t.stream, err)
		}
		data = append(data, m.data...)
	}
	return data, nil
}

// load asks the leader for a cell. Of one that is lasting and known it asks only
// whether it was changed.
func (t *table) load(ctx context.Context, key string) (*cell, error) {
	subject := t.subject(key)
	known := t.lookUp(key)
	for n := 0; ; n++ {
		r := getRequest{Last: subject}
		if known != nil && known.seq > 0 && lasting(key) {
			r = getRequest{Next: subject, Seq: known.seq + 1}
		}
		m, err := t.store.get(ctx, t.stream, r)
		if err != nil {
			return nil, err
		}
		switch {
		case m == nil && r.Seq > 0:
			return known, nil
		case m == nil:
			c := &cell{key: key}
			t.remember(c)
			return c, nil
		}
		c, err := t.decode(m)
		if err == nil {
			err = t.complete(ctx, c)
		}
		if errors.Is(err, host.ErrDamaged) && c != nil && n < 3 {
			continue // its pieces may be of the next version
		}
		if err != nil {
			return nil, err
		}
		t.remember(c)
		return c, nil
	}
}

// complete reads the pieces of a cell whose value they are.
func (t *table) complete(ctx context.Context, c *cell) error {
	if c.pieces == 0 || c.gone || apart(c.key) {
		return nil
	}
	by := c.named
	if lasting(c.key) {
		by = c.operations[0].String()
	}
	rest, err := t.readPieces(ctx, c.key, c.named, by, c.pieces, c.seq)
	if err != nil {
		return err
	}
	c.value = append(c.value, rest...)
	return nil
}

// purgePieces deletes the pieces of a cell.
func (t *table) purgePieces(ctx context.Context, c *cell) error {
	return t.store.purge(ctx, t.stream, purgeRequest{Filter: t.subject(c.key) + "." + c.named + ".>"})
}

// tidyUp deletes what is left of a cell that is gone.
func (t *table) tidyUp(ctx context.Context, c *cell) error {
	if c.pieces > 0 {
		if err := t.purgePieces(ctx, c); err != nil {
			return err
		}
	}
	return t.store.deleteSeq(ctx, t.stream, c.seq)
}

// apart tells whether the pieces of cells of a kind are read apart from them.
func apart(key string) bool { return key[0] == 'b' || key[0] == 'l' }

func (t *table) lookUp(key string) *cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[key]
}

// remember keeps a cell in memory unless a later version of it is there.
func (t *table) remember(c *cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(c.value) > maxKnownBytes && !lasting(c.key) || c.key[0] == 'j' || apart(c.key) {
		delete(t.known, c.key)
		return
	}
	if old := t.known[c.key]; old != nil && old.seq > c.seq && c.seq > 0 {
		return
	}
	if len(t.known) >= maxKnown {
		for key := range t.known {
			delete(t.known, key)
			break
		}
	}
	t.known[c.key] = c
}

func (t *table) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, key)
}
