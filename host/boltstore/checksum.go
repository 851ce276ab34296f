package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/restante/restante/host"
)

// castagnoli is the CRC that processors compute by themselves.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc is the CRC-32C of several pieces, one after the other. It sees every change
// of a bit or two. bbolt itself has no checksum for what it stores.
func crc(pieces ...[]byte) (sum uint32) {
	for _, b := range pieces {
		sum = crc32.Update(sum, castagnoli, b)
	}
	return sum
}

// sealedVersion begins every value that is sealed. Those of schema 1 were not, and
// begin with 0 or 1, which are more than one flipped bit away.
const sealedVersion = 6

// sealSize is how many bytes come before what is sealed: the version and a sum.
const sealSize = 5

var (
	errSum       = fmt.Errorf("%w: it does not match its checksum", host.ErrDamaged)
	errMalformed = fmt.Errorf("%w: it is malformed", host.ErrDamaged)
	errNotSealed = errors.New("not sealed")
)

// damaged returns an error of unseal as host.ErrDamaged.
func damaged(err error) error {
	if errors.Is(err, host.ErrDamaged) {
		return err
	}
	return errMalformed
}

// seal fills in the first sealSize bytes of a value. The sum is of where the value
// is stored, too, so that a changed key is found as well.
func seal(value []byte, where ...[]byte) []byte {
	value[0] = sealedVersion
	binary.BigEndian.PutUint32(value[1:], crc32.Update(crc(where...), castagnoli, value[sealSize:]))
	return value
}

// unseal returns what follows the seal. It fails with errNotSealed if the value
// does not begin with one, and with host.ErrDamaged if the sum does not match.
func unseal(value []byte, where ...[]byte) ([]byte, error) {
	if len(value) == 0 || value[0] != sealedVersion {
		return nil, errNotSealed
	}
	if len(value) < sealSize || binary.BigEndian.Uint32(value[1:]) != crc32.Update(crc(where...), castagnoli, value[sealSize:]) {
		return nil, errSum
	}
	return value[sealSize:], nil
}
