package natsstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// checkTime is how long a check may take.
const checkTime = time.Hour

// maxFaults is how many faults of one group are named.
const maxFaults = 100

// Check returns everything that is not as it must be: what CheckData looks at, and
// the settings of the streams.
func (s *Store) Check() error { return errors.Join(s.checkStreams(), s.CheckData()) }

// CheckData reads all that is stored and returns everything that is not as it must
// be: the state of every group against its messages, and everything against its
// checksum. It may run while others write. It takes as long as reading everything
// does, an hour at most.
func (s *Store) CheckData() error {
	if s.isClosed() {
		return host.ErrClosed
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	groups, err := s.listGroups(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range groups {
		if err := s.checkGroup(ctx, g); err != nil {
			errs = append(errs, fmt.Errorf("group %q: %w", g, err))
		}
	}
	for _, t := range append(slices.Clone(s.tables), s.bodies) {
		errs = append(errs, s.checkTable(ctx, t))
	}
	return errors.Join(errs...)
}

func (s *Store) checkStreams() error {
	if s.isClosed() {
		return host.ErrClosed
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	groups, err := s.listGroups(ctx)
	if err != nil {
		return err
	}
	var configs []streamConfig
	for _, t := range append(slices.Clone(s.tables), s.bodies) {
		configs = append(configs, s.tableConfig(t.stream, t.root+".>"))
	}
	for _, g := range groups {
		configs = append(configs, s.groupConfig(g))
	}
	return each(configs, 8, func(c streamConfig) error {
		found, err := s.info(ctx, c.Name, "")
		if err != nil {
			return fmt.Errorf("stream %s: %w", c.Name, err)
		}
		return checkStream(found, c)
	})
}

// listGroups returns the groups that have a stream, sorted.
func (s *Store) listGroups(ctx context.Context) (all []host.GroupName, err error) {
	streams, err := s.listStreams(ctx)
	for _, name := range streams {
		if text, ok := strings.CutPrefix(name, s.names.groupStreams()); ok {
			if g, err := decodeGroup(text); err == nil {
				all = append(all, g)
			}
		}
	}
	slices.Sort(all)
	return all, err
}

// listStreams returns the names of our streams.
func (s *Store) listStreams(ctx context.Context) (all []string, err error) {
	for {
		request := struct {
			Offset  int    `json:"offset"`
			Subject string `json:"subject"`
		}{len(all), string(s.names) + ".>"}
		var page struct {
			Streams []string `json:"streams"`
			Total   int      `json:"total"`
		}
		if err := s.call(ctx, "STREAM.NAMES", request, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Streams...); len(page.Streams) == 0 || len(all) >= page.Total {
			return all, nil
		}
	}
}

// checkGroup reads all messages of a group.
func (s *Store) checkGroup(ctx context.Context, name host.GroupName) error {
	v, err := s.view(ctx, name)
	if err != nil {
		return err
	}
	if err := v.State.Check(); err != nil {
		return err
	}
	ids := func(yield func(host.ID) bool) {
		for r := range v.Stored(host.Range{First: 1, Last: v.Last}) {
			for id := r.First; id <= r.Last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
	var faults []error
	var newest host.Message
	for f, err := range s.fetch(ctx, name, ids) {
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		err := f.err
		switch {
		case err != nil:
		case f.Time.Before(newest.Time):
			err = fmt.Errorf("message %d: its time is out of order", f.ID)
		case f.ID < f.label.first || f.ID > f.label.last() || f.label.last() > v.Last:
			err = fmt.Errorf("message %d: its addition has the ids %d to %d", f.ID, f.label.first, f.label.last())
		default:
			newest = f.Message
			if _, wrong := host.CheckData(f.Data); wrong != nil {
				err = fmt.Errorf("message %d: %w", f.ID, wrong)
			}
		}
		if err != nil {
			if faults = append(faults, err); len(faults) == maxFaults {
				return errors.Join(append(faults, errors.New("perhaps there are more"))...)
			}
		}
	}
	return errors.Join(faults...)
}

// checkTable reads all cells of a table.
func (s *Store) checkTable(ctx context.Context, t *table) error {
	subjects, last, err := s.subjects(ctx, t.stream, t.root+".>")
	if err != nil {
		return fmt.Errorf("stream %s: %w", t.stream, err)
	}
	var errs []error
	for some := range slices.Chunk(subjects, maxPage) {
		cells := slices.DeleteFunc(slices.Clone(some), func(subject string) bool {
			return strings.Count(subject, ".") != parts(strings.TrimPrefix(subject, t.root+"."))+strings.Count(t.root, ".")
		})
		found, err := s.lastOf(ctx, t.stream, cells, last, nil)
		if err != nil {
			return err
		}
		for _, subject := range cells {
			if m := found[subject]; m != nil {
				errs = append(errs, s.checkCell(ctx, t, m))
			}
		}
	}
	return errors.Join(errs...)
}

// parts is how many parts the key of a cell has; its pieces have more.
func parts(key string) int {
	switch key[0] {
	case 's', 'h', 'c':
		return 2
	case 'j':
		return 5
	}
	return 3
}

// checkCell looks at one cell.
func (s *Store) checkCell(ctx context.Context, t *table, m *stored) error {
	c, err := t.decode(m)
	if err != nil || c.gone {
		return err
	}
	if err = t.complete(ctx, c); err == nil {
		switch c.key[0] {
		case 's':
			_, err = s.decodeState(c.value)
		case 'h':
			_, err = decodeHead(c.value)
		case 'j':
			_, err = decodeEntry(c)
		case 'b':
			var sum host.Sum
			if n, _ := hex.Decode(sum[:], []byte(c.key[strings.LastIndexByte(c.key, '.')+1:])); n != len(sum) {
				err = errMalformed
			} else {
				_, err = s.unpackBody(ctx, c, sum)
			}
		case 'l':
			if _, _, err = decodeLarge(c.value); err == nil {
				_, err = t.readPieces(ctx, c.key, c.named, c.named, c.pieces, c.seq)
			}
		}
	}
	if errors.Is(err, host.ErrDamaged) {
		// It may have been changed or deleted since it was listed.
		if now, again := t.load(ctx, c.key); again == nil && now.seq != c.seq {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s of the stream %s: %w", m.subject, t.stream, err)
	}
	return nil
}
