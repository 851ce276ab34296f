package host

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// FaultPolicy is what becomes of a message that a plugin can't format.
type FaultPolicy string

const (
	// FaultBlock has the queue wait: fetches fail, and say which message it is.
	FaultBlock FaultPolicy = "block"
	// FaultHold holds the message, and the queue goes on with the rest.
	FaultHold FaultPolicy = "hold"
)

// ParseFaultPolicy reads "block" or "hold".
func ParseFaultPolicy(s string) (FaultPolicy, error) {
	switch p := FaultPolicy(s); p {
	case FaultBlock, FaultHold:
		return p, nil
	}
	return "", fmt.Errorf("on_fault is %q; use %q or %q", s, FaultBlock, FaultHold)
}

// Fault is that a plugin can't format a batch, and why.
type Fault struct {
	Time  time.Time
	Group GroupName
	// Plugin is the version that can't.
	Plugin Origin
	// Batch is what it was asked to format.
	Batch Ranges
	// Rejections are the messages at fault, with what the plugin said or did. There
	// are none if no single message is at fault.
	Rejections []Rejection
	// Reason says why the batch can't be formatted as a whole, if no message is at
	// fault, or why messages are not held although the policy is to hold them.
	Reason string
	// Policy is that of the group, and Held tells that the messages are held now.
	Policy FaultPolicy
	Held   bool
	// Calls is how many calls it took to find out, beside the poller's own.
	Calls int
	// Again tells that the same was reported before, and the queue still waits.
	Again bool
}

// blamed returns the messages that a plugin named as those that it can't format,
// each once. It trusts no plugin that names one which is not in the batch.
func blamed(err error, b Batch) []Rejection {
	rejected, ok := errors.AsType[*RejectedError](err)
	if !ok {
		return nil
	}
	ids := b.IDs()
	var all []Rejection
	for _, r := range rejected.Rejections {
		if !ids.Contains(r.ID) {
			return nil
		}
		if !slices.ContainsFunc(all, func(known Rejection) bool { return known.ID == r.ID }) {
			all = append(all, r)
		}
	}
	return all
}

// failure says what a plugin did that failed over a batch, or returns "" if it
// could not be asked.
func failure(err error) string {
	if unavailable, ok := errors.AsType[*UnavailableError](err); ok {
		return unavailable.Failed
	}
	if _, ok := errors.AsType[*RejectedError](err); ok {
		return "it rejected messages that are not in the batch"
	}
	return ""
}

// idsOf returns the ids of rejected messages.
func idsOf(rejections []Rejection) (ids Ranges) {
	for _, r := range rejections {
		ids.Add(Range{r.ID, r.ID})
	}
	return ids
}
