package natsstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/restante/restante/host"
)

// A body is a cell: its value is when the body was last put and how large it is,
// and the body itself, compressed, is in pieces. So putting it again writes the
// value alone.

// freshFor is how long a body that was put counts as the newest without a write.
const freshFor = time.Hour

func bodyKey(g host.GroupName, sum string) string { return "b." + encodeToken(string(g)) + "." + sum }

func encodeBodyValue(put time.Time, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(put.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(size))
}

func decodeBodyValue(b []byte) (put time.Time, size int64, err error) {
	if len(b) != 16 {
		return put, 0, errMalformed
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))), int64(binary.BigEndian.Uint64(b[8:])), nil
}

// PutBody implements host.Bodies.
func (s *Store) PutBody(ctx context.Context, g host.GroupName, sum host.Sum, body []byte) error {
	key := bodyKey(g, hex.EncodeToString(sum[:]))
	c, err := s.bodies.load(ctx, key)
	if err != nil {
		return fmt.Errorf("put body %x of %q: %w", sum, g, err)
	}
	if c.exists() {
		if put, _, err := decodeBodyValue(c.value); err == nil && s.now().Sub(put) < freshFor {
			return nil
		}
	}
	return s.putBody(ctx, g, sum, s.zip.EncodeAll(body, nil), s.now)
}

// putBody keeps what was packed, or notes when it was put.
func (s *Store) putBody(ctx context.Context, g host.GroupName, sum host.Sum, packed []byte, now func() time.Time) error {
	key := bodyKey(g, hex.EncodeToString(sum[:]))
	if len(packed) > maxPieces*pieceSize {
		return fmt.Errorf("put body %x of %q: %w: it has %d bytes when compressed", sum, g, host.ErrTooLarge, len(packed))
	}
	err := s.bodies.do(ctx, &change{bytes: len(packed), messages: len(packed)/pieceSize + 2, run: func(c *commit) error {
		old, err := c.get(key)
		if err != nil {
			return err
		}
		next := &cell{key: key}
		if _, size, err := decodeBodyValue(old.value); err == nil && old.exists() && !c.changed(key) {
			next.value, next.named, next.pieces = encodeBodyValue(now(), int(size)), old.named, old.pieces
		} else {
			next.value, next.attached = encodeBodyValue(now(), len(packed)), packed
		}
		c.set(next)
		return nil
	}})
	if err != nil {
		return fmt.Errorf("put body %x of %q: %w", sum, g, err)
	}
	return nil
}

// Body implements host.Bodies.
func (s *Store) Body(ctx context.Context, g host.GroupName, sum host.Sum) ([]byte, error) {
	key := bodyKey(g, hex.EncodeToString(sum[:]))
	for n := 0; ; n++ {
		c, err := s.bodies.load(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("body %x of %q: %w", sum, g, err)
		}
		if !c.exists() {
			return nil, host.ErrNoBody
		}
		body, err := s.unpackBody(ctx, c, sum)
		if errors.Is(err, host.ErrDamaged) && n == 0 {
			continue // it may have been deleted, or put anew, in between
		}
		return body, err
	}
}

func (s *Store) unpackBody(ctx context.Context, c *cell, sum host.Sum) ([]byte, error) {
	packed, err := s.bodies.readPieces(ctx, c.key, c.named, c.named, c.pieces, c.seq)
	if err != nil {
		return nil, fmt.Errorf("body %x: %w", sum, err)
	}
	body, err := s.unzip.DecodeAll(packed, nil)
	if err != nil || sha256.Sum256(body) != sum {
		return nil, fmt.Errorf("%w: body %x does not match its SHA-256", host.ErrDamaged, sum)
	}
	return body, nil
}

// PruneBodies implements host.Bodies.
func (s *Store) PruneBodies(ctx context.Context, g host.GroupName, before time.Time, maxBytes int64, limit int) (pruned int, err error) {
	all, err := s.bodies.list(ctx, bodyKey(g, "*"))
	if err != nil {
		return 0, fmt.Errorf("prune bodies of %q: %w", g, err)
	}
	total := int64(0)
	// Sequences are in the order in which the bodies were put.
	slices.SortFunc(all, func(a, b *cell) int { return int(int64(a.seq) - int64(b.seq)) })
	for _, c := range all {
		if _, size, err := decodeBodyValue(c.value); err == nil && !c.gone {
			total += size
		}
	}
	var old []*cell
	for _, c := range all {
		if c.gone {
			if err := s.bodies.tidyUp(ctx, c); err != nil {
				return 0, fmt.Errorf("prune bodies of %q: %w", g, err)
			}
			continue
		}
		put, size, err := decodeBodyValue(c.value)
		if err != nil {
			return 0, fmt.Errorf("prune bodies of %q: %s: %w", g, c.key, err)
		}
		if len(old) == limit || !put.Before(before) && total <= max(maxBytes, 0) {
			break
		}
		old = append(old, c)
		total -= size
	}
	for some := range slices.Chunk(old, maxCommitMessages) {
		n, err := s.deleteBodies(ctx, some)
		if pruned += n; err != nil {
			return pruned, fmt.Errorf("prune bodies of %q: %w", g, err)
		}
	}
	return pruned, nil
}

// deleteBodies deletes bodies but those that were put again, and returns how many.
func (s *Store) deleteBodies(ctx context.Context, all []*cell) (int, error) {
	var keys []string
	for _, c := range all {
		keys = append(keys, c.key)
	}
	outcome := 0
	err := s.bodies.do(ctx, &change{needs: keys, messages: len(keys), run: func(commit *commit) error {
		outcome = 0
		for _, c := range all {
			if _, err := commit.get(c.key); err != nil {
				return err
			}
		}
		for _, c := range all {
			if now, _ := commit.get(c.key); now.seq == c.seq && !commit.changed(c.key) {
				commit.delete(c.key)
				outcome++
			}
		}
		return nil
	}})
	if err != nil {
		return 0, err
	}
	return outcome, nil
}

// newZip returns what packs and unpacks; both are safe for concurrent use.
func newZip() (*zstd.Encoder, *zstd.Decoder, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, nil, err
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	return zip, unzip, err
}

// maxUnpacked is more than any document has: 256 MiB.
const maxUnpacked = 256 << 20
