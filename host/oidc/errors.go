package oidc

import "errors"

// Kinds of an Error.
var (
	// ErrUnavailable: the provider can't be reached, or is out of order.
	ErrUnavailable = errors.New("the identity provider is not available")
	// ErrRefused: this sign-in can't be finished; another one may.
	ErrRefused = errors.New("the sign-in was not finished")
	// ErrNoRole: the provider knows the person, who may not use this daemon.
	ErrNoRole = errors.New("no role for this person")
)

// Error says why somebody could not sign in.
type Error struct {
	// Kind is one of the errors above. errors.Is finds it, and the cause.
	Kind error
	// Text is for the person: what happened, and what to do.
	Text string
	// Cause is for the log alone, and may quote the provider. It may be nil.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Text
	}
	return e.Text + ": " + e.Cause.Error()
}

// Public is the error without the cause.
func (e *Error) Public() string { return e.Text }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func refused(text string, cause error) error {
	return &Error{Kind: ErrRefused, Text: text, Cause: cause}
}
