package boltstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/restante/restante/host"
)

var (
	stateKey       = []byte("state")
	messagesBucket = []byte("messages")
	keysBucket     = []byte("keys")
)

func idKey(id host.ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func keyID(key []byte) host.ID { return host.ID(binary.BigEndian.Uint64(key)) }

// messageVersion began messages of schema 1. After it came what the seal is before
// now: the time in nanoseconds since 1970, a varint; the length of the idempotency
// key, an unsigned varint; the key; the data.
const messageVersion = 1

func encodeMessage(id []byte, at time.Time, key string, data json.RawMessage) []byte {
	b := make([]byte, sealSize, sealSize+2*binary.MaxVarintLen64+len(key)+len(data))
	b = binary.AppendVarint(b, at.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	b = append(b, data...)
	return seal(b, id)
}

// decodeMessage copies all that it returns. The key is the message's in the bucket.
func decodeMessage(key, value []byte) (host.Message, error) {
	b, err := unseal(value, key)
	if errors.Is(err, errNotSealed) && len(value) > 0 && value[0] == messageVersion {
		b, err = value[1:], nil
	}
	if err != nil || len(key) != 8 {
		return host.Message{}, damaged(err)
	}
	nanos, n := binary.Varint(b)
	if n <= 0 {
		return host.Message{}, errMalformed
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return host.Message{}, errMalformed
	}
	b = b[n:]
	return host.Message{
		ID:   keyID(key),
		Time: time.Unix(0, nanos).UTC(),
		Key:  string(b[:size]),
		Data: append(json.RawMessage(nil), b[size:]...),
	}, nil
}

func encodeState(g host.GroupName, s *host.State) []byte {
	b, _ := s.AppendBinary(make([]byte, sealSize))
	return seal(b, []byte(g))
}

func decodeState(g, value []byte) (*host.State, error) {
	b, err := unseal(value, g)
	if errors.Is(err, errNotSealed) {
		b, err = value, nil // of schema 1; it begins with the state's own version
	}
	state := new(host.State)
	if err == nil {
		if wrong := state.UnmarshalBinary(b); wrong != nil {
			err = fmt.Errorf("%w: %w", host.ErrDamaged, wrong)
		}
	}
	return state, err
}

// addition is what is remembered of an idempotency key.
type addition struct {
	first  host.ID
	count  uint64
	digest [16]byte // of the data, the first half of a SHA-256
}

func (a addition) last() host.ID { return a.first + host.ID(a.count) - 1 }

func (a addition) encode(key string) []byte {
	b := binary.AppendUvarint(make([]byte, sealSize), uint64(a.first))
	b = binary.AppendUvarint(b, a.count)
	b = append(b, a.digest[:]...)
	return seal(b, []byte(key))
}

// decodeAddition reads what is remembered of a key. In schema 1 it was not sealed,
// and could begin with any byte; its length tells.
func decodeAddition(key, value []byte) (a addition, err error) {
	b, err := unseal(value, key)
	if err != nil {
		b = value
	}
	first, n := binary.Uvarint(b)
	if n <= 0 || first == 0 || first > uint64(host.MaxID) {
		return a, errMalformed
	}
	b = b[n:]
	count, n := binary.Uvarint(b)
	if n <= 0 || count == 0 || count > uint64(host.MaxID) || len(b)-n != len(a.digest) {
		return a, errMalformed
	}
	a.first, a.count = host.ID(first), count
	copy(a.digest[:], b[n:])
	return a, nil
}

// findAddition returns what is remembered of a key in a group. Its last message is
// stored as long as it is.
func findAddition(keys, messages *bolt.Bucket, key string) (a addition, known bool, err error) {
	value := keys.Get([]byte(key))
	if value == nil {
		return a, false, nil
	}
	a, err = decodeAddition([]byte(key), value)
	if err == nil && messages.Get(idKey(a.last())) == nil {
		err = errMalformed
	}
	if err != nil {
		err = fmt.Errorf("idempotency key %q: %w", key, err)
	}
	return a, true, err
}
