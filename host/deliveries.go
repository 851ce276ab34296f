package host

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxRecording is how many deliveries may wait for their commit; a fetch
	// beyond them waits as well.
	maxRecording = 64
	// maxRemembered is how many batches are remembered that were fetched and not
	// marked yet, so that fetching them again costs no write.
	maxRemembered = 10_000
	// maxEvents is how many entries of one batch are looked at.
	maxEvents = 10_000
)

// Deliveries keeps the record of what left the building. It is safe for
// concurrent use.
type Deliveries struct {
	store interface {
		Journals
		Bodies
	}
	now func() time.Time
	// failed is told of a delivery that could not be recorded.
	failed func(Delivery, error)

	slots chan struct{}
	busy  sync.WaitGroup

	mu      sync.Mutex
	batches map[string]*openBatch // by batchKey: fetched, and not marked
}

// openBatch is a batch that was fetched and not marked yet.
type openBatch struct {
	group    GroupName
	recorded chan struct{} // closed when what was fetched first is on disk
	again    map[string]*deliveryAgain
}

// NewDeliveries returns the record of deliveries in a store. Failed is told of
// what could not be recorded; it may be nil.
func NewDeliveries(store Store, now func() time.Time, failed func(Delivery, error)) *Deliveries {
	if failed == nil {
		failed = func(Delivery, error) {}
	}
	return &Deliveries{store: store, now: now, failed: failed, slots: make(chan struct{}, maxRecording), batches: map[string]*openBatch{}}
}

// record notes a fetch. What is new is written in the background: Mark waits for
// it. The body must not change any more. It fails only if ctx ends.
func (d *Deliveries) record(ctx context.Context, f Fetched, by Caller) error {
	batch, id := batchOf(f.Delivery), f.Delivery
	now := d.now().UTC()
	d.mu.Lock()
	open := d.batches[batch]
	if open != nil {
		if a := open.again[id]; a != nil {
			a.Times, a.Last, a.By = a.Times+1, now, by
			d.mu.Unlock()
			return nil
		}
	}
	d.mu.Unlock()
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	recorded := make(chan struct{})
	d.mu.Lock()
	before := d.remember(batch, f.Group, id, recorded)
	d.mu.Unlock()
	delivery := d.delivery(f, by)
	d.busy.Go(func() {
		defer func() { <-d.slots }()
		defer close(recorded)
		if before != nil {
			<-before // one after the other, so that none is recorded twice
		}
		if err := d.write(context.WithoutCancel(ctx), batch, delivery, f.SHA256, f.Document.Body); err != nil {
			d.failed(delivery, err)
			d.forget(batch, id)
		}
	})
	return nil
}

// keep notes a batch that is to be sent, and returns when its record and its bytes
// are on disk.
func (d *Deliveries) keep(ctx context.Context, f Fetched, by Caller) error {
	delivery := d.delivery(f, by)
	if err := d.write(ctx, batchOf(f.Delivery), delivery, f.SHA256, f.Document.Body); err != nil {
		return fmt.Errorf("record delivery %s of %q: %w", delivery.ID, f.Group, err)
	}
	return nil
}

// delivery is what is recorded of a fetch that happens now.
func (d *Deliveries) delivery(f Fetched, by Caller) Delivery {
	now := d.now().UTC()
	return Delivery{
		ID: f.Delivery, Group: f.Group, IDs: f.IDs.String(), Count: f.IDs.Count(), SHA256: hex.EncodeToString(f.SHA256[:]), Size: len(f.Document.Body),
		ContentType: f.Document.ContentType, Filename: f.Document.Filename, Origin: f.Document.Origin,
		First: now, Last: now, By: by, Fetches: 1,
	}
}

// remember notes that a delivery is being recorded, and returns what must be
// recorded before it, if anything; d.mu is held.
func (d *Deliveries) remember(batch string, g GroupName, id string, recorded chan struct{}) (before chan struct{}) {
	open := d.batches[batch]
	if open == nil {
		if len(d.batches) >= maxRemembered {
			for old := range d.batches { // any: it costs a write when it comes again
				delete(d.batches, old)
				break
			}
		}
		open = &openBatch{group: g, again: map[string]*deliveryAgain{}}
		d.batches[batch] = open
	}
	before, open.recorded = open.recorded, recorded
	open.again[id] = &deliveryAgain{ID: id}
	return before
}

