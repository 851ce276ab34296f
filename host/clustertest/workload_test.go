//go:build linux

package clustertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// workload calls all daemons of a fleet at once, and writes down what they answer.
type workload struct {
	t       *testing.T
	fleet   *fleet
	history *history
	key     string
	groups  []host.GroupName
	// pace is how long a client rests between two calls, which keeps histories short.
	pace time.Duration

	clients int
	wait    sync.WaitGroup
	stop    context.CancelFunc
}

// Clients of every group, beside one of each daemon that only looks. The last adder
// and the last poller don't repeat a call without an answer.
const (
	adders  = 5
	pollers = 3
)

// start starts the clients.
func (w *workload) start() {
	ctx, stop := context.WithCancel(w.t.Context())
	w.stop = stop
	for _, g := range w.groups {
		for i := range adders {
			c := w.newClient(g, i == adders-1)
			w.wait.Go(func() { w.repeat(ctx, c.add) })
		}
		for i := range pollers {
			c := w.newClient(g, i == pollers-1)
			w.wait.Go(func() { w.repeat(ctx, c.poll) })
		}
		for range w.fleet.daemons {
			c := w.newClient(g, false)
			c.loyal = true
			w.wait.Go(func() { w.repeat(ctx, c.look) })
		}
	}
}

// end has the clients end what they are at, and waits for them.
func (w *workload) end() {
	w.stop()
	w.wait.Wait()
}

func (w *workload) repeat(ctx context.Context, call func()) {
	tick := time.NewTicker(w.pace)
	defer tick.Stop()
	for ctx.Err() == nil {
		call()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// client is an external system. It stays with a daemon until that gives no answer.
type client struct {
	*workload
	group  host.GroupName
	number int
	at     int  // the daemon
	hasty  bool // does not repeat a call without an answer
	loyal  bool // stays with its daemon in any case
	calls  int
}

func (w *workload) newClient(g host.GroupName, hasty bool) *client {
	w.clients++
	return &client{workload: w, group: g, number: w.clients, at: w.clients % len(w.fleet.daemons), hasty: hasty}
}

// errUnknown: there was no answer, or one that does not say what became of the call.
var errUnknown = errors.New("outcome unknown")

// errNotDone: nothing was listening.
var errNotDone = errors.New("not done")

// answer is a response that was read to its end.
type answer struct {
	header http.Header
	body   []byte
}

// persistence is how long a call is repeated, on one daemon after the other, until
// there is an answer.
const persistence = 90 * time.Second

// call makes a call to the daemon that the client is at, and goes to the next one if
// there is no answer.
func (c *client) call(method, path string, body string, header http.Header, want int) (a answer, err error) {
	defer func() {
		if err != nil {
			if !c.loyal {
				c.at = (c.at + 1) % len(c.fleet.daemons)
			}
			rest := time.NewTimer(50 * time.Millisecond)
			<-rest.C
		}
	}()
	d := c.fleet.daemons[c.at]
	r, err := http.NewRequest(method, "http://"+d.api+"/api/haplo-integration-messages/"+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	if header != nil {
		r.Header = header
	}
	r.SetBasicAuth("haplo", c.key)
	response, err := d.http.Do(r)
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return a, fmt.Errorf("%w: %w", errNotDone, err)
	}
	if err != nil {
		return a, fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return a, fmt.Errorf("%w: %w", errUnknown, err)
	}
	switch {
	case response.StatusCode == want:
		return answer{response.Header, text}, nil
	case response.StatusCode < http.StatusInternalServerError:
		c.t.Errorf("%s %s on %s answers %s: %s", method, path, d.name, response.Status, text)
	}
	return a, fmt.Errorf("%w: %s: %s", errUnknown, response.Status, text)
}

// add adds one message, or a few at once, under a key.
func (c *client) add() {
	c.calls++
	name := fmt.Sprintf("%d/%d", c.number, c.calls)
	o := operation{Call: add, Group: c.group, Client: c.number}
	for i := range 1 + c.calls%3 {
		o.Values = append(o.Values, fmt.Sprintf(`"%s/%d"`, name, i))
	}
	header := http.Header{"Idempotency-Key": {name}, "Content-Type": {"application/x-ndjson"}}
	o.Start = c.history.now()
	var a answer
	var err error
	for begun := time.Now(); time.Since(begun) < persistence; {
		a, err = c.call("POST", "add/"+string(c.group), strings.Join(o.Values, "\n"), header, http.StatusCreated)
		if err == nil || c.hasty && !errors.Is(err, errNotDone) {
			break
		}
	}
	o.End, o.Unknown = c.history.now(), err != nil
	if err == nil {
		var reply struct{ IDs []host.ID }
		if err := json.Unmarshal(a.body, &reply); err != nil {
			c.t.Errorf("add answers %s: %v", a.body, err)
		}
		o.IDs = reply.IDs
	}
	c.history.record(o)
}

// batch fetches, and returns the token of what came.
func (c *client) batch(limit int) (token string, batch host.Ranges) {
	o := operation{Call: fetch, Group: c.group, Client: c.number, Limit: limit, Start: c.history.now()}
	a, err := c.call("GET", fmt.Sprintf("poll/%s/fetch?limit=%d", c.group, limit), "", nil, http.StatusOK)
	if err != nil {
		return "", batch // which has changed nothing
	}
	o.End = c.history.now()
	var document struct {
		Version  *int
		Token    string
		Messages []struct {
			ID       host.ID
			Datetime time.Time
			Data     json.RawMessage
		}
	}
	err = json.Unmarshal(a.body, &document)
	token = a.header.Get("Restante-Token")
	unread, wrong := strconv.ParseUint(a.header.Get("Restante-Unread"), 10, 64)
	if err != nil || wrong != nil || document.Version == nil || *document.Version != 0 || document.Token != token ||
		a.header.Get("Restante-Count") != strconv.Itoa(len(document.Messages)) {
		c.t.Errorf("fetch answers %v\n%s", a.header, a.body)
	}
	o.Unread = unread
	for _, m := range document.Messages {
		if m.Datetime.IsZero() {
			c.t.Errorf("message %d has no time: %s", m.ID, a.body)
		}
		o.IDs, o.Values = append(o.IDs, m.ID), append(o.Values, string(m.Data))
	}
	c.history.record(o)
	return token, host.NewRanges(o.IDs...)
}

// look fetches and does not mark.
func (c *client) look() { c.batch(16) }

// poll fetches and marks.
func (c *client) poll() {
	c.calls++
	token, batch := c.batch(4 + c.calls%13)
	if batch.Count() == 0 {
		return
	}
	form := url.Values{"token": {token}}.Encode()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for begun := time.Now(); time.Since(begun) < persistence; {
		o := operation{Call: mark, Group: c.group, Client: c.number, Batch: batch, Start: c.history.now()}
		a, err := c.call("POST", "poll/"+string(c.group)+"/mark", form, header, http.StatusOK)
		if errors.Is(err, errNotDone) {
			continue
		}
		o.End, o.Unknown = c.history.now(), err != nil
		if err == nil {
			if _, err := fmt.Sscanf(string(a.body), "Marked: %d, Unread: %d", &o.Marked, &o.Unread); err != nil {
				c.t.Errorf("mark answers %s: %v", a.body, err)
			}
		}
		c.history.record(o)
		if err == nil || c.hasty {
			return
		}
	}
}
