package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ErrorKind says what sort of thing is wrong.
type ErrorKind string

// What can be wrong. Those up to ErrorDisk last until they are over; the others
// happened, and stay in the inbox until somebody acknowledges them.
const (
	// ErrorBlocked: a queue can't be formatted, and its messages wait.
	ErrorBlocked ErrorKind = "blocked"
	// ErrorWaiting: the oldest unread message of a queue is older than the limit.
	ErrorWaiting ErrorKind = "waiting"
	// ErrorSilent: a poller has not come for much longer than it ever did.
	ErrorSilent ErrorKind = "silent"
	// ErrorUnmarked: a poller fetches again and again, and marks nothing.
	ErrorUnmarked ErrorKind = "unmarked"
	// ErrorSend: messages can't be sent, or nothing is sent from this machine.
	ErrorSend ErrorKind = "send"
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

// lastingKinds are those that last until they are over.
func lastingKinds() []ErrorKind {
	return []ErrorKind{ErrorBlocked, ErrorWaiting, ErrorSilent, ErrorUnmarked, ErrorSend, ErrorPlugin, ErrorDisk}
}

// ErrorKinds returns all kinds, those that last first.
func ErrorKinds() []ErrorKind {
	return append(lastingKinds(), ErrorHeld, ErrorRejected, ErrorBatch, ErrorRecord)
}

// Lasting tells whether what is wrong is over by itself when its cause is.
func (k ErrorKind) Lasting() bool { return slices.Contains(lastingKinds(), k) }

// ErrorReport is what is wrong with one thing in one way: an entry of the error
// inbox.
type ErrorReport struct {
	ID     string    `json:"id"`
	Kind   ErrorKind `json:"kind"`
	Group  GroupName `json:"group,omitempty"`
	Plugin string    `json:"plugin,omitempty"`
	// Daemon is whose plugin or disk it is, where several daemons share the store.
	Daemon string `json:"daemon,omitempty"`
	// Title says in a line what is wrong and what is to be done, as of the last
	// time.
	Title string `json:"title"`
	// Details may quote messages. At most 16 KiB are kept.
	Details string `json:"details,omitempty"`
	// Messages are those that it is about, each once, the last reported last; at
	// most 100 are kept, and of their reasons 1,000 bytes.
	Messages []Rejection `json:"messages,omitempty"`
	// First and Last are when it happened first and last, Times how often.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Times uint64    `json:"times"`
	// Lasting is that of the kind; Ended is when what lasted was over, or zero.
	Lasting bool      `json:"lasting,omitempty"`
	Ended   time.Time `json:"ended,omitzero"`
	// Acknowledged is when somebody had seen it, or zero, and AcknowledgedBy who.
	Acknowledged   time.Time `json:"acknowledged,omitzero"`
	AcknowledgedBy string    `json:"acknowledgedBy,omitempty"`
	// Reopened says that somebody wanted it back in the inbox: then it stays until
	// it is acknowledged.
	Reopened bool `json:"reopened,omitempty"`
}

// Limits of a report. JSON needs up to six bytes for one, and all of it must fit
// into an entry of a journal.
const (
	maxReportTitle    = 500
	maxReportDetails  = 16 << 10
	maxReportMessages = 100
	maxReportReason   = 1000
	maxReportPlugin   = 255
)

// subject is what the report is about: its key in the store.
func (r *ErrorReport) subject() string {
	subject := subjectOf(r.Kind, r.Group, r.Plugin)
	if r.Daemon != "" {
		subject += "/" + limited(r.Daemon, maxReportPlugin)
	}
	return subject
}

// nothing returns a report of the same subject that has counted nothing.
func (r *ErrorReport) nothing() ErrorReport {
	return ErrorReport{Kind: r.Kind, Group: r.Group, Plugin: r.Plugin, Daemon: r.Daemon}
}

// subjectOf makes the key of a report. The name of a plugin's file may be
// anything, and a report is kept as text.
func subjectOf(kind ErrorKind, g GroupName, plugin string) string {
	return fmt.Sprintf("%s/%s/%s", kind, g, limited(plugin, maxReportPlugin))
}

// lasts tells that it is wrong now, as far as is known.
func (r *ErrorReport) lasts() bool { return r.Lasting && r.Ended.IsZero() }

// Unacknowledged tells whether nobody has seen it yet.
func (r *ErrorReport) Unacknowledged() bool { return r.Acknowledged.IsZero() }

// done tells whether nobody has to look at it any more.
func (r *ErrorReport) done() bool {
	seen := !r.Unacknowledged()
	if r.Lasting {
		return !r.Ended.IsZero() && (seen || !r.Reopened)
	}
	return seen
}

// merge adds what happened again, or for the first time if r has not counted any.
func (r *ErrorReport) merge(again ErrorReport) {
	if again.Times == 0 {
		return
	}
	if r.Times == 0 {
		r.First = again.First
	}
	r.Times += again.Times
	if again.Last.After(r.Last) {
		r.Last = again.Last
	}
	r.Title, r.Lasting, r.Ended = again.Title, again.Lasting, time.Time{}
	if again.Details != "" {
		r.Details = again.Details
	}
	r.addMessages(again.Messages)
}

func (r *ErrorReport) addMessages(more []Rejection) {
	more = more[max(0, len(more)-maxReportMessages):]
	all := make([]Rejection, 0, len(r.Messages)+len(more))
	for _, known := range r.Messages {
		if !slices.ContainsFunc(more, func(m Rejection) bool { return m.ID == known.ID }) {
			all = append(all, known)
		}
	}
	for i, m := range more {
		if !slices.ContainsFunc(more[i+1:], func(later Rejection) bool { return later.ID == m.ID }) {
			all = append(all, Rejection{ID: m.ID, Reason: limited(m.Reason, maxReportReason)})
		}
	}
	r.Messages = nil
	if all = all[max(0, len(all)-maxReportMessages):]; len(all) > 0 {
		r.Messages = all
	}
}

func decodeReport(value []byte) (*ErrorReport, error) {
	var r ErrorReport
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("%w: a report of the error inbox is malformed: %w", ErrDamaged, err)
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