// forget has a delivery recorded the next time that it is fetched.
func (d *Deliveries) forget(batch, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open := d.batches[batch]; open != nil {
		delete(open.again, id)
	}
}

// write keeps the body and then the record, unless an earlier run of the daemon
// has.
func (d *Deliveries) write(ctx context.Context, batch string, delivery Delivery, sum Sum, body []byte) error {
	bodyErr := d.store.PutBody(ctx, delivery.Group, sum, body)
	known, err := d.batch(ctx, delivery.Group, batch)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.ID == delivery.ID {
			again := deliveryAgain{ID: k.ID, Times: 1, Last: delivery.Last, By: delivery.By}
			return errors.Join(bodyErr, d.append(ctx, delivery.Group, batch, deliveryEvent{Again: &again}))
		}
	}
	return errors.Join(bodyErr, d.first(ctx, batch, delivery))
}

// first appends what is new: the record after the index, which may name a delivery
// that there is not, but must not lack one.
func (d *Deliveries) first(ctx context.Context, batch string, delivery Delivery) error {
	ids, err := delivery.Messages()
	if err != nil {
		return err
	}
	entries, err := carriedEntries(delivery.Group, ids, delivery.ID)
	if err != nil {
		return err
	}
	record, err := deliveryEntry(delivery.Group, batch, deliveryEvent{Fetched: &delivery})
	if err != nil {
		return err
	}
	return d.store.AppendEntries(ctx, append(entries, record)...)
}

func (d *Deliveries) append(ctx context.Context, g GroupName, batch string, event deliveryEvent) error {
	entry, err := deliveryEntry(g, batch, event)
	if err != nil {
		return err
	}
	return d.store.AppendEntries(ctx, entry)
}

// settle waits until what was fetched of a batch is on disk, and writes how often
// it was fetched again. What is to be marked is recorded then, or was told to be
// lost.
func (d *Deliveries) settle(ctx context.Context, g GroupName, batch string) error {
	d.mu.Lock()
	open := d.batches[batch]
	var recorded chan struct{}
	if open != nil {
		recorded = open.recorded
	}
	d.mu.Unlock()
	if recorded == nil {
		return nil
	}
	select {
	case <-recorded:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, again := range d.takeAgain(batch) {
		if err := d.append(ctx, g, batch, deliveryEvent{Again: &again}); err != nil {
			d.failed(Delivery{ID: again.ID, Group: g}, err)
		}
	}
	return nil
}

// takeAgain returns the counts of a batch that were not written yet, and zeroes
// them.
func (d *Deliveries) takeAgain(batch string) (all []deliveryAgain) {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := d.batches[batch]
	if open == nil {
		return nil
	}
	for id, a := range open.again {
		if a.Times > 0 {
			all = append(all, *a)
			open.again[id] = &deliveryAgain{ID: id}
		}
	}
	return all
}

// deliveryEntry returns an entry of a batch.
func deliveryEntry(g GroupName, batch string, event deliveryEvent) (JournalEntry, error) {
	value, err := json.Marshal(event)
	return JournalEntry{Journal: deliveryJournal(g), Entry: Entry{Key: batch, Value: value}}, err
}

// marked forgets a batch that is done with.
func (d *Deliveries) marked(batch string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.batches, batch)
}

