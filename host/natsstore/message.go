package natsstore

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// label is what is stored with a message beside its data, in the header: see
// seal.go.
type label struct {
	// fence is set on what is no message, but ends an addition that was given up;
	// see parts.go.
	fence bool
	by    operation
	// origin is the operation of another daemon that handed it over; see handover.go.
	origin operation
	time   time.Time
	// first and count are of the addition: of a fence, its first id alone.
	first host.ID
	count uint64
	// settled is the sequence of the latest fence before it.
	settled uint64
	// large says where the data are, if not in the message.
	large largeRef
	key   string
	// digest is of the data of the whole addition; only its last message has it,
	// and only if there is a key.
	digest string
}

const labelFields = 10

func (l label) fields() []string {
	kind := "m"
	if l.fence {
		kind = "f"
	}
	origin := "-"
	if l.origin != (operation{}) {
		origin = l.origin.String()
	}
	return []string{
		kind, l.by.String(), strconv.FormatInt(l.time.UnixNano(), 10),
		strconv.FormatUint(uint64(l.first), 10), strconv.FormatUint(l.count, 10), strconv.FormatUint(l.settled, 10),
		l.large.String(), "k" + url.QueryEscape(l.key), "d" + l.digest, origin,
	}
}

func parseLabel(fields []string) (l label, err error) {
	if len(fields) != labelFields || fields[0] != "m" && fields[0] != "f" ||
		!strings.HasPrefix(fields[7], "k") || !strings.HasPrefix(fields[8], "d") {
		return l, errMalformed
	}
	var bad error
	number := func(text string) uint64 {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			bad = errMalformed
		}
		return n
	}
	l.fence = fields[0] == "f"
	l.first, l.count, l.settled = host.ID(number(fields[3])), number(fields[4]), number(fields[5])
	nanos, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || bad != nil || l.first == 0 || l.first > host.MaxID || l.count == 0 || l.count > host.MaxAddition {
		return l, errMalformed
	}
	l.time = time.Unix(0, nanos).UTC()
	if l.by, err = parseOperation(fields[1]); err == nil && fields[9] != "-" {
		l.origin, err = parseOperation(fields[9])
	}
	if err == nil {
		l.large, err = parseLarge(fields[6])
	}
	if err == nil {
		l.key, err = url.QueryUnescape(fields[7][1:])
	}
	if err != nil {
		return l, errMalformed
	}
	l.digest = fields[8][1:]
	return l, nil
}

// last is the last id of the addition.
func (l label) last() host.ID { return l.first + host.ID(l.count) - 1 }

// place is what the checksum of a message is of, beside its fields and data.
func place(g host.GroupName, id host.ID) string {
	return string(g) + " " + strconv.FormatUint(uint64(id), 10)
}

const plainSubject = "m"

// keySubject ends the subject of the last message that was added with a key, so
// that the leader finds it: the key is known as long as that message is stored.
func keySubject(key string) string {
	d := sha256.Sum256([]byte(key))
	return "k" + hex.EncodeToString(d[:16])
}

// encodeMessage returns what is published. Data is the whole data, wherever it is.
func (s *Store) encodeMessage(g host.GroupName, id host.ID, l label, data json.RawMessage) *nats.Msg {
	subject := plainSubject
	if l.digest != "" {
		subject = keySubject(l.key)
	}
	m := &nats.Msg{Subject: s.names.messages(g) + "." + subject, Header: seal(place(g, id), l.fields(), data), Data: data}
	if l.large.pieces > 0 {
		m.Data = nil
	}
	return m
}

// openMessage returns the message and its label. Of a large one, data are what is
// elsewhere.
func openMessage(g host.GroupName, m *stored, data []byte) (host.Message, label, error) {
	fields, err := unseal(place(g, host.ID(m.seq)), m.header, data)
	if err != nil {
		return host.Message{}, label{}, err
	}
	l, err := parseLabel(fields)
	if err != nil {
		return host.Message{}, label{}, err
	}
	return host.Message{ID: host.ID(m.seq), Time: l.time, Key: l.key, Data: data}, l, nil
}

// peekLabel returns the label of a stored message without looking at its data: a
// message whose data are damaged was added all the same.
func peekLabel(m *stored) (label, error) {
	_, rest, _ := strings.Cut(m.header.Get(sealHeader), " ")
	_, text, _ := strings.Cut(rest, " ")
	return parseLabel(strings.Split(text, " "))
}

// hexDigest is how a label has the digest of an addition.
func hexDigest(d [16]byte) string { return hex.EncodeToString(d[:]) }
