// Package host is the domain: holding messages in groups and handing them to
// other systems in exactly the format that each wants.
//
// Start with Exchange, which adds, fetches and marks. It works over a Store,
// which keeps messages and records, and over Formatters, which turn batches
// into documents; both are interfaces that the folders below implement. Ranges
// and State hold what has been read, Tokens names the messages of a batch,
// Queues knows the groups, Keys knows which machines may do what, Users which
// people may.
//
// The package does no I/O and imports the standard library alone. The folders
// below it import it and never one another, but for app, which puts all parts
// together, and cmd/restante.
package host
