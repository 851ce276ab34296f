package host

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of a request, before anything was changed.
var (
	// ErrBadGroupName: the name can't be a group's.
	ErrBadGroupName = errors.New("not a group name")
	// ErrUnknownGroup: no plugin or configuration ever declared the group.
	ErrUnknownGroup = errors.New("unknown group")
	// ErrWrongMethod: fetch and mark are for poll queues only.
	ErrWrongMethod = errors.New("not a poll queue")
	// ErrNotSent: the messages of the group are not sent, but fetched.
	ErrNotSent = errors.New("not a send queue")
	// ErrNotSending: no queue is sent at the moment.
	ErrNotSending = errors.New("nothing is sent now, as the daemon is starting or stopping")
	// ErrNotTested: no test batch can be sent there, or from here. The error says why.
	ErrNotTested = errors.New("no test batch can be sent")
	// ErrBadData: a message is not acceptable JSON. See DataError.
	ErrBadData = errors.New("not acceptable as a message")
	// ErrTooLarge: a message or a request is over its limit.
	ErrTooLarge = errors.New("too large")
	// ErrBadToken: the token was changed, cut short, or made for another queue.
	ErrBadToken = errors.New("not a token of this queue")
	// ErrBadRejection: a receiver rejects what it can't, or does not say so
	// properly.
	ErrBadRejection = errors.New("not a proper rejection")
	// ErrKeyReused: the idempotency key was used before with other data.
	ErrKeyReused = errors.New("idempotency key used before with other data")
	// ErrUnauthorized: no key, or not a valid one.
	ErrUnauthorized = errors.New("no valid API key")
	// ErrForbidden: a valid key that does not allow this.
	ErrForbidden = errors.New("not allowed by this API key")
	// ErrGroupTaken: the group belongs to another plugin.
	ErrGroupTaken = errors.New("group belongs to another plugin")
)

// Errors of users and of signing in.
var (
	// ErrBadUserName: the name can't be a user's.
	ErrBadUserName = errors.New("not a user name")
	// ErrNoUser: there is no user of this name.
	ErrNoUser = errors.New("no such user")
	// ErrNameTaken: the name belongs to another user.
	ErrNameTaken = errors.New("the name is another user's")
	// ErrExternal: the user signs in by OpenID Connect, so that password and role
	// are not kept here.
	ErrExternal = errors.New("the user signs in by OpenID Connect")
	// ErrLastAdmin: nobody would be left who can look after users.
	ErrLastAdmin = errors.New("the last admin that can sign in")
	// ErrDisabled: the user is disabled.
	ErrDisabled = errors.New("the user is disabled")
	// ErrBadPassword: the password is not good enough to be taken. The error
	// says what to do.
	ErrBadPassword = errors.New("the password can't be taken")
	// ErrWrongPassword: the current password, which a new one is to replace, is
	// another.
	ErrWrongPassword = errors.New("the current password is wrong")
	// ErrSignIn: no user, the wrong password, or a user that is disabled. Which
	// of them it is nobody is told.
	ErrSignIn = errors.New("the name or the password is wrong, or the user is disabled")
	// ErrTooManyAttempts: see TooManyAttemptsError.
	ErrTooManyAttempts = errors.New("too many attempts to sign in")
	// ErrNoSession: nobody signed in with this token, or not any more.
	ErrNoSession = errors.New("not signed in")
	// ErrBadInvitation: the link was used, replaced or cut short, or is too old.
	ErrBadInvitation = errors.New("the invitation is not valid, or not any more")
)

// TooManyAttemptsError says when to try to sign in again. It matches
// ErrTooManyAttempts.
type TooManyAttemptsError struct{ After time.Duration }

func (e *TooManyAttemptsError) Error() string {
	return fmt.Sprintf("%v: try again in %s", ErrTooManyAttempts, max(e.After.Round(time.Second), time.Second))
}

// Is makes errors.Is(err, ErrTooManyAttempts) true.
func (e *TooManyAttemptsError) Is(target error) bool { return target == ErrTooManyAttempts }

