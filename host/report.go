package host

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrorKind says what sort of thing is wrong.
type ErrorKind string

// What can be wrong. The first ones last until they are over, the others happened
// and stay in the inbox until somebody acknowledges them.
const (
	// ErrorBlocked: a queue can't be formatted, and its messages wait.
	ErrorBlocked ErrorKind = "blocked"
	// ErrorWaiting: the oldest unread message of a queue is older than the limit.
	ErrorWaiting ErrorKind = "waiting"
	// ErrorSilent: a poller has not come for much longer than it ever did.
	ErrorSilent ErrorKind = "silent"
	// ErrorUnmarked: a poller fetches again and again, and marks nothing.
	ErrorUnmarked ErrorKind = "unmarked"
	// ErrorPlugin: a plugin is out of service.
	ErrorPlugin ErrorKind = "plugin"
	// ErrorDisk: the disk of the data folder is nearly full.
	ErrorDisk ErrorKind = "disk"

	// ErrorHeld: messages were held, as their plugin can't format them.
	ErrorHeld ErrorKind = "held"
	// ErrorRejected: a receiver did not want messages.
	ErrorRejected ErrorKind = "rejected"
	// ErrorBatch: a plugin can't format some messages at once, though it can each
	// of them.
	ErrorBatch ErrorKind = "batch"
	// ErrorRecord: a delivery could not be recorded.
	ErrorRecord ErrorKind = "record"
)

// ErrorReport is what is wrong with one thing in one way: an entry of the error
// inbox.
type ErrorReport struct {
	ID     string    `json:"id"`
	Kind   ErrorKind `json:"kind"`
	Group  GroupName `json:"group,omitempty"`
	Plugin string    `json:"plugin,omitempty"`
	// Title says in a line what is wrong and what is to be done, as of the last
	// time.
	Title string `json:"title"`
	// Details may quote messages. At most 16 KiB are kept.
	Details string `json:"details,omitempty"`
	// Messages are those that it is about, the newest reports last; at most 100
	// are kept.
	Messages []Rejection `json:"messages,omitempty"`
	// First and Last are when it happened first and last, Times how often.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Times uint64    `json:"times"`
	// Lasting says that it is over by itself when the cause is; Ended is when that
	// was, or zero.
	Lasting bool      `json:"lasting,omitempty"`
	Ended   time.Time `json:"ended,omitzero"`
	// Acknowledged is when somebody had seen it, or zero, and AcknowledgedBy who.
	Acknowledged   time.Time `json:"acknowledged,omitzero"`
	AcknowledgedBy string    `json:"acknowledgedBy,omitempty"`
	// Reopened says that somebody wanted it back in the inbox: then it stays until
	// it is acknowledged.
	Reopened bool `json:"reopened,omitempty"`
}

const (
	maxReportTitle    = 500
	maxReportDetails  = 16 << 10
	maxReportMessages = 100
)

// subject is what the report is about: its key in the store.
func (r ErrorReport) subject() string {
	return fmt.Sprintf("%s/%s/%s", r.Kind, r.Group, r.Plugin)
}

// merge adds what happened again.
func (r *ErrorReport) merge(again ErrorReport) {
	if again.Times == 0 {
		return
	}
	r.Times += again.Times
	if r.Times == again.Times { // the first to be counted here
		r.First = again.First
	}
	if again.Last.After(r.Last) {
		r.Last = again.Last
	}
	r.Title, r.Ended, r.Lasting = again.Title, again.Ended, again.Lasting
	if again.Details != "" {
		r.Details = again.Details
	}
	for _, m := range again.Messages {
		for i, known := range r.Messages {
			if known.ID == m.ID {
				r.Messages = append(r.Messages[:i:i], r.Messages[i+1:]...)
				break
			}
		}
		r.Messages = append(r.Messages, Rejection{ID: m.ID, Reason: limited(m.Reason, 2000)})
	}
	if over := len(r.Messages) - maxReportMessages; over > 0 {
		r.Messages = append([]Rejection(nil), r.Messages[over:]...)
	}
}

// done tells whether nobody has to look at it any more.
func (r *ErrorReport) done() bool {
	seen := !r.Acknowledged.IsZero()
	if r.Lasting {
		return !r.Ended.IsZero() && (seen || !r.Reopened)
	}
	return seen
}

// Unacknowledged tells whether nobody has seen it yet.
func (r *ErrorReport) Unacknowledged() bool { return r.Acknowledged.IsZero() }

func decodeReport(value []byte) (*ErrorReport, error) {
	var r ErrorReport
	if err := json.Unmarshal(value, &r); err != nil || r.ID == "" {
		return nil, fmt.Errorf("%w: a report of the error inbox is malformed: %v", ErrDamaged, err)
	}
	return &r, nil
}

// limited cuts a text to at most so many bytes of valid UTF-8.
func limited(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	const mark = " …"
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}
