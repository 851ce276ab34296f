package boltstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

// The bodies of a group are a bucket below bodiesBucket with three of its own:
// data by sum, compressed and sealed; for each sum its place in the order and the time when
// it was last put; and the sums in that order. The key size has how many bytes
// all data have.
var (
	bodiesBucket = []byte("bodies")
	dataBucket   = []byte("data")
	placeBucket  = []byte("place")
	orderBucket  = []byte("order")
	sizeKey      = []byte("size")
)

// freshFor is how long a body that was put counts as the newest without a write.
const freshFor = time.Hour

// PutBody implements host.Bodies. Bodies are compressed by the caller's own
// goroutine, so that the committing one does no more than write.
func (s *Store) PutBody(ctx context.Context, g host.GroupName, sum host.Sum, body []byte) error {
	if fresh, err := s.fresh(g, sum); fresh || err != nil {
		return err
	}
	packed := s.pack(sum, body)
	return s.do(ctx, len(packed), func(c *commit) error { return c.putBody(g, sum, packed, c.now) })
}

func (s *Store) pack(sum host.Sum, body []byte) []byte {
	return seal(s.zip.EncodeAll(body, make([]byte, sealSize, len(body)/4+64)), sum[:])
}

// fresh tells whether a body is there and was put a short while ago.
func (s *Store) fresh(g host.GroupName, sum host.Sum) (fresh bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		if b := tx.Bucket(bodiesBucket).Bucket([]byte(g)); b != nil {
			_, put, known, err := place(g, b, sum)
			fresh = known && s.now().Sub(put) < freshFor
			return err
		}
		return nil
	})
	return fresh, err
}

// encodePlace ends with a checksum.
func encodePlace(g host.GroupName, sum host.Sum, number uint64, put time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, number)
	b = binary.BigEndian.AppendUint64(b, uint64(put.UnixNano()))
	return binary.BigEndian.AppendUint32(b, crc([]byte(g), sum[:], b))
}

// place returns where a body is in the order, and when it was last put. In schema
// 1 there was no checksum.
func place(g host.GroupName, b *bolt.Bucket, sum host.Sum) (number uint64, put time.Time, known bool, err error) {
	v := b.Bucket(placeBucket).Get(sum[:])
	switch {
	case v == nil:
		return 0, time.Time{}, false, nil
	case len(v) == 16:
	case len(v) != 20 || binary.BigEndian.Uint32(v[16:]) != crc([]byte(g), sum[:], v[:16]):
		return 0, time.Time{}, true, fmt.Errorf("place of body %x of %q: %w", sum, g, errSum)
	}
	return binary.BigEndian.Uint64(v), time.Unix(0, int64(binary.BigEndian.Uint64(v[8:]))), true, nil
}

