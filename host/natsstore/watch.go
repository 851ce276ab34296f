package natsstore

import (
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// subscribe listens to what other daemons say of all groups, and hand over. It does
// so all the time, since a subscription takes a while to be known everywhere.
func (s *Store) subscribe() error {
	_, err := s.conn.Subscribe(s.names.notices("*"), func(m *nats.Msg) {
		if g, err := decodeGroup(strings.TrimPrefix(m.Subject, s.names.notices(""))); err == nil {
			s.Wake(g)
		}
	})
	if err == nil {
		_, err = s.conn.Subscribe(s.names.handovers(s.writer), s.takeOver)
	}
	if err != nil {
		return err
	}
	return s.conn.Flush()
}

// notify tells all daemons that a group has messages that became unread.
func (s *Store) notify(g host.GroupName) {
	if err := s.conn.Publish(s.names.notices(encodeGroup(g)), nil); err != nil {
		s.Wake(g) // here at least; the others look again by themselves
	}
}
