// Package check tries a plugin executable from the outside, as a daemon would
// meet it, and says what it saw: for the author of a plugin in any language. It
// needs no daemon and no data folder.
//
// Start with Run, which makes a Report; group.go holds the checks of one group,
// same.go those that repeat a batch, and cause.go guesses why two documents
// differ. A subject is one process of the plugin.
//
// The package may import the standard library, hclog, host, and
// host/formatter/process.
package check
