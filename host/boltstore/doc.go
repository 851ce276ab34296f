// Package boltstore is the embedded store: one bbolt file, one process.
//
// Start with store.go for the file and commit.go for how writers share a
// commit. It imports host and bbolt, and passes host/storetest.
//
// The buckets of the file:
//
//	meta              "schema" → the version of all this, 1 byte
//	groups / GROUP    "state"  → host.State
//	       / messages  id, 8 bytes big-endian → a message, see encoding.go
//	       / keys      idempotency key → the ids and the digest of its addition
//	records / BUCKET   key → revision, 8 bytes big-endian, and the value
//	journals, bodies   see journals.go and bodies.go
//
// All values have a checksum, see checksum.go, or are checked against others that
// do.
package boltstore
