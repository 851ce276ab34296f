package password

import (
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Hasher makes Argon2id hashes and checks them. Passwords are the same if they
// are the same text (Unicode NFKC, as NIST SP 800-63B advises), however a
// keyboard composes its letters. It is safe for concurrent use.
type Hasher struct{ cost cost }

// New returns a Hasher that takes 64 MiB and about a tenth of a second for a
// password. That is the second recommended option of RFC 9106, section 4, the
// one for where memory is scarce, and three and more times what OWASP asks for
// at the least. Two at a time, as host.Users has it, take 128 MiB.
func New() *Hasher { return &Hasher{cost{memory: 64 << 10, time: 3, threads: 4}} }

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hash returns a hash in the PHC string format.
func (h *Hasher) Hash(password string) (string, error) {
	e := encoded{cost: h.cost, salt: make([]byte, saltBytes)}
	rand.Read(e.salt) // never fails
	e.key = e.derive(password, keyBytes)
	return e.String(), nil
}

// Verify reports whether the hash is one of the password. A hash with another
// cost is good too, within bounds; text that is no hash is one of no password.
func (h *Hasher) Verify(password, hash string) bool {
	e, err := parse(hash)
	return err == nil && subtle.ConstantTimeCompare(e.derive(password, len(e.key)), e.key) == 1
}

// NeedsRehash reports whether the hash costs less than those that Hash makes, or
// is none.
func (h *Hasher) NeedsRehash(hash string) bool {
	e, err := parse(hash)
	return err != nil || e.memory < h.cost.memory || e.time < h.cost.time || len(e.salt) < saltBytes || len(e.key) < keyBytes
}

func (e *encoded) derive(password string, length int) []byte {
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), e.salt, e.time, e.memory, e.threads, uint32(length))
}
