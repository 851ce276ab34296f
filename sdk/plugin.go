package sdk

import (
	"context"
	"strconv"
)

// Plugin describes a plugin: what it is and which groups of messages it
// formats. Serve refuses one that [Plugin.Validate] finds fault with.
type Plugin struct {
	// Name is the plugin's own name, the same in all its versions: letters,
	// digits and, inside, "-", "_" and "."; at most 64 bytes.
	Name string

	// Version is for people, for example "1.4.0"; at most 64 bytes.
	Version string

	// Groups are the groups that the plugin serves, at least one. A group
	// belongs to one plugin: a daemon that already has another plugin for one
	// of these groups refuses this one.
	Groups []Group

	// Settings are what the operator can set, at most 100. A formatter finds
	// their values in its batch.
	Settings []Setting

	// Configure is called with the values before the first batch, also if no
	// settings are declared. Optional. An error says that the plugin can't work
	// with them, and why: the operator sees it, and the plugin is not used until
	// they change.
	Configure func(Settings) error
}

// Group describes one group of messages and how it is formatted.
type Group struct {
	// Name is what messages are added under: a letter or a digit, then letters,
	// digits, ".", "_", ":" and "-"; at most 128 bytes.
	Name string

	// Method says how the messages reach the external system. There is no
	// default.
	Method Method

	// Title is one line for people, at most 200 bytes.
	Title string

	// Description says what the messages are for, at most 4,000 bytes.
	Description string

	// Schedule says when the messages of a Send group are sent unless the
	// operator decides otherwise: five cron fields or a name such as "@daily".
	// Optional, and only for Send groups. The daemon checks the syntax.
	Schedule string

	// WriteMessages turns a batch into one document. The batch may be empty.
	// It must be safe for concurrent use and depend on nothing but the batch;
	// the bytes it returns must not be changed afterwards. It should return
	// soon after ctx is cancelled, since nobody waits for its answer then.
	//
	// An error fails the whole batch. To say which messages are at fault,
	// return what [Reject] gives.
	//
	// If it is nil, the daemon writes its default JSON format.
	WriteMessages func(ctx context.Context, b Batch) (Document, error)

	// FormatHTTPRequest says how the document of a batch is to be sent.
	// Optional, and only for Send groups; without it the daemon posts the
	// document to the URL of its configuration. The same rules hold as for
	// WriteMessages.
	FormatHTTPRequest func(ctx context.Context, o Outgoing) (HTTPRequest, error)
}

// Method is how the messages of a group reach the external system.
type Method int

// The zero Method is not valid, so that it can't be forgotten.
const (
	// Poll means that the external system fetches the messages.
	Poll Method = iota + 1
	// Send means that the daemon sends the messages.
	Send
)

// String returns "poll" or "send", as the daemon's configuration writes them.
func (m Method) String() string {
	switch m {
	case Poll:
		return "poll"
	case Send:
		return "send"
	default:
		return "Method(" + strconv.Itoa(int(m)) + ")"
	}
}
