package natsstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// A journal is a cell, its head, that says which number was the last, and a cell
// for each entry that is never changed. Whoever appends changes the head in the same
// commit, so numbers are dense. The subject of an entry has its page, which is a
// hundred numbers, the hash of its key, and its number: so entries are found by the
// number, by the key, and are deleted by the page.

// head is the value of a journal's head.
type head struct {
	last   uint64    // the latest number
	time   time.Time // of the latest entry
	first  uint64    // the oldest number that was not pruned
	purged uint64    // all before it are deleted in the stream too
}

const headVersion = 1

func (h *head) encode() []byte {
	b := []byte{headVersion}
	for _, n := range []uint64{h.last, h.first, h.purged} {
		b = binary.AppendUvarint(b, n)
	}
	if h.time.IsZero() {
		return b
	}
	return binary.AppendVarint(b, h.time.UnixNano())
}

func decodeHead(b []byte) (*head, error) {
	h := &head{first: 1, purged: 1}
	if len(b) == 0 {
		return h, nil // there is no entry yet
	}
	if b[0] != headVersion {
		return nil, errMalformed
	}
	b = b[1:]
	for _, n := range []*uint64{&h.last, &h.first, &h.purged} {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errMalformed
		}
		*n, b = v, b[size:]
	}
	if nanos, size := binary.Varint(b); size > 0 {
		h.time = time.Unix(0, nanos).UTC()
	}
	return h, nil
}

func headKey(journal string) string { return "h." + encodeToken(journal) }

// pageSize is how many entries are deleted by one request at best.
const pageSize = 100

func entryPage(journal string, number uint64) string {
	return "j." + encodeToken(journal) + "." + strconv.FormatUint(number/pageSize, 10)
}

func keyHash(key string) string {
	d := sha256.Sum256([]byte(key))
	return hex.EncodeToString(d[:12])
}

func entryKey(journal, hash string, number uint64) string {
	return entryPage(journal, number) + "." + hash + "." + strconv.FormatUint(number, 10)
}

// numberIn returns the number at the end of the key or subject of an entry.
func numberIn(key string) uint64 {
	n, _ := strconv.ParseUint(key[strings.LastIndexByte(key, '.')+1:], 10, 64)
	return n
}

// encodeEntry writes the time, a varint; the length of the key, a varint; the key;
// the value.
func encodeEntry(e host.Entry) []byte {
	b := binary.AppendVarint(nil, e.Time.UnixNano())
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	b = append(b, e.Key...)
	return append(b, e.Value...)
}

func decodeEntry(c *cell) (host.Entry, error) {
	e := host.Entry{Number: numberIn(c.key)}
	b := c.value
	nanos, n := binary.Varint(b)
	if n <= 0 {
		return e, errMalformed
	}
	b = b[n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return e, errMalformed
	}
	b = b[n:]
	e.Time, e.Key, e.Value = time.Unix(0, nanos).UTC(), string(b[:size]), slices.Clone(b[size:])
	return e, nil
}

func checkEntry(journal string, e host.Entry) error {
	switch {
	case journal == "" || len(encodeToken(journal)) > maxToken:
		return fmt.Errorf("append to journal %q: it has no name, or one that is too long", journal)
	case len(e.Key) > host.MaxEntryKeyBytes || strings.ContainsRune(e.Key, 0):
		return fmt.Errorf("append to journal %q: a key has at most %d bytes and no NUL", journal, host.MaxEntryKeyBytes)
	case len(e.Value) > host.MaxEntryBytes:
		return fmt.Errorf("append to journal %q: %w: an entry has at most %d bytes", journal, host.ErrTooLarge, host.MaxEntryBytes)
	}
	return nil
}

// journalTable returns the table of a journal: what is behind the last "/" of its
// name decides, so that the journals of a group are where its state is, and can be
// written by the same commit.
func (s *Store) journalTable(journal string) *table {
	return s.tableOf(journal[strings.LastIndexByte(journal, '/')+1:])
}
