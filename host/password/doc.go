// Package password hashes passwords with Argon2id (RFC 9106) and checks them. It
// is a host.PasswordHasher, and imports nothing of this module.
//
// Start with Hasher; encoding.go reads and writes the text of a hash.
package password
