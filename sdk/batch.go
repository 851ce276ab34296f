package sdk

import (
	"encoding/json"
	"time"

	"github.com/restante/restante/proto/handshake"
)

// MaxMessageBytes is the most that one call can carry in either direction,
// with everything that belongs to it: 64 MiB. A document that doesn't fit fails
// its batch.
const MaxMessageBytes = handshake.MaxMessageBytes

// Batch is what a formatter is given: some messages of one group.
type Batch struct {
	// Group is the name of the group.
	Group string

	// Token names exactly these messages. The receiver posts it back to mark
	// them read, so a format that has a place for it should carry it; it is
	// also in a header of the HTTP response. It is opaque, printable ASCII.
	Token string

	// Settings has the values of the plugin's settings. Like everything in the
	// batch it belongs to what a formatter is a function of.
	Settings Settings

	// Messages are in the order in which they were added, oldest first. There
	// may be none.
	Messages []Message
}

// Message is one message of a group.
type Message struct {
	// ID is the number of the message in its group, from 1.
	ID uint64

	// Time is when the daemon accepted the message, in UTC.
	Time time.Time

	// Data is one JSON value as UTF-8 text, exactly as it was added: the order
	// of properties and the digits of numbers are the producer's own.
	Data json.RawMessage
}

// Document is what a formatter makes of a batch.
type Document struct {
	// ContentType is a media type, for example
	// "application/xml; charset=utf-8" (RFC 9110, section 8.3.1). Required.
	ContentType string

	// Filename is the name under which a receiver would save the document.
	// Optional; without "/" and "\"; at most 255 bytes.
	Filename string

	// Body is the document itself. It may be empty.
	Body []byte
}
