package natsstore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/restante/restante/host"
)

// Idempotency keys are no records of their own: the last message that was added with
// a key has a subject with the hash of the key, and its label has the ids of the
// addition and a digest of its data. So the key is stored by the same commit as the
// messages, and is forgotten with the last of them. Nobody looks before appending:
// the leader refuses a message whose subject is there already, and only then it is
// found out why.

// checkKeys fails with errTooLate if an idempotency key is not where it was taken to
// be, though nothing was added: that is why all was refused, also before.
func (s *Store) checkKeys(ctx context.Context, p *placed) error {
	for subject, replaces := range p.keys {
		m, err := s.getMessage(ctx, p.group.name, getRequest{Last: subject})
		if err != nil {
			return err
		}
		if m == nil && replaces > 0 || m != nil && m.seq != replaces && m.seq < uint64(p.first) {
			return errTooLate
		}
	}
	return nil
}

// withoutRepeated answers additions whose key is known, and returns the others.
func (s *Store) withoutRepeated(ctx context.Context, g *group, all []*addition) (rest []*addition, err error) {
	keyed := slices.DeleteFunc(slices.Clone(all), func(a *addition) bool { return a.key == "" })
	if len(keyed) == 0 {
		return all, nil
	}
	known := map[*addition]*label{}
	var mu sync.Mutex
	err = each(keyed, 16, func(a *addition) error {
		found, replaces, err := s.findKey(ctx, g.name, a.key)
		mu.Lock()
		defer mu.Unlock()
		known[a], a.replaces = found, replaces
		return err
	})
	if err != nil {
		return all, err
	}
	for _, a := range all {
		switch found := known[a]; {
		case found == nil:
			rest = append(rest, a)
		case found.digest != a.digest:
			a.end(fmt.Errorf("%w: key %q, message %d", host.ErrKeyReused, a.key, found.first))
		default:
			a.first = found.first
			a.end(nil)
		}
	}
	return rest, nil
}

// findKey returns the label of the last message that was added with a key, nil if
// the key is not known. Replaces is where such a message still is in the stream, if
// it is gone.
func (s *Store) findKey(ctx context.Context, name host.GroupName, key string) (known *label, replaces uint64, err error) {
	subject := s.names.messages(name) + "." + keySubject(key)
	m, err := s.getMessage(ctx, name, getRequest{Last: subject})
	if m == nil || err != nil {
		return nil, 0, err
	}
	v, err := s.view(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	if _, ok := v.Status(host.ID(m.seq)); !ok {
		return nil, m.seq, nil
	}
	l, err := peekLabel(m)
	if err != nil {
		return nil, 0, fmt.Errorf("idempotency key %q: message %d of %q: %w", key, m.seq, name, err)
	}
	return &l, 0, nil
}
