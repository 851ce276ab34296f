package control

import (
	"encoding/json"
	"time"

	"github.com/restante/restante/host"
)

// Status describes a running daemon.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// URL is where its API is served, without the path.
	URL string `json:"url"`
	// Plugins is the folder that plugins are dropped into, an absolute path.
	Plugins string `json:"plugins"`
	// NotReady says why it is not ready yet; empty if it is.
	NotReady string `json:"notReady,omitempty"`
}

// Reloaded is what a reload of the configuration has changed.
type Reloaded struct {
	// Plugins are those whose settings changed.
	Plugins []ReloadedPlugin `json:"plugins,omitempty"`
	// Restart names settings of the daemon that changed and take effect only
	// when it is started again.
	Restart []string `json:"restart,omitempty"`
}

// ReloadedPlugin is a plugin whose settings changed.
type ReloadedPlugin struct {
	Name string `json:"name"`
	File string `json:"file"`
	// Error is why it does not run with them; empty if it does.
	Error string `json:"error,omitempty"`
}

// Queue is a queue with its counts.
type Queue struct {
	host.Queue
	Unread uint64  `json:"unread"`
	Read   uint64  `json:"read"`
	Held   uint64  `json:"held"`
	Last   host.ID `json:"last"`
	// Sending is nil unless the queue is sent, and a daemon runs.
	Sending *host.SendStatus `json:"sending,omitempty"`
}

// Message is a message as the commands show it.
type Message struct {
	ID     host.ID         `json:"id"`
	Time   time.Time       `json:"time"`
	Status string          `json:"status"`
	Key    string          `json:"key,omitempty"`
	Data   json.RawMessage `json:"data"`
	// Damaged says that the message does not match its checksum: no more than its
	// id and status are known.
	Damaged bool `json:"damaged,omitempty"`
	// Deliveries are the newest of those that carried it; a list of messages has
	// none.
	Deliveries []host.ListedDelivery `json:"deliveries,omitempty"`
}

// Changed answers a change of messages.
type Changed struct {
	Count  uint64 `json:"count"`
	Unread uint64 `json:"unread"`
}

// NewKey answers the creation of a key; it is the only time that Text is seen.
type NewKey struct {
	host.Key
	Text string `json:"apiKey"`
}

type idsReply struct {
	IDs []host.ID `json:"ids"`
}

// Error is a failure that the daemon reports.
type Error struct {
	// Status is the HTTP status.
	Status  int    `json:"-"`
	Message string `json:"error"`
	// Hint says what to do; may be empty.
	Hint string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }
