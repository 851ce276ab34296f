package natsstore

import (
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// watchers tells readers that a group may have something new for them.
type watchers struct {
	watchMu sync.Mutex
	waiting map[host.GroupName]map[chan struct{}]struct{}
}

// Watch implements host.Messages.
func (w *watchers) Watch(g host.GroupName) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	if w.waiting == nil {
		w.waiting = map[host.GroupName]map[chan struct{}]struct{}{}
	}
	if w.waiting[g] == nil {
		w.waiting[g] = map[chan struct{}]struct{}{}
	}
	w.waiting[g][c] = struct{}{}
	return c, func() {
		w.watchMu.Lock()
		defer w.watchMu.Unlock()
		if delete(w.waiting[g], c); len(w.waiting[g]) == 0 {
			delete(w.waiting, g)
		}
	}
}

func (w *watchers) wake(g host.GroupName) {
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	for c := range w.waiting[g] {
		hint(c)
	}
}

func (w *watchers) wakeAll() {
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	for _, all := range w.waiting {
		for c := range all {
			hint(c)
		}
	}
}

func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not seen the last hint yet
	}
}

// subscribe listens to what the servers, and other daemons, say of all groups. It
// does so all the time, since a subscription takes a while to be known everywhere.
func (s *Store) subscribe() error {
	_, err := s.conn.Subscribe(s.names.notices("*"), func(m *nats.Msg) {
		if g, err := decodeGroup(strings.TrimPrefix(m.Subject, s.names.notices(""))); err == nil {
			s.wake(g)
		}
	})
	if err != nil {
		return err
	}
	return s.conn.Flush()
}

// notify tells all daemons that messages became unread. Of new messages the servers
// tell by themselves: see rePublish.
func (s *Store) notify(g host.GroupName) {
	if err := s.conn.Publish(s.names.notices(encodeGroup(g)), nil); err != nil {
		s.wake(g) // here at least; the others hear of a reconnect
	}
}
