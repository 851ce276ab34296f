package natsstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// sealHeader is the header of all that is stored: the version of its form, a
// CRC-32C in hexadecimal digits, and fields that the kind of it defines, all
// separated by spaces. The sum is of where it is stored, of the fields, and of the
// data, so that a changed place is noticed too.
const sealHeader = "Restante"

const sealVersion = "1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errSum       = fmt.Errorf("%w: it does not match its checksum", host.ErrDamaged)
	errMalformed = fmt.Errorf("%w: it is malformed", host.ErrDamaged)
	errMissing   = fmt.Errorf("%w: it is missing", host.ErrDamaged)
)

func sum(where, fields string, data []byte) string {
	c := crc32.Update(0, castagnoli, []byte(where))
	c = crc32.Update(c, castagnoli, []byte{0})
	c = crc32.Update(c, castagnoli, []byte(fields))
	c = crc32.Update(c, castagnoli, []byte{0})
	return fmt.Sprintf("%08x", crc32.Update(c, castagnoli, data))
}

// seal returns the headers of something that is to be stored.
func seal(where string, fields []string, data []byte) nats.Header {
	text := strings.Join(fields, " ")
	return nats.Header{sealHeader: {sealVersion + " " + sum(where, text, data) + " " + text}}
}

// unseal returns the fields of something stored. It fails with host.ErrDamaged,
// and with host.ErrNewer if a newer version of the program wrote it.
func unseal(where string, h nats.Header, data []byte) ([]string, error) {
	version, rest, ok := strings.Cut(h.Get(sealHeader), " ")
	if !ok {
		return nil, errMalformed
	}
	if version != sealVersion {
		if n, err := strconv.Atoi(version); err != nil || n < 2 || n > 99 {
			return nil, errMalformed
		}
		return nil, fmt.Errorf("%w of restante, in the form %s", host.ErrNewer, version)
	}
	stored, text, _ := strings.Cut(rest, " ")
	if stored != sum(where, text, data) {
		return nil, errSum
	}
	return strings.Split(text, " "), nil
}

// operation names one attempt of one open store to change something. It is stored
// with what it wrote, so that it can be found out whether it did when the answer
// was lost.
type operation struct {
	writer string // random, for each open store
	number uint64 // counts the operations of the writer
}

func (o operation) String() string { return o.writer + "-" + strconv.FormatUint(o.number, 36) }

func newWriter() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base32Lower.EncodeToString(b[:])
}

var errNoOperation = errors.New("not an operation")

func parseOperation(text string) (operation, error) {
	writer, number, ok := strings.Cut(text, "-")
	n, err := strconv.ParseUint(number, 36, 64)
	if !ok || err != nil || writer == "" {
		return operation{}, errNoOperation
	}
	return operation{writer, n}, nil
}

// maxWriters is how many writers a cell remembers: more than daemons write one
// cell within the time in which an answer can be missed.
const maxWriters = 16

// parseOperations reads the latest operations of different writers, the newest
// first.
func parseOperations(text string) (all []operation, err error) {
	for part := range strings.SplitSeq(text, ",") {
		o, err := parseOperation(part)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

func formatOperations(all []operation) string {
	var text []string
	for _, o := range all {
		text = append(text, o.String())
	}
	return strings.Join(text, ",")
}

// pushOperation puts a new operation before the old ones of other writers.
func pushOperation(o operation, old []operation) []operation {
	all := []operation{o}
	for _, older := range old {
		if older.writer != o.writer && len(all) < maxWriters {
			all = append(all, older)
		}
	}
	return all
}
