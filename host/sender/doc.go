// Package sender sends the messages of send queues to their external systems: when
// a schedule says so, soon after a message was added, or when somebody asks.
//
// Start with sender.go: a Sender runs one courier for each send queue, so that no
// queue waits for another's receiver. A courier (courier.go) decides what is to be
// done now, and sends one batch after the other (work.go); what follows from an
// answer is in outcome.go. A gate (gate.go) stands before each URL, with the limits
// that all queues share which send there, and a circuit breaker.
//
// What is on its way is written down before it leaves. A crash has it sent again
// with the same bytes and the same idempotency key, and never skips a message.
//
// The package imports host and endpoint, which makes requests, and nothing of the other
// parts.
package sender
