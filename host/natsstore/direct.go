package natsstore

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
)

// replies gives out inboxes for requests that have several answers. (nats.go has
// them for one.) One subscription serves all, so that no answer can overtake it.
type replies struct {
	prefix string

	mu      sync.Mutex
	next    uint64
	waiting map[string]chan *nats.Msg
}

func newReplies(c *nats.Conn, prefix string) (*replies, error) {
	r := &replies{prefix: prefix + ".", waiting: map[string]chan *nats.Msg{}}
	sub, err := c.Subscribe(r.prefix+"*", r.take)
	if err != nil {
		return nil, err
	}
	return r, sub.SetPendingLimits(-1, -1) // requests say how much may come
}

func (r *replies) take(m *nats.Msg) {
	r.mu.Lock()
	c := r.waiting[m.Subject]
	r.mu.Unlock()
	select {
	case c <- m:
	default: // nobody waits for it any more
	}
}

// open returns an inbox and the channel that up to n answers come to. Call stop
// when done.
func (r *replies) open(n int) (inbox string, answers <-chan *nats.Msg, stop func()) {
	c := make(chan *nats.Msg, n)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	inbox = r.prefix + strconv.FormatUint(r.next, 36)
	r.waiting[inbox] = c
	return inbox, c, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.waiting, inbox)
	}
}

// maxDirect is how many messages one direct request asks for; a server sends no
// more than 1,024.
const maxDirect = 1000

// maxDirectBytes is up to how many bytes a server sends at once. It must be well
// below max_pending, at which a server drops a client.
const maxDirectBytes = 8 << 20

// maxRequestBytes is up to how many bytes of subjects one request has.
const maxRequestBytes = 128 << 10

// direct asks any server that has the stream for messages, and returns what it got
// in the order of the sequences: perhaps not all, since that server may not have
// them yet. upTo is the last sequence that it knew, if the request was for the last
// messages of subjects.
func (s *Store) direct(ctx context.Context, stream string, r getRequest) (all []*stored, upTo uint64, err error) {
	if r.MaxBytes == 0 {
		r.MaxBytes = maxDirectBytes
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, 0, err
	}
	err = s.once(ctx, func(ctx context.Context) error {
		inbox, answers, stop := s.replies.open(max(r.Batch, maxDirect) + 100)
		defer stop()
		if err := s.conn.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, body); err != nil {
			return err
		}
		for {
			select {
			case m := <-answers:
				switch status := m.Header.Get("Status"); status {
				case "":
					seq, _ := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
					all = append(all, &stored{m.Header.Get("Nats-Subject"), seq, m.Header, m.Data})
				case "503":
					return nats.ErrNoResponders
				default: // the end, or there is nothing
					upTo, _ = strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64)
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err != nil && transient(err) && len(all) > 0 {
		err = nil
	}
	return all, upTo, err
}

// lastOf returns the last message of each subject, by subject, as it was at least
// when the stream had the message with the sequence notBefore. The subjects may be
// patterns that match one subject each; askedAs returns that of a subject then, and
// is nil otherwise.
func (s *Store) lastOf(ctx context.Context, stream string, subjects []string, notBefore uint64, askedAs func(string) string) (map[string]*stored, error) {
	found := map[string]*stored{}
	for len(subjects) > 0 {
		n, bytes := 0, 0
		for ; n < min(len(subjects), maxDirect) && bytes < maxRequestBytes; n++ {
			bytes += len(subjects[n])
		}
		part := subjects[:n]
		subjects = subjects[n:]
		missing := map[string]bool{}
		for _, subject := range part {
			missing[subject] = true
		}
		// A server stops at a number of bytes, so ask again for the rest.
		for fresh := true; fresh && len(missing) > 0; {
			var asked []string
			for subject := range missing {
				asked = append(asked, subject)
			}
			all, upTo, err := s.direct(ctx, stream, getRequest{LastOf: asked})
			if err != nil && !transient(err) {
				return nil, plain(err)
			}
			if fresh = upTo >= notBefore && len(all) > 0; fresh {
				for _, m := range all {
					subject := m.subject
					if askedAs != nil {
						subject = askedAs(subject)
					}
					found[subject] = m
					delete(missing, subject)
				}
			}
		}
		for subject := range missing {
			m, err := s.get(ctx, stream, getRequest{Last: subject})
			if err != nil {
				return nil, err
			}
			if m != nil {
				found[subject] = m
			}
		}
	}
	return found, nil
}
