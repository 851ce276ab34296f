package boltstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"time"

	"github.com/restante/restante/host"
)

var (
	stateKey       = []byte("state")
	messagesBucket = []byte("messages")
	keysBucket     = []byte("keys")
)

func idKey(id host.ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

func keyID(key []byte) host.ID { return host.ID(binary.BigEndian.Uint64(key)) }

// messageVersion begins every stored message. After it come the time in
// nanoseconds since 1970, a varint; the length of the idempotency key, an
// unsigned varint; the key; the data.
const messageVersion = 1

func encodeMessage(at time.Time, key string, data json.RawMessage) []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(key)+len(data))
	b = append(b, messageVersion)
	b = binary.AppendVarint(b, at.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	return append(b, data...)
}

var errBadMessage = errors.New("stored message is malformed: the store is damaged")

// decodeMessage copies all that it returns out of b.
func decodeMessage(id host.ID, b []byte) (host.Message, error) {
	if len(b) == 0 || b[0] != messageVersion {
		return host.Message{}, errBadMessage
	}
	nanos, n := binary.Varint(b[1:])
	if n <= 0 {
		return host.Message{}, errBadMessage
	}
	b = b[1+n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return host.Message{}, errBadMessage
	}
	b = b[n:]
	return host.Message{
		ID:   id,
		Time: time.Unix(0, nanos).UTC(),
		Key:  string(b[:size]),
		Data: append(json.RawMessage(nil), b[size:]...),
	}, nil
}

// addition is what is remembered of an idempotency key.
type addition struct {
	first  host.ID
	count  uint64
	digest [16]byte // of the data, the first half of a SHA-256
}

func (a addition) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(a.first))
	b = binary.AppendUvarint(b, a.count)
	return append(b, a.digest[:]...)
}

func decodeAddition(b []byte) (a addition, err error) {
	first, n := binary.Uvarint(b)
	if n <= 0 {
		return a, errBadMessage
	}
	b = b[n:]
	count, n := binary.Uvarint(b)
	if n <= 0 || len(b)-n != len(a.digest) {
		return a, errBadMessage
	}
	a.first, a.count = host.ID(first), count
	copy(a.digest[:], b[n:])
	return a, nil
}

func digestData(all []json.RawMessage) (digest [16]byte) {
	var h hash.Hash = sha256.New()
	for _, data := range all {
		h.Write(binary.AppendUvarint(nil, uint64(len(data))))
		h.Write(data)
	}
	copy(digest[:], h.Sum(nil))
	return digest
}
