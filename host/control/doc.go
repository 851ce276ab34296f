// Package control is how the commands talk to the daemon: JSON over HTTP on a
// unix socket in the data folder that only the folder's owner can open, so an
// operator on the machine needs no key.
//
// Start with server.go for the calls and client.go for the other end. When no
// daemon runs, a Client can call a Server in its own process instead; see
// Direct. It imports host.
package control