// Flush waits until what was fetched by now is on disk, and writes how often
// batches were fetched again. Call it now and then, also while more is fetched.
func (d *Deliveries) Flush(ctx context.Context) error {
	d.mu.Lock()
	open := make(map[string]openBatch, len(d.batches))
	for batch, o := range d.batches {
		open[batch] = *o
	}
	d.mu.Unlock()
	var errs []error
	for batch, o := range open {
		select {
		case <-o.recorded:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, again := range d.takeAgain(batch) {
			errs = append(errs, d.append(ctx, o.group, batch, deliveryEvent{Again: &again}))
		}
	}
	return errors.Join(errs...)
}

// Close waits until nothing is being written, and flushes. It fails if it can't write
// how often batches were fetched again. Nothing may be fetched any more, and the
// store must still be open.
func (d *Deliveries) Close(ctx context.Context) error {
	d.busy.Wait()
	return d.Flush(ctx)
}

// batch returns the deliveries of a batch.
func (d *Deliveries) batch(ctx context.Context, g GroupName, batch string) ([]ListedDelivery, error) {
	entries, err := d.store.EntriesOf(ctx, deliveryJournal(g), batch, maxEvents)
	if err != nil {
		return nil, err
	}
	return fold(entries)
}

// ListedDelivery is a delivery and its place in the list.
type ListedDelivery struct {
	// Number is what to list on from.
	Number uint64 `json:"number"`
	Delivery
}

// List returns the deliveries of a group newest first by their first fetch, from
// the newest one with a number below before, or from the newest of all if before
// is 0.
func (d *Deliveries) List(ctx context.Context, g GroupName, before uint64, limit int) ([]ListedDelivery, error) {
	const step = 256 // most entries may be of marks
	var all []ListedDelivery
	seen := map[string][]ListedDelivery{} // by batch
	for {
		entries, err := d.store.Entries(ctx, deliveryJournal(g), before, step)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		for _, e := range entries {
			before = e.Number
			var event deliveryEvent
			if err := json.Unmarshal(e.Value, &event); err != nil {
				return nil, fmt.Errorf("%w: entry %d: %w", ErrDamaged, e.Number, err)
			}
			if event.Fetched == nil {
				continue
			}
			if len(all) == limit {
				return all, nil
			}
			if _, ok := seen[e.Key]; !ok {
				if seen[e.Key], err = d.batch(ctx, g, e.Key); err != nil {
					return nil, err
				}
			}
			for _, delivery := range seen[e.Key] {
				if delivery.Number == e.Number {
					all = append(all, delivery)
				}
			}
		}
	}
}

// Delivery returns one delivery of a group, or ErrNoRecord.
func (d *Deliveries) Delivery(ctx context.Context, g GroupName, id string) (Delivery, error) {
	found, err := d.find(ctx, g, id)
	return found.Delivery, err
}

func (d *Deliveries) find(ctx context.Context, g GroupName, id string) (ListedDelivery, error) {
	all, err := d.batch(ctx, g, batchOf(id))
	if err != nil {
		return ListedDelivery{}, err
	}
	for _, delivery := range all {
		if delivery.ID == id {
			return delivery, nil
		}
	}
	return ListedDelivery{}, fmt.Errorf("delivery %q of %q: %w", id, g, ErrNoRecord)
}

// Body returns the very bytes of a delivery. It fails with ErrNoBody if they are
// not kept any more.
func (d *Deliveries) Body(ctx context.Context, delivery Delivery) ([]byte, error) {
	sum, err := delivery.Sum()
	if err != nil {
		return nil, err
	}
	return d.store.Body(ctx, delivery.Group, sum)
}

// DefaultRecords is for how long records of deliveries are kept: ten years.
const DefaultRecords = 3653 * 24 * time.Hour

// Retention says how long deliveries are kept. Zero means the default.
type Retention struct {
	// Records is for how long the record is kept: DefaultRecords if 0.
	Records time.Duration
	// Bodies is for how long after its last fetch a body is kept: 400 days if 0.
	Bodies time.Duration
	// BodyBytes is how many bytes the bodies of one group have at most, compressed:
	// 10 GiB if 0. The oldest go first.
	BodyBytes int64
}

// Prune deletes what is older than the retention of a group, in small steps.
func (d *Deliveries) Prune(ctx context.Context, g GroupName, r Retention) (entries, bodies int, err error) {
	const step = 500
	const day = 24 * time.Hour
	if r.Records == 0 {
		r.Records = DefaultRecords
	}
	if r.Bodies == 0 {
		r.Bodies = 400 * day
	}
	if r.BodyBytes == 0 {
		r.BodyBytes = 10 << 30
	}
	for done := false; !done; {
		e, err := d.store.PruneEntries(ctx, deliveryJournal(g), d.now().Add(-r.Records), step)
		if entries += e; err != nil {
			return entries, bodies, err
		}
		c, err := d.store.PruneEntries(ctx, carriedJournal(g), d.now().Add(-r.Records), step)
		if err != nil {
			return entries, bodies, err
		}
		b, err := d.store.PruneBodies(ctx, g, d.now().Add(-r.Bodies), r.BodyBytes, step)
		if bodies += b; err != nil {
			return entries, bodies, err
		}
		done = e < step && c < step && b < step
	}
	return entries, bodies, nil
}
