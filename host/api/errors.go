package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
)

// Errors of a request as such, beside those of the domain.
var (
	errBadRequest = errors.New("bad request")
	errNotFound   = errors.New("not found")
	errMethod     = errors.New("method not allowed")
	errMediaType  = errors.New("unsupported media type")
	errBusy       = errors.New("too many requests")
	errNotReady   = errors.New("not ready")
)

// fault is an error together with words for the client, which take the place
// of the error's own.
type fault struct {
	err    error
	detail string
}

func faultf(err error, format string, args ...any) error {
	return &fault{err, fmt.Sprintf(format, args...)}
}

func (f *fault) Error() string { return f.detail }
func (f *fault) Unwrap() error { return f.err }

// kind is what a client is told of one sort of error.
type kind struct {
	match  func(error) bool
	status int
	// name ends the problem's type; openapi.yaml explains it.
	name, title string
	// detail is what happened and what to do next. {group} stands for the
	// group, {error} for the error's own words: only in kinds whose errors are
	// written for clients.
	detail string
	// retry is after how many seconds to try again; 0 is not to.
	retry int
	level hclog.Level
}

// kinds is the one table from errors to answers; the first that matches holds.
var kinds = [...]kind{
	{is(errBadRequest), 400, "bad-request", "Bad request", "{error}", 0, hclog.Debug},
	{is(host.ErrBadGroupName), 400, "bad-group-name", "Not a group name",
		"The path does not name a group: {error}.", 0, hclog.Debug},
	{is(host.ErrBadToken), 400, "bad-token", "Bad token",
		`The token was changed, cut short, or made for another queue than "{group}". Nothing was marked. Fetch again and send the token exactly as it comes.`, 0, hclog.Debug},
	{is(host.ErrBadRejection), 400, "bad-rejection", "Bad rejection",
		"The form field \"reject\" can't be used: {error}. Nothing was changed. Correct it and send the form again.", 0, hclog.Debug},
	{is(host.ErrBadData), 400, "bad-data", "Not acceptable as a message",
		"The data is not acceptable: {error}. Nothing was added. Correct it and send all of it again.", 0, hclog.Debug},
	{is(host.ErrUnauthorized), 401, "unauthorized", "Unauthorized",
		"This call needs HTTP Basic authentication: user name \"haplo\", and as the password an API key that is valid. What is wrong: {error}.", 0, hclog.Warn},
	{is(host.ErrForbidden), 403, "forbidden", "Forbidden",
		`The API key is valid, but does not allow this call for "{group}". Use another key, or ask the operator for one.`, 0, hclog.Warn},
	{is(errNotFound), 404, "not-found", "Not found", "{error}", 0, hclog.Debug},
	{is(host.ErrUnknownGroup), 404, "unknown-group", "Unknown group",
		`Neither a plugin nor the configuration has declared the group "{group}". Check how it is spelt, or ask the operator which groups there are.`, 0, hclog.Debug},
	{is(errMethod), 405, "method-not-allowed", "Method not allowed", "{error}", 0, hclog.Debug},
	{is(host.ErrWrongMethod), 409, "not-a-poll-queue", "Not a poll queue",
		`The messages of "{group}" are sent to their receiver and can't be fetched or marked.`, 0, hclog.Debug},
	{is(host.ErrNotSent), 409, "not-a-send-queue", "Not a send queue",
		`The messages of "{group}" are not sent: their receiver fetches them.`, 0, hclog.Debug},
	{is(host.ErrKeyReused), 409, "key-reused", "Idempotency key reused",
		`This Idempotency-Key was used before in "{group}", with other data. Nothing was added. Send new data with a new key.`, 0, hclog.Debug},
	{is(host.ErrTooLarge), 413, "too-large", "Too large",
		"The request is {error}. Nothing was changed.", 0, hclog.Debug},
	{is(errMediaType), 415, "unsupported-media-type", "Unsupported media type", "{error}", 0, hclog.Debug},
	{is(errBusy), 429, "too-many-waiting", "Too many requests", "{error}", 5, hclog.Debug},
	{as[*host.UnavailableError], 503, "unavailable", "The queue can't be formatted now",
		"Queue \"{group}\": {error}. Its messages are safe, and more can be added. Try again later.", 30, hclog.Debug},
	{as[*host.RejectedError], 503, "rejected", "Messages can't be formatted",
		"Queue \"{group}\": {error}. Nothing is lost; the operator has to look at these messages before the queue goes on.", 60, hclog.Warn},
	{is(host.ErrStoreFull), 503, "store-full", "The store is full",
		"The server has no space left to store anything. Nothing was changed. Tell the operator, and try again later.", 60, hclog.Error},
	{is(host.ErrFailed), 503, "store-failed", "The store failed",
		"The server can't write to its disk and takes nothing more until it is restarted. What was accepted before is safe. Tell the operator.", 60, hclog.Error},
	{is(host.ErrUnavailable), 503, "store-unavailable", "The store can't be reached",
		"The servers that keep the messages can't be reached now, or too few of them run. Try again in a moment; with an Idempotency-Key nothing is added twice.", 5, hclog.Error},
	{is(host.ErrDamaged), 503, "damaged", "Something stored is damaged",
		"Something that is stored for \"{group}\" does not match its checksum, and is not handed out. Give the request id to the operator, who finds in the log what it is.", 60, hclog.Error},
	{is(host.ErrClosed), 503, "stopping", "The server is stopping",
		"The server is stopping. Nothing was changed. Try again in a moment.", 5, hclog.Debug},
	{is(host.ErrNotSending), 503, "not-sending", "Nothing is sent now",
		"The server is starting or stopping, and sends nothing at the moment. Try again in a moment.", 5, hclog.Debug},
	{is(errNotReady), 503, "not-ready", "Not ready", "{error}", 5, hclog.Debug},
	{endedEarly, 503, "interrupted", "Interrupted",
		"The request ended before its work was done. Repeat it; with an Idempotency-Key nothing is added twice.", 1, hclog.Debug},
}

