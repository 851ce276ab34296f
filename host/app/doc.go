// Package app puts the daemon together: it reads the configuration, opens the
// parts in their order, runs them and stops them.
//
// Start with run.go. It is the only package that sees every other; the test
// imports_test.go says who else may import what.
package app
