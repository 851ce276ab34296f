package natsstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// Data that are too large for one message are a cell of the bodies' table, written
// before the message, in pieces. The value of the cell is the time when it was
// written and, once that is known, the id of the message, so that what no message
// refers to, after a crash, can be found and deleted: see sweep.go.

// largeRef says where the data of a large message are.
type largeRef struct {
	id     string // of the cell
	named  string // its pieces
	pieces int    // 0 if the data are in the message
}

func (r largeRef) String() string {
	if r.pieces == 0 {
		return "-"
	}
	return r.id + "/" + r.named + "/" + strconv.Itoa(r.pieces)
}

func parseLarge(text string) (r largeRef, err error) {
	if text == "-" {
		return r, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return r, errMalformed
	}
	n, err := strconv.Atoi(parts[2])
	if err != nil || n < 1 || n > maxPieces {
		return r, errMalformed
	}
	return largeRef{parts[0], parts[1], n}, nil
}

func largeKey(g host.GroupName, id string) string { return "l." + encodeToken(string(g)) + "." + id }

func encodeLarge(put time.Time, id host.ID) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(put.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(id))
}

func decodeLarge(b []byte) (put time.Time, id host.ID, err error) {
	if len(b) != 16 {
		return put, 0, errMalformed
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), host.ID(binary.BigEndian.Uint64(b[8:])), nil
}

// putLarge stores the data of a large message.
func (s *Store) putLarge(ctx context.Context, g host.GroupName, data json.RawMessage) (largeRef, error) {
	id := s.operation().String()
	key := largeKey(g, id)
	var written *cell
	c := &change{bytes: len(data), messages: len(data)/pieceSize + 2, run: func(c *commit) error {
		if _, err := c.get(key); err != nil {
			return err
		}
		written = &cell{key: key, value: encodeLarge(s.now(), 0), attached: data}
		c.set(written)
		return nil
	}}
	if err := s.bodies.do(ctx, c); err != nil {
		return largeRef{}, fmt.Errorf("store a large message: %w", err)
	}
	return largeRef{id, written.named, written.pieces}, nil
}

// nameLarge writes down whose data they are.
func (s *Store) nameLarge(ctx context.Context, g host.GroupName, r largeRef, id host.ID) error {
	key := largeKey(g, r.id)
	return s.bodies.do(ctx, &change{needs: []string{key}, run: func(c *commit) error {
		old, err := c.get(key)
		if err != nil || !old.exists() {
			return err
		}
		put, _, err := decodeLarge(old.value)
		if err == nil {
			c.set(&cell{key: key, value: encodeLarge(put, id), named: old.named, pieces: old.pieces})
		}
		return err
	}})
}

// dropLarge deletes the data of a large message.
func (s *Store) dropLarge(ctx context.Context, g host.GroupName, id string) error {
	key := largeKey(g, id)
	return s.bodies.do(ctx, &change{needs: []string{key}, run: func(c *commit) error {
		old, err := c.get(key)
		if err == nil && old.exists() {
			c.delete(key)
		}
		return err
	}})
}

// largeData returns the data of a large message.
func (s *Store) largeData(ctx context.Context, g host.GroupName, r largeRef) ([]byte, error) {
	return s.bodies.readPieces(ctx, largeKey(g, r.id), r.named, r.named, r.pieces, 0)
}
