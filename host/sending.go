package host

import "time"

// Sending is where sending stands for one group: what must be known again after a
// crash. A crash has a batch sent again at most, with the same bytes.
type Sending struct {
	Group GroupName `json:"group"`
	// Run is what goes on until nothing is unread, or nil.
	Run *SendRun `json:"run,omitempty"`
	// Batch is the one that is on its way, or nil. If its messages are not all
	// unread any more it is done with, or changed by somebody.
	Batch *Outgoing `json:"batch,omitempty"`
	// Halt is why nothing is sent until somebody resumes it, or nil.
	Halt *SendHalt `json:"halt,omitempty"`
	// Schedule, in TimeZone, was followed up to Followed.
	Schedule string    `json:"schedule,omitempty"`
	TimeZone string    `json:"timeZone,omitempty"`
	Followed time.Time `json:"followed,omitzero"`

	revision uint64
}

// SendRun sends all that is unread, batch by batch.
type SendRun struct {
	// Trigger is what began it.
	Trigger SendTrigger `json:"trigger"`
	Began   time.Time   `json:"began"`
	// Sent counts the messages, and Batches the requests that were accepted.
	Sent    uint64 `json:"sent,omitempty"`
	Batches uint64 `json:"batches,omitempty"`
}

// SendTrigger is what has a group sent.
type SendTrigger string

// What has a group sent.
const (
	TriggerSchedule SendTrigger = "schedule"
	TriggerAdded    SendTrigger = "message added"
	TriggerAsked    SendTrigger = "asked"
)

// Outgoing is a batch that is on its way.
type Outgoing struct {
	// Delivery has its bytes. Key is the idempotency key: the same at each attempt.
	Delivery string `json:"delivery"`
	Key      string `json:"key"`
	Token    Token  `json:"token"`
	IDs      string `json:"ids"`
	Count    uint64 `json:"count"`
	// Request is what the plugin said of how to send it.
	Request HTTPRequest `json:"request"`
	// Attempts counts those that have failed, First is when the first one began,
	// and Next when the next one may.
	Attempts int       `json:"attempts,omitempty"`
	First    time.Time `json:"first,omitzero"`
	Next     time.Time `json:"next,omitzero"`
	// Refused says that the receiver can't have it, as it has turned down each
	// attempt.
	Refused bool `json:"refused,omitempty"`
}

// SendHalt is why a group waits for somebody.
type SendHalt struct {
	// State is SendPaused, SendBlocked or SendGaveUp.
	State SendState `json:"state"`
	// Reason says why, for people; By is who paused it.
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`
	Since  time.Time `json:"since"`
	// Settings stand for the configuration, which may lift a block by changing.
	Settings string `json:"settings,omitempty"`
}

// Clone returns a copy that shares nothing that is ever changed.
func (s Sending) Clone() Sending {
	s.Run, s.Batch, s.Halt = cloned(s.Run), cloned(s.Batch), cloned(s.Halt)
	return s
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// SendState says in a word how sending is.
type SendState string

const (
	// SendIdle: there is nothing to do.
	SendIdle SendState = "idle"
	// SendSending: a batch is on its way.
	SendSending SendState = "sending"
	// SendWaiting: an attempt failed, and the next one comes by itself.
	SendWaiting SendState = "waiting"
	// SendPaused: somebody has paused it.
	SendPaused SendState = "paused"
	// SendBlocked: the receiver refused a batch, and would again.
	SendBlocked SendState = "blocked"
	// SendGaveUp: too many attempts failed.
	SendGaveUp SendState = "gave up"
	// SendOff: nothing is sent from here.
	SendOff SendState = "off"
)

// Halted tells whether nothing is sent until somebody does something.
func (s SendState) Halted() bool {
	return s == SendPaused || s == SendBlocked || s == SendGaveUp || s == SendOff
}

// SendStatus is how sending is for one group, for people.
type SendStatus struct {
	Group GroupName `json:"group"`
	State SendState `json:"state"`
	// Reason says why it is not idle, and what to do; it may quote the receiver.
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// URL is where it is sent to, without secrets; empty if nothing is configured.
	URL string `json:"url,omitempty"`
	// Outstanding counts the unread messages.
	Outstanding uint64 `json:"outstanding"`
	// Delivery is the batch that is on its way, with Count messages; Attempts
	// counts those that have failed since First, and Next is when the next one
	// comes.
	Delivery string    `json:"delivery,omitempty"`
	Count    uint64    `json:"count,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	First    time.Time `json:"first,omitzero"`
	Next     time.Time `json:"next,omitzero"`
	// Schedule is what holds, as cron text, in TimeZone; NextRun is when it has the
	// queue sent next. OnAdd is how long after a message was added it is sent; 0 is
	// not to. SendEmpty says that a batch of no messages is sent as well.
	Schedule  string        `json:"schedule,omitempty"`
	TimeZone  string        `json:"timeZone,omitempty"`
	NextRun   time.Time     `json:"nextRun,omitzero"`
	OnAdd     time.Duration `json:"onAdd,omitempty"` // in nanoseconds
	SendEmpty bool          `json:"sendEmpty,omitempty"`
	// Breaker is "closed", "open" or "half-open": open while the receiver is left
	// alone, until BreakerUntil, as it failed again and again.
	Breaker      string    `json:"breaker,omitempty"`
	BreakerUntil time.Time `json:"breakerUntil,omitzero"`
	// Last are the last attempts, newest first.
	Last []Attempt `json:"last,omitempty"`
}

// SendResult is what has become of a wish to send.
type SendResult struct {
	Group GroupName `json:"group"`
	// Messages were accepted by the receiver, in so many Batches.
	Messages uint64 `json:"messages"`
	Batches  uint64 `json:"batches"`
	// State is SendIdle if all is sent. If not, Reason says why, and Next when it
	// is tried again, if it is.
	State  SendState `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Next   time.Time `json:"next,omitzero"`
}
