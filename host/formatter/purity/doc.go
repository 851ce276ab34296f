// Package purity finds out whether a formatter is a pure function: whether the same
// batch always gives the same bytes, in whatever process and at whatever time. Where
// it is not, it shows the bytes that differ and guesses the cause.
//
// Start at Ask and Series. It may import host and process.
package purity
