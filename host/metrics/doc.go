// Package metrics tells Prometheus, or what else reads its text format, how the
// daemon is doing: messages, deliveries, plugins and their calls. It counts what
// happens, and asks for the rest when somebody looks.
//
// Start at Metrics. It may import host and the standard library.
package metrics
