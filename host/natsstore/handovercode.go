package natsstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/restante/restante/host"
)

// A handover is a version, a CRC-32C of the rest, the group, and the additions. An
// outcome is the first id of each addition, 0 for one that was refused, and the end
// of the group, with a sequence of 0 if it is not known.

const handoverVersion = 1

var errHandover = errors.New("it is malformed")

func encodeHandover(g host.GroupName, all []*addition) []byte {
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b := make([]byte, 5)
	b[0] = handoverVersion
	b = text(b, string(g))
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, a := range all {
		b = text(b, a.origin.String())
		b = binary.AppendUvarint(b, a.behind)
		b = text(text(b, a.key), a.digest)
		b = binary.AppendUvarint(b, uint64(len(a.data)))
		for _, data := range a.data {
			b = text(b, string(data))
		}
	}
	binary.BigEndian.PutUint32(b[1:], crc32.Checksum(b[5:], castagnoli))
	return b
}

func decodeHandover(b []byte) (g host.GroupName, all []*addition, err error) {
	if len(b) < 5 || b[0] != handoverVersion || binary.BigEndian.Uint32(b[1:]) != crc32.Checksum(b[5:], castagnoli) {
		return "", nil, errHandover
	}
	r := fields{rest: b[5:]}
	g = host.GroupName(r.text())
	for range r.number() {
		a := &addition{handover: handover{taken: true}}
		if a.origin, err = parseOperation(string(r.text())); err != nil {
			return "", nil, errHandover
		}
		a.behind, a.key, a.digest = r.number(), string(r.text()), string(r.text())
		for range r.number() {
			data := r.text()
			if r.bad {
				break
			}
			a.data = append(a.data, data)
			a.bytes += len(data) + perMessage
		}
		if r.bad || len(a.data) == 0 || len(a.data) > host.MaxAddition {
			return "", nil, errHandover
		}
		all = append(all, a)
	}
	if r.bad || len(r.rest) > 0 || len(all) == 0 || host.CheckGroupName(g) != nil {
		return "", nil, errHandover
	}
	return g, all, nil
}

func encodeOutcome(all []*addition, last tail) (b []byte) {
	for _, a := range all {
		b = binary.AppendUvarint(b, uint64(a.first))
	}
	if last.seq == 0 {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, last.seq)
	b = binary.AppendUvarint(b, last.settled)
	return binary.BigEndian.AppendUint64(b, uint64(last.time.UnixNano()))
}

// decodeOutcome gives the additions their first ids.
func decodeOutcome(b []byte, all []*addition) (last tail, err error) {
	r := fields{rest: b}
	for _, a := range all {
		a.first = host.ID(r.number())
	}
	if seq := r.number(); seq > 0 {
		last = tail{known: true, seq: seq, visible: host.ID(seq), settled: r.number()}
		if len(r.rest) != 8 {
			return last, errHandover
		}
		last.time = time.Unix(0, int64(binary.BigEndian.Uint64(r.rest))).UTC()
	}
	if r.bad {
		return last, errHandover
	}
	return last, nil
}

// fields reads what was encoded. It is bad when there is less than was asked for.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.rest, f.bad = nil, true
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) text() []byte {
	n := f.number()
	if n > uint64(len(f.rest)) {
		f.rest, f.bad = nil, true
		return nil
	}
	text := f.rest[:n:n]
	f.rest = f.rest[n:]
	return text
}
