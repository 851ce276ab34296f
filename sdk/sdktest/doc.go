// Package sdktest holds the tests that every formatter plugin should pass.
//
// [Run] is most of it: given the plugin and some sample messages for each of
// its groups, it formats small, large, odd and repeated batches and checks that
// the documents are valid, always the same, and equal to golden files. [Start]
// is for an author's own tests: a client to the plugin.
//
// Both run the plugin in the test's process but speak to it over a real gRPC
// connection, so that marshalling and size limits count, and coverage and the
// race detector work.
//
// The package adds a flag to the test binary, -update, which writes the golden
// files anew. A test package that wants to read it does so with [flag.Lookup]:
// defining it again would panic.
//
// It may import sdk and the contract (proto), and is meant for tests only.
package sdktest
