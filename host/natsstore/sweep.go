package natsstore

import (
	"context"
	"time"

	"github.com/restante/restante/host"
)

// sweepAfter is how old the data of a large message must be before it is asked
// whether any message has them: no addition takes so long.
const sweepAfter = time.Hour

// largeOf returns the cells with the data of large messages of a group, and what
// they say.
func (s *Store) largeOf(ctx context.Context, name host.GroupName, each func(id string, put time.Time, of host.ID) error) error {
	all, err := s.bodies.list(ctx, largeKey(name, "*"))
	if err != nil {
		return err
	}
	for _, c := range all {
		put, of, err := decodeLarge(c.value)
		if err != nil && !c.gone {
			return err
		}
		if err := each(c.key[len(largeKey(name, "")):], put, of); err != nil {
			return err
		}
	}
	return nil
}

// deleteLarge deletes the data of those messages that are large. It looks at the
// messages, since not all data are marked with the id of theirs.
func (s *Store) deleteLarge(ctx context.Context, name host.GroupName, ids host.Ranges) error {
	anyLarge := false
	err := s.largeOf(ctx, name, func(id string, _ time.Time, of host.ID) error {
		anyLarge = anyLarge || of == 0
		if of == 0 || !ids.Contains(of) {
			return nil
		}
		return s.dropLarge(ctx, name, id)
	})
	if err != nil || !anyLarge {
		return err
	}
	for id := range ids.IDs() {
		m, err := s.getMessage(ctx, name, getRequest{Seq: uint64(id)})
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if l, err := peekLabel(m); err == nil && l.large.pieces > 0 {
			if err := s.dropLarge(ctx, name, l.large.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep deletes data of large messages that were never added, as the daemon or the
// cluster failed in between, and tidies up what was left half deleted.
func (s *Store) sweep(ctx context.Context, name host.GroupName) {
	orphans := map[string]bool{}
	err := s.largeOf(ctx, name, func(id string, put time.Time, of host.ID) error {
		if of == 0 && s.now().Sub(put) > sweepAfter {
			orphans[id] = true
		}
		return nil
	})
	if err == nil && len(orphans) > 0 {
		err = s.sweepOrphans(ctx, name, orphans)
	}
	if err != nil {
		s.log.Debug("data of large messages are looked through later", "group", name, "error", err)
	}
}

// sweepOrphans looks through all messages for those that have the data.
func (s *Store) sweepOrphans(ctx context.Context, name host.GroupName, orphans map[string]bool) error {
	v, err := s.view(ctx, name)
	if err != nil {
		return err
	}
	stream := s.names.group(name)
	for r := range v.Stored(host.Range{First: 1, Last: v.Last}) {
		for at := r.First; at <= r.Last; {
			all, _, err := s.direct(ctx, stream, getRequest{Seq: uint64(at), Batch: maxPage})
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return errMissing // a server lags; another time
			}
			for _, m := range all {
				if l, err := peekLabel(m); err == nil && l.large.pieces > 0 {
					if orphans[l.large.id] {
						delete(orphans, l.large.id)
						if err := s.nameLarge(ctx, name, l.large, host.ID(m.seq)); err != nil {
							return err
						}
					}
				}
				at = host.ID(m.seq) + 1
			}
		}
	}
	for id := range orphans {
		if err := s.dropLarge(ctx, name, id); err != nil {
			return err
		}
	}
	return nil
}
