// Package storetest is the conformance suite that every host.Store must pass.
//
// Call Run from a test of the store. The suite opens the store through two
// handles, as two daemons would; a store for one process gives the same one
// twice. It imports host and test libraries.
package storetest