func (c *commit) putBody(g host.GroupName, sum host.Sum, packed []byte, put time.Time) error {
	c.dirty = true
	b, err := c.tx.Bucket(bodiesBucket).CreateBucketIfNotExists([]byte(g))
	if err != nil {
		return err
	}
	for _, name := range [][]byte{dataBucket, placeBucket, orderBucket} {
		if _, err := b.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	data, order := b.Bucket(dataBucket), b.Bucket(orderBucket)
	number, _, known, err := place(g, b, sum)
	if err != nil {
		return err
	}
	if known {
		if err := order.Delete(binary.BigEndian.AppendUint64(nil, number)); err != nil {
			return err
		}
	}
	if number, err = order.NextSequence(); err != nil {
		return err
	}
	at := binary.BigEndian.AppendUint64(nil, number)
	if err := order.Put(at, sum[:]); err != nil {
		return err
	}
	if err := b.Bucket(placeBucket).Put(sum[:], encodePlace(g, sum, number, put)); err != nil {
		return err
	}
	if data.Get(sum[:]) != nil {
		return nil
	}
	if err := data.Put(sum[:], packed); err != nil {
		return err
	}
	return b.Put(sizeKey, binary.BigEndian.AppendUint64(nil, bodyBytes(b)+uint64(len(packed))))
}

// bodyBytes is how many bytes the data of a group have.
func bodyBytes(b *bolt.Bucket) uint64 {
	if v := b.Get(sizeKey); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// Body implements host.Bodies.
func (s *Store) Body(_ context.Context, g host.GroupName, sum host.Sum) (body []byte, err error) {
	var packed []byte
	err = s.view(func(tx *bolt.Tx) error {
		if b := tx.Bucket(bodiesBucket).Bucket([]byte(g)); b != nil {
			packed = bytes.Clone(b.Bucket(dataBucket).Get(sum[:]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if packed == nil {
		return nil, host.ErrNoBody
	}
	return s.unpack(sum, packed)
}

// unpack checks the seal, which bodies of schema 1 did not have, and the digest: not
// every bit of what is packed matters to the body.
func (s *Store) unpack(sum host.Sum, packed []byte) (body []byte, err error) {
	inner, err := unseal(packed, sum[:])
	if errors.Is(err, errNotSealed) {
		inner, err = packed, nil
	}
	if err == nil {
		body, err = s.unzip.DecodeAll(inner, nil)
	}
	if err != nil || sha256.Sum256(body) != sum {
		return nil, fmt.Errorf("%w: body %x does not match its SHA-256", host.ErrDamaged, sum)
	}
	return body, nil
}

// PruneBodies implements host.Bodies.
func (s *Store) PruneBodies(ctx context.Context, g host.GroupName, before time.Time, maxBytes int64, limit int) (n int, err error) {
	err = s.do(ctx, 0, func(c *commit) error {
		b := c.tx.Bucket(bodiesBucket).Bucket([]byte(g))
		if b == nil {
			return nil
		}
		data, places, order := b.Bucket(dataBucket), b.Bucket(placeBucket), b.Bucket(orderBucket)
		for total := bodyBytes(b); n < limit; n++ {
			at, v := order.Cursor().First()
			if at == nil {
				return nil
			}
			sum := host.Sum(v)
			_, put, _, err := place(g, b, sum)
			if old := err == nil && put.Before(before); !old && total <= uint64(max(maxBytes, 0)) {
				return nil
			}
			c.dirty, c.room = true, true
			total -= uint64(len(data.Get(sum[:])))
			if err := b.Put(sizeKey, binary.BigEndian.AppendUint64(nil, total)); err != nil {
				return err
			}
			for _, gone := range []struct {
				from *bolt.Bucket
				key  []byte
			}{{order, bytes.Clone(at)}, {places, sum[:]}, {data, sum[:]}} {
				if err := gone.from.Delete(gone.key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, err
}

// checkBodies looks at every body of a group.
func (s *Store) checkBodies(name []byte, b *bolt.Bucket) error {
	total, n := uint64(0), 0
	err := b.Bucket(dataBucket).ForEach(func(k, v []byte) error {
		if len(k) != len(host.Sum{}) {
			return fmt.Errorf("%w: %x is not a SHA-256", host.ErrDamaged, k)
		}
		total += uint64(len(v))
		n++
		sum := host.Sum(k)
		number, _, _, err := place(host.GroupName(name), b, sum)
		if err != nil {
			return err
		}
		if number > b.Bucket(orderBucket).Sequence() || !bytes.Equal(b.Bucket(orderBucket).Get(binary.BigEndian.AppendUint64(nil, number)), k) {
			return fmt.Errorf("body %x has no place in the order", k)
		}
		_, err = s.unpack(sum, v)
		return err
	})
	if err == nil && (total != bodyBytes(b) || b.Bucket(orderBucket).Stats().KeyN != n) {
		err = fmt.Errorf("%d bodies of %d bytes are stored, but the group counts %d bytes", n, total, bodyBytes(b))
	}
	return err
}

// newZip returns what packs and unpacks bodies; both are safe for concurrent use.
func newZip() (*zstd.Encoder, *zstd.Decoder, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, nil, err
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody))
	return zip, unzip, err
}

// maxBody is more than any document has: 256 MiB.
const maxBody = 256 << 20
