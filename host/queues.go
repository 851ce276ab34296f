package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Queue is what is known of a group.
type Queue struct {
	Group       GroupName `json:"group"`
	Method      Method    `json:"method"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	// Schedule is the plugin's default for a send group, as cron text.
	Schedule string `json:"schedule,omitempty"`
	// Plugin is the name of the plugin that the group belongs to; empty for
	// a group that only the configuration declares.
	Plugin string `json:"plugin,omitempty"`
	// Formats says that the plugin writes the documents; if not, the default
	// format is used.
	Formats bool `json:"formats,omitempty"`
	// FormatsRequest says that the plugin says how the documents are sent.
	FormatsRequest bool `json:"formatsRequest,omitempty"`
	// File is the plugin's file name, so that the group keeps its owner while
	// the plugin can't say who it is.
	File string `json:"file,omitempty"`
	// Released is set when the operator has given the group up for another
	// plugin to take. Until one does, it is still its plugin's.
	Released bool `json:"released,omitempty"`
}

const queueBucket = "queues"

// Queues knows every group that was ever declared, by a plugin or by the
// configuration. Groups are remembered in the store and never forgotten, so
// that they accept messages while their plugin is missing or broken. Where the
// store is shared, what other daemons declare is known after Refresh. It is safe
// for concurrent use.
type Queues struct {
	records    Records
	shared     bool
	writing    sync.Mutex // held while records are changed, or read
	mu         sync.RWMutex
	remembered map[GroupName]Record
	configured map[GroupName]Queue
	effective  map[GroupName]Queue
}

// OpenQueues reads the remembered groups. The configured ones are added to
// them; where a plugin declares the same group, a method, title or description
// of the configuration wins.
func OpenQueues(ctx context.Context, records Records, configured []Queue) (*Queues, error) {
	q := &Queues{
		records:    records,
		shared:     IsShared(records),
		remembered: map[GroupName]Record{},
		configured: map[GroupName]Queue{},
		effective:  map[GroupName]Queue{},
	}
	if _, err := q.read(ctx); err != nil {
		return nil, err
	}
	if err := q.Configure(ctx, configured); err != nil {
		return nil, err
	}
	return q, nil
}

// read takes over all records, and tells whether any has changed.
func (q *Queues) read(ctx context.Context) (changed bool, err error) {
	q.writing.Lock()
	defer q.writing.Unlock()
	all, err := q.records.Records(ctx, queueBucket)
	if err != nil {
		return false, fmt.Errorf("read the known queues: %w", err)
	}
	for _, record := range all {
		if record.Revision == q.record(GroupName(record.Key)).Revision {
			continue
		}
		if err := q.set(record); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

// Refresh reads what other daemons have declared or released, if the store is
// shared, and tells whether there was anything. Call it about once a second; what
// plugins were refused may be theirs then.
func (q *Queues) Refresh(ctx context.Context) (changed bool, err error) {
	if !q.shared {
		return false, nil
	}
	return q.read(ctx)
}

// record returns the record of a group as it was last read or written; its
// Revision is 0 if there is none.
func (q *Queues) record(g GroupName) Record {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.remembered[g]
}

// Configure replaces what the configuration says of queues. A queue that it says
// nothing of any more stays, as it was remembered or as its plugin declares it.
func (q *Queues) Configure(ctx context.Context, configured []Queue) error {
	byName := make(map[GroupName]Queue, len(configured))
	for _, c := range configured {
		if err := CheckGroupName(c.Group); err != nil {
			return err
		}
		byName[c.Group] = c
	}
	q.writing.Lock()
	defer q.writing.Unlock()
	for _, c := range configured {
		c.Method = cmp.Or(c.Method, Poll)
		err := q.change(ctx, c.Group, func(known Queue) (Queue, error) {
			if known.Group != "" {
				return known, nil
			}
			return c, nil
		})
		if err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.configured = byName
	for g := range q.remembered {
		q.refresh(g)
	}
	return nil
}

// set takes over a record of the store.
func (q *Queues) set(record Record) error {
	var known Queue
	if err := json.Unmarshal(record.Value, &known); err != nil || known.Group != GroupName(record.Key) {
		return fmt.Errorf("record of queue %q is malformed: %v", record.Key, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remembered[known.Group] = record
	q.refresh(known.Group)
	return nil
}

// refresh works out what holds for a group; q.mu is held, or nobody else
// knows q yet.
func (q *Queues) refresh(g GroupName) {
	var known Queue
	_ = json.Unmarshal(q.remembered[g].Value, &known) // set has checked it
	if c, ok := q.configured[g]; ok {
		known.Method = cmp.Or(c.Method, known.Method)
		known.Title = cmp.Or(c.Title, known.Title)
		known.Description = cmp.Or(c.Description, known.Description)
	}
	q.effective[g] = known
}

// Queue returns what is known of a group, or ErrUnknownGroup.
func (q *Queues) Queue(g GroupName) (Queue, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	known, ok := q.effective[g]
	if !ok {
		return Queue{}, ErrUnknownGroup
	}
	return known, nil
}

// All returns every queue in the order of the names.
func (q *Queues) All() []Queue {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return slices.SortedFunc(maps.Values(q.effective), func(a, b Queue) int { return cmp.Compare(a.Group, b.Group) })
}

// Declare remembers a group of a plugin. It fails with ErrGroupTaken, naming
// the owner, while the group belongs to another plugin and was not released,
// unless succeeds says that d's plugin takes that one's place. A plugin that is
// merely missing keeps its groups: its messages must not leave in the format of
// another without somebody saying so.
func (q *Queues) Declare(ctx context.Context, d Queue, succeeds func(owner Queue) bool) error {
	if err := CheckGroupName(d.Group); err != nil {
		return err
	}
	q.writing.Lock()
	defer q.writing.Unlock()
	return q.change(ctx, d.Group, func(owner Queue) (Queue, error) {
		if owner != d && owner.Plugin != "" && owner.Plugin != d.Plugin && !owner.Released && !succeeds(owner) {
			return owner, fmt.Errorf("%w: %q (file %q)", ErrGroupTaken, owner.Plugin, owner.File)
		}
		return d, nil
	})
}

// Release gives a group up for another plugin to take. It fails with
// ErrUnknownGroup, and does nothing to a group that no plugin has.
func (q *Queues) Release(ctx context.Context, g GroupName) error {
	q.writing.Lock()
	defer q.writing.Unlock()
	return q.change(ctx, g, func(owner Queue) (Queue, error) {
		if owner.Group == "" {
			return owner, ErrUnknownGroup
		}
		owner.Released = owner.Plugin != ""
		return owner, nil
	})
}

// change edits what is remembered of a group, which is zero if nothing is, and
// writes it; q.writing is held. If another daemon was quicker it edits what that
// one has written. So edit may be called again.
func (q *Queues) change(ctx context.Context, g GroupName, edit func(Queue) (Queue, error)) error {
	record := q.record(g)
	for {
		var known Queue
		if record.Revision != 0 {
			_ = json.Unmarshal(record.Value, &known) // set has checked it
		}
		next, err := edit(known)
		if err != nil || next == known {
			return err
		}
		if record.Value, err = json.Marshal(next); err != nil {
			return err
		}
		record.Key = string(g)
		record.Revision, err = q.records.PutRecord(ctx, queueBucket, record)
		if errors.Is(err, ErrConflict) {
			if record, err = q.records.Record(ctx, queueBucket, string(g)); err == nil {
				if err = q.set(record); err != nil {
					return err
				}
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("remember queue %q: %w", g, err)
		}
		return q.set(record)
	}
}
