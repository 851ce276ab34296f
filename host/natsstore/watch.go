package natsstore

import (
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// subscribe listens to what the servers, and other daemons, say of all groups. It
// does so all the time, since a subscription takes a while to be known everywhere.
func (s *Store) subscribe() error {
	_, err := s.conn.Subscribe(s.names.notices("*"), func(m *nats.Msg) {
		if g, err := decodeGroup(strings.TrimPrefix(m.Subject, s.names.notices(""))); err == nil {
			s.Wake(g)
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
		s.Wake(g) // here at least; the others hear of a reconnect
	}
}