// internalError is for all errors that are in no other row: the cause is for
// the log alone.
var internalError = kind{
	status: 500, name: "internal", title: "Internal error",
	detail: "Something went wrong inside the server. Give the request id to the operator, who finds the cause in the log.",
	level:  hclog.Error,
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func endedEarly(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func kindOf(err error) kind {
	for _, k := range kinds {
		if k.match(err) {
			return k
		}
	}
	return internalError
}

// refuse answers and logs an error.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, g host.GroupName, err error) {
	k := kindOf(err)
	a.logRefusal(k, requestID(w), r, g, err)
	words := strings.NewReplacer("{group}", string(g), "{error}", publicWords(err))
	if k.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Restante", charset="UTF-8"`)
	}
	writeProblem(w, k, words.Replace(k.detail))
}

// publicWords is what a client may read of an error: not what a plugin says
// about the data of a message, nor what was wrapped around a plugin's error.
func publicWords(err error) string {
	if unavailable, ok := errors.AsType[*host.UnavailableError](err); ok {
		return strings.TrimRight(unavailable.Public(), ".")
	}
	rejected, ok := errors.AsType[*host.RejectedError](err)
	if !ok {
		return err.Error()
	}
	var ids host.Ranges
	for _, rejection := range rejected.Rejections {
		ids.Add(host.Range{First: rejection.ID, Last: rejection.ID})
	}
	noun := "message"
	if ids.Count() > 1 {
		noun = "messages"
	}
	words := fmt.Sprintf("plugin %s can't format %s %s", rejected.Plugin, noun, ids)
	if rejected.NotHeld != "" {
		words += "; " + rejected.NotHeld
	}
	return words
}

// often returns what thins out the log of events that may come by the thousand,
// from anybody; nil for others.
func (a *API) often(k kind) *sometimes {
	switch {
	case k.status == http.StatusUnauthorized, k.status == http.StatusForbidden:
		return &a.refusals
	case k.name == "store-full":
		return &a.storeFull
	case k.name == "store-failed":
		return &a.storeFailed
	}
	return nil
}

func (a *API) logRefusal(k kind, id string, r *http.Request, g host.GroupName, err error) {
	if k.level < a.log.GetLevel() {
		return
	}
	skipped := 0
	if often := a.often(k); often != nil {
		var now bool
		if skipped, now = often.next(); !now {
			return
		}
	}
	a.log.Log(k.level, "request refused", "request_id", id, "method", r.Method, "group", string(g),
		"address", r.RemoteAddr, "status", k.status, "skipped", skipped, "error", err)
}
