package process

import (
	"errors"
	"strings"
)

// Errors of a call.
var (
	// ErrTimeout: the plugin did not answer in time. It may still be at work,
	// so the process should be killed.
	ErrTimeout = errors.New("it did not answer in time")
	// ErrEnded: the process ended before or during the call. Exit says how.
	ErrEnded = errors.New("its process ended")
	// ErrBadReply: the answer breaks the contract.
	ErrBadReply = errors.New("its answer breaks the contract")
)

// StartError says why a plugin did not come up, in words for the operator.
type StartError struct {
	// Reason is one line that says what is wrong and, where that is known,
	// what to do.
	Reason string
	// Permanent tells that the same file will fail the same way again.
	Permanent bool
	// Output holds the first lines that the plugin printed and the last ones
	// of its standard error.
	Output []string
	// Exit is how the process ended; nil if the system did not start one.
	Exit *Exit
}

func (e *StartError) Error() string { return e.Reason }

// maxFailure is the longest text of a plugin's own error that is shown.
const maxFailure = 500

// FailedError is an error that the plugin returned.
type FailedError struct {
	// Text is all that the plugin said, maybe with a stack.
	Text string
	// Passing says that the connection was lost, or the plugin busy (the gRPC code
	// UNAVAILABLE): the same call may well succeed.
	Passing bool
}

// Error returns the plugin's text on one line, without a stack, and at most
// about 500 bytes of it.
func (e *FailedError) Error() string { return "it failed: " + e.brief() }

// Cut tells whether Error leaves out a part of Text.
func (e *FailedError) Cut() bool { return e.brief() != e.Text }

func (e *FailedError) brief() string {
	text, _, _ := strings.Cut(e.Text, "\n\n") // a blank line comes before a stack
	text, _, _ = strings.Cut(text, "\ngoroutine ")
	text = oneLine(text, maxFailure)
	if text == "" {
		return "it does not say why"
	}
	return text
}
