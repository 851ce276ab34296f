// Package cluster runs a node: a NATS server within the daemon. The nodes of
// several daemons form a cluster by themselves, whose streams are on each of them.
//
// Start with config.go for what a node is told and node.go for its life. Only the
// own daemon is a client of a node, in process; nodes talk to each other by routes.
// The package imports nothing of the module.
package cluster
