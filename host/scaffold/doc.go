// Package scaffold writes the repository of a new formatter plugin in Go, Python
// or JavaScript: one that builds and passes its checks as it is.
//
// Start with Write. The files are made from those in templates, which are
// embedded; paths.go names them.
//
// The package may import the standard library only.
package scaffold
