package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// cost is what a hash takes to make: memory in KiB, passes over it, lanes.
type cost struct {
	memory, time uint32
	threads      uint8
}

// encoded is a hash with all that is needed to make it again.
type encoded struct {
	cost
	salt, key []byte
}

// Bounds of a hash that is checked, so that one which somebody has put into the
// store can't take all memory or time.
const (
	maxMemory  = 256 << 10 // 256 MiB
	maxTime    = 16
	maxThreads = 16
	minSalt    = 8
	minKey     = 16
	maxBytes   = 64
)

var errFormat = errors.New("not an Argon2id hash in the PHC string format")

// String writes the PHC string format,
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md.
func (e *encoded) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, e.memory, e.time, e.threads, b64(e.salt), b64(e.key))
}

// parse reads what String writes, and nothing that is written in another way.
func parse(s string) (*encoded, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, errFormat
	}
	e := &encoded{}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return nil, errFormat
	}
	var threads uint32
	for i, c := range []struct {
		name string
		to   *uint32
		most uint64
	}{{"m=", &e.memory, maxMemory}, {"t=", &e.time, maxTime}, {"p=", &threads, maxThreads}} {
		digits, named := strings.CutPrefix(costs[i], c.name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !named || err != nil || n < 1 || n > c.most {
			return nil, errFormat
		}
		*c.to = uint32(n)
	}
	e.threads = uint8(threads)
	var err error
	for _, b := range []struct {
		to    *[]byte
		from  string
		least int
	}{{&e.salt, parts[4], minSalt}, {&e.key, parts[5], minKey}} {
		if *b.to, err = base64.RawStdEncoding.Strict().DecodeString(b.from); err != nil || len(*b.to) < b.least || len(*b.to) > maxBytes {
			return nil, errFormat
		}
	}
	// RFC 9106 has 8 KiB of memory for each lane at the least.
	if e.memory < 8*threads || e.String() != s {
		return nil, errFormat
	}
	return e, nil
}
