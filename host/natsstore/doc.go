// Package natsstore is the replicated store: streams of NATS JetStream, used by
// as many daemons at once as there are.
//
// Start with store.go for opening, append.go for how messages are numbered, and
// table.go for everything else that is kept. It imports host and nats.go, and
// passes host/storetest.
//
// The streams, with Config.Prefix for "restante":
//
//	restante_m_GROUP    the messages of a group; the id of a message is its sequence
//	restante_t0 to _t3  cells, see table.go: states of groups, records, journals
//	restante_b          cells with bodies and with messages too large for one piece
//
// Every stream is a Raft group of its own. What is written is answered by the
// leader after most of the servers have it; what may change is read from the
// leader; what never changes, such as messages, is read from any server and asked
// of the leader if that one does not have it yet.
//
// All that is stored has a checksum, see seal.go.
package natsstore
