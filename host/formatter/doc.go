// Package formatter runs the formatter plugins of a folder: a program that is
// put there is served, one that is replaced is swapped without a gap, one that
// crashes is started again, and one that is removed is stopped.
//
// Start with Plugins, which implements host.Formatters. A file is the life of
// one plugin file, from the moment it is seen; folder.go says which files
// count, copies keeps the private copy that is really run, a running is one
// process with what it declared, and claims decides whose a group is.
//
// The package may import host, the package process below it, hclog, fsnotify
// and the standard library. It knows go-plugin and gRPC through process alone.
package formatter