// Errors of a store.
var (
	// ErrNoMessage: the group has no message with this id.
	ErrNoMessage = errors.New("no such message")
	// ErrNoRecord: the bucket has no record with this key.
	ErrNoRecord = errors.New("no such record")
	// ErrNoBody: the group has no such body, or not any more.
	ErrNoBody = errors.New("no such body")
	// ErrDamaged: what is stored does not match its checksum. The error says what
	// it is; everything else can be used.
	ErrDamaged = errors.New("the store is damaged")
	// ErrConflict: the record was changed meanwhile; read it and try again.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrStoreFull: no space is left. Nothing was changed.
	ErrStoreFull = errors.New("no space left for the store")
	// ErrInUse: another process has the store open.
	ErrInUse = errors.New("in use by another process")
	// ErrNewer: a newer version of the program wrote the store.
	ErrNewer = errors.New("written by a newer version")
	// ErrFailed: writing to the disk failed in a way after which nothing that
	// it says can be trusted. The store takes no more writes until a restart.
	ErrFailed = errors.New("the store failed and takes no more writes until a restart")
	// ErrUnavailable: the store could not be reached in time, or too few of its
	// servers run to decide anything. The error says which. What becomes of a write
	// is not known; it may be repeated.
	ErrUnavailable = errors.New("the store can't be reached")
	// ErrClosed: the store was closed. Nothing was changed.
	ErrClosed = errors.New("store is closed")
)

// LeasedError says that another daemon has a lease.
type LeasedError struct {
	Holder string
	// Until is when it is free unless it is renewed.
	Until time.Time
}

func (e *LeasedError) Error() string {
	return fmt.Sprintf("%s has it until %s", e.Holder, e.Until.UTC().Format(time.RFC3339))
}

// DataError says where a message is not acceptable. It matches ErrBadData.
type DataError struct {
	// Line is the line of an NDJSON request, from 1; 0 for a single value.
	Line int
	// Offset is the byte of the value, from 0, at which the fault was seen;
	// people are told it from 1.
	Offset int
	Reason string
}

func (e *DataError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset+1, e.Reason)
	}
	return fmt.Sprintf("byte %d: %s", e.Offset+1, e.Reason)
}

// Is makes errors.Is(err, ErrBadData) true.
func (e *DataError) Is(target error) bool { return target == ErrBadData }

// UnavailableError says why a group can't be formatted now. Its messages are
// safe and more can be added.
type UnavailableError struct {
	Plugin string
	// Reason is for operators and pollers alike: what is wrong, in words,
	// and what happens next.
	Reason string
	// Detail is for operators alone: the plugin's own words, which may quote
	// messages, or where files are. It may be empty.
	Detail string
	// Failed is what the plugin did, in its own words as far as there are any, if
	// it was asked to format a batch and failed over it. It is empty if the plugin
	// could not be asked.
	Failed string
}

func (e *UnavailableError) Error() string {
	if e.Detail == "" {
		return e.Public()
	}
	return e.Public() + ": " + e.Detail
}

// Public is the error without the Detail.
func (e *UnavailableError) Public() string {
	return fmt.Sprintf("plugin %s can't format this queue now: %s", e.Plugin, e.Reason)
}

// Rejection is one message that a plugin can't format, or a receiver can't use.
type Rejection struct {
	ID     ID     `json:"id"`
	Reason string `json:"reason"`
}

// RejectedError says which messages of a batch the plugin can't format: those
// that it named itself, or was found to fail over.
type RejectedError struct {
	Plugin     string
	Rejections []Rejection
	// NotHeld says why the messages are not held although the group's policy is to
	// hold such messages; empty if it is not.
	NotHeld string
}

func (e *RejectedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %s can't format", e.Plugin)
	for i, r := range e.Rejections {
		if i == 3 {
			fmt.Fprintf(&b, " and %d more", len(e.Rejections)-i)
			break
		}
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " message %d: %s", r.ID, r.Reason)
	}
	if e.NotHeld != "" {
		b.WriteString("; " + e.NotHeld)
	}
	return b.String()
}
