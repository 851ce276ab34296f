package natsstore

import "context"

// list returns the cells whose keys match a pattern, in the order of their keys.
// Values in pieces are whole.
func (t *table) list(ctx context.Context, pattern string) ([]*cell, error) {
	subjects, last, err := t.store.subjects(ctx, t.stream, t.subject(pattern))
	if err != nil {
		return nil, err
	}
	return t.loadAll(ctx, subjects, last)
}

// loadAll returns those of the cells with the given subjects that exist, in that
// order, as they were when the stream had the sequence last.
func (t *table) loadAll(ctx context.Context, subjects []string, last uint64) ([]*cell, error) {
	found, err := t.store.lastOf(ctx, t.stream, subjects, last, nil)
	if err != nil {
		return nil, err
	}
	var all []*cell
	for _, subject := range subjects {
		m := found[subject]
		if m == nil {
			continue
		}
		c, err := t.decode(m)
		if err == nil && !c.gone {
			err = t.complete(ctx, c)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
