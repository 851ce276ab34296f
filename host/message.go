package host

import (
	"encoding/json"
	"fmt"
	"time"
)

// ID numbers the messages of a group 1, 2, 3 … in the order in which they were
// committed. Zero is no message.
type ID uint64

// MaxID is the largest id; it leaves room so that counts never overflow.
const MaxID ID = 1<<63 - 1

// Message is one accepted message. It is complete in itself and never changes.
type Message struct {
	ID ID
	// Time is when it was committed, in UTC. Within a group it never goes
	// back as ids go up.
	Time time.Time
	// Data is one JSON value, exactly as it was added, without the white
	// space around it. CheckData says what is accepted.
	Data json.RawMessage
	// Key is the idempotency key that it was added with, if any.
	Key string
}

// Status says what is to become of a message.
type Status int

const (
	// Unread messages are handed out, oldest first.
	Unread Status = iota
	// Read messages have been marked by their receiver.
	Read
	// Held messages are kept back until somebody releases them.
	Held
)

// String returns "unread", "read" or "held".
func (s Status) String() string {
	return [...]string{"unread", "read", "held"}[s]
}

// ParseStatus reads what String writes.
func ParseStatus(text string) (Status, error) {
	for _, s := range []Status{Unread, Read, Held} {
		if s.String() == text {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%q is not a status: it is unread, read or held", text)
}

// Listed is a message together with its status when it was looked at.
type Listed struct {
	Message
	Status Status
	// Damaged says that what is stored of the message does not match its
	// checksum. Only its id and its status are known then.
	Damaged bool
}

// Counts are the exact numbers of a group's messages at one moment.
type Counts struct {
	// Last is the id of the newest message that was ever added.
	Last ID
	// Unread, Read and Held add up to the messages that are stored.
	Unread, Read, Held uint64
}

// Addition is one request to add messages. Either all of them are added or
// none is.
type Addition struct {
	Group GroupName
	// Data holds at least one value that CheckData accepts. A store uses the
	// bytes until Append returns, and no longer.
	Data []json.RawMessage
	// Key, if not empty, makes the request safe to repeat: a second Addition
	// to the group with the same key and the same data answers with the first
	// ids and adds nothing. Keys live as long as the last message that was
	// added with them.
	Key string
}
