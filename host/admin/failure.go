package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/restante/restante/host"
)

// Errors of a request as such, beside those of the domain.
var (
	errNotFound    = errors.New("not found")
	errSignIn      = errors.New("not signed in")
	errRole        = errors.New("the role does not allow this")
	errCrossOrigin = errors.New("the request comes from another site")
)

// badRequest is an error with words for the person who made it.
type badRequest struct{ text string }

func (e *badRequest) Error() string { return e.text }

func badf(format string, args ...any) error { return &badRequest{fmt.Sprintf(format, args...)} }

// failurePage says what went wrong.
type failurePage struct {
	frame
	Status  int
	Heading string
	Text    string
}

// fail answers with an error.
func (v *visit) fail(err error) {
	if errors.Is(err, errSignIn) {
		to := "/admin/sign-in"
		if v.r.Method == http.MethodGet && v.r.URL.Path != Base {
			to += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
		}
		http.Redirect(v.w, v.r, to, http.StatusSeeOther)
		return
	}
	p := explain(err)
	if p.Status == http.StatusInternalServerError {
		id := v.w.Header().Get("X-Request-Id")
		p.Text = "The cause is in the daemon's log, at request " + id + "."
		v.a.Log.Error("page failed", "request_id", id, "path", v.r.URL.Path, "error", err)
	} else if p.Status == http.StatusServiceUnavailable {
		v.a.Log.Warn("page failed", "path", v.r.URL.Path, "error", err)
	} else {
		v.a.Log.Debug("page refused", "path", v.r.URL.Path, "status", p.Status, "error", err)
	}
	v.cut = v.cut || p.Status == http.StatusServiceUnavailable // asking again takes as long again
	v.frame(&p.frame, p.Heading, "")
	v.render(p.Status, "failure", p)
}

// explain says an error in words.
func explain(err error) failurePage {
	page := func(status int, heading, format string, args ...any) failurePage {
		return failurePage{Status: status, Heading: heading, Text: fmt.Sprintf(format, args...)}
	}
	if bad, ok := errors.AsType[*badRequest](err); ok {
		return page(http.StatusBadRequest, "That can't be done", "%s", bad.text)
	}
	switch {
	case errors.Is(err, errNotFound):
		return page(http.StatusNotFound, "Not here", "There is no such page.")
	case errors.Is(err, host.ErrUnknownGroup):
		return page(http.StatusNotFound, "No such queue", "Neither a plugin nor the configuration has declared this group.")
	case errors.Is(err, host.ErrNotSent):
		return page(http.StatusNotFound, "Not sent from here", "The receiver of this queue fetches its messages; only a queue with the method \"send\" is sent.")
	case errors.Is(err, host.ErrNotSending):
		return page(http.StatusServiceUnavailable, "Nothing is sent now", "The daemon is starting or stopping, or the queue was declared just now. Try again in a moment.")
	case errors.Is(err, host.ErrNoCluster):
		return page(http.StatusNotFound, "No cluster", "The store is a file of this daemon alone. How several daemons share one is in docs/cluster.md.")
	case errors.Is(err, host.ErrNoMessage):
		return page(http.StatusNotFound, "No such message", "It may have been pruned, or the id is wrong.")
	case errors.Is(err, host.ErrNoBody):
		return page(http.StatusNotFound, "Not kept any more", "Bodies are kept for a time; what is known of the delivery is on its page.")
	case errors.Is(err, host.ErrNoRecord):
		return page(http.StatusNotFound, "Not found", "There is none with this id, or not any more.")
	case errors.Is(err, errRole):
		return page(http.StatusForbidden, "Not allowed", "Your role does not allow this. An administrator can change it under Users.")
	case errors.Is(err, errCrossOrigin):
		return page(http.StatusForbidden, "Not from here", "The request came from another site, so nothing was done. Go back to the page and try again.")
	case errors.Is(err, host.ErrConflict):
		return page(http.StatusConflict, "Changed meanwhile", "Somebody else was quicker, or there is a newer one of its kind. Look again.")
	case errors.Is(err, host.ErrStoreFull):
		return page(http.StatusServiceUnavailable, "The disk is full", "Nothing was changed. Make space on the disk of the data folder; what was accepted before is safe.")
	case errors.Is(err, host.ErrUnavailable):
		return page(http.StatusServiceUnavailable, "The store can't be reached", "The servers that keep the messages can't be reached now, or too few of them run. Try again in a moment; the log of the daemon says more.")
	case errors.Is(err, host.ErrFailed), errors.Is(err, host.ErrClosed):
		return page(http.StatusServiceUnavailable, "The store takes no changes", "The daemon is stopping, or has to be started again. Its log says why.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return page(http.StatusServiceUnavailable, "It took too long", "The work was called off. Try again.")
	}
	return page(http.StatusInternalServerError, "Something went wrong", "")
}
