// Package archive copies everything that a store has into a file, and from the file
// into another store, of whatever kind: messages with their ids, times and read state,
// idempotency keys, records, journals and bodies.
//
// The file is Zstandard over JSON Lines: a header, a line for each thing, and an end
// with the number of lines and the SHA-256 of all that is before it. Data of messages
// are JSON strings, so that they keep their very bytes. Its first line is
//
//	{"restante":"archive","version":1,"made":"2026-11-23T05:00:00Z"}
//
// An archive has all secrets of the store: hashes of keys and passwords, the keys of
// tokens, and the messages.
package archive
