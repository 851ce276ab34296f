package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

// await returns when the group has an unread message, the time is over, the
// daemon begins to stop, or the client has gone, which alone is an error.
func (a *API) await(w http.ResponseWriter, r *http.Request, g host.GroupName, wait time.Duration) error {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
	default:
		return faultf(errBusy, "%d requests wait for messages already. Try again in a few seconds, or without the parameter \"wait\".", cap(a.waiting))
	}
	// The server's own deadlines began with the request. At the read deadline
	// it would take the client for gone.
	setWriteDeadline(w, wait+writeTimeout)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(wait + readTimeout))

	ctx, cancel := context.WithTimeout(r.Context(), wait)
	var stop sync.WaitGroup
	defer stop.Wait()
	defer cancel()
	stop.Go(func() {
		select {
		case <-a.stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	if err := a.exchange.Await(ctx, g); err != nil {
		return err
	}
	return r.Context().Err()
}

// setWriteDeadline gives the client this long from now to take the response.
// Not every server has deadlines, and those that don't need none moved.
func setWriteDeadline(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}
