package host

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Sizes of batches and messages.
const (
	// DefaultFetch is how many messages a fetch hands out unless told
	// otherwise; Haplo's number.
	DefaultFetch = 16
	// MaxFetch is the most that one fetch hands out.
	MaxFetch = 1000
	// MaxBatchBytes is up to how many bytes of data a batch holds, unless its
	// first message alone is larger: 16 MiB.
	MaxBatchBytes = 16 << 20
	// MaxMessageBytes is the largest message: 4 MiB.
	MaxMessageBytes = 4 << 20
	// MaxAddition is the most messages in one request to add, and
	// MaxAdditionBytes the longest such request: 16 MiB.
	MaxAddition      = 10_000
	MaxAdditionBytes = 16 << 20
	// MaxKeyBytes is the longest idempotency key.
	MaxKeyBytes = 255
)

// Exchange takes messages in and hands them out. It holds nothing itself and is
// safe for concurrent use.
type Exchange struct {
	Store      Store
	Queues     *Queues
	Tokens     *Tokens
	Formatters Formatters
	// Deliveries keeps the record of what is fetched and marked; if it is nil
	// there is none.
	Deliveries *Deliveries
	// Faults gets fetches around messages that a plugin can't format; if it is nil
	// they fail.
	Faults *Faults
	// Refused is told of messages that a receiver rejected, once each; it must be
	// quick, and may be nil.
	Refused func(Refusal)
	// Observer is told what happens; it may be nil.
	Observer Observer
}

// Observer is told what an Exchange has done. It must be quick, and safe for
// concurrent use.
type Observer interface {
	// Added: messages of a group were committed.
	Added(g GroupName, messages int)
	// Fetched: a document was made of a group's messages or, if err is set,
	// could not be.
	Fetched(g GroupName, f Fetched, err error)
	// Marked: that many messages of a group became read.
	Marked(g GroupName, messages uint64)
}

// Fetched is a batch as it leaves the building.
type Fetched struct {
	Group GroupName
	// Delivery is the id of its record; see Delivery. A batch of no messages has
	// one, but is not recorded.
	Delivery string
	Token    Token
	IDs      Ranges
	// Unread counts the group's unread messages, those of the batch included.
	Unread   uint64
	Document Document
	// SHA256 is the digest of Document.Body.
	SHA256 Sum
	// Request is how the plugin of a send queue wants it sent.
	Request HTTPRequest
}

// AddRequest is what a producer sends.
type AddRequest struct {
	Group GroupName
	// Body is one JSON value, or NDJSON if Lines is true. It must not change
	// until Add returns.
	Body  []byte
	Lines bool
	// Key is the idempotency key; see Addition. It may be empty.
	Key string
	// ByHand is the name of the person who adds it, if one does.
	ByHand string
}

// Add commits messages to a group and returns their ids. They are on disk when
// it returns. It fails with ErrUnknownGroup, ErrBadData, ErrTooLarge,
// ErrKeyReused or an error of the store, and then nothing was added.
func (x *Exchange) Add(ctx context.Context, r AddRequest) ([]ID, error) {
	if _, err := x.Queues.Queue(r.Group); err != nil {
		return nil, err
	}
	if r.ByHand != "" {
		r.Key = byHand(r.ByHand, r.Key)
	} else if strings.HasPrefix(r.Key, reservedKey) {
		return nil, &DataError{Reason: fmt.Sprintf("idempotency keys that begin with %q are reserved", reservedKey)}
	}
	if err := checkKey(r.Key); err != nil {
		return nil, err
	}
	a := Addition{Group: r.Group, Key: r.Key}
	if r.Lines {
		all, err := CheckLines(r.Body)
		if err != nil {
			return nil, err
		}
		a.Data = all
	} else {
		data, err := CheckData(r.Body)
		if err != nil {
			return nil, err
		}
		a.Data = []json.RawMessage{data}
	}
	for i, data := range a.Data {
		if len(data) > MaxMessageBytes {
			return nil, fmt.Errorf("%w: message %d has %d bytes, at most %d are allowed", ErrTooLarge, i+1, len(data), MaxMessageBytes)
		}
	}
	ids, err := x.Store.Append(ctx, a)
	if err == nil && x.Observer != nil {
		x.Observer.Added(r.Group, len(ids))
	}
	return ids, err
}

func checkKey(key string) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("%w: the idempotency key has %d bytes, at most %d are allowed", ErrTooLarge, len(key), MaxKeyBytes)
	}
	if strings.ContainsFunc(key, notHeaderText) {
		return &DataError{Reason: "the idempotency key has characters outside printable ASCII"}
	}
	return nil
}

// Fetch formats the oldest unread messages of a poll queue, at most limit. It
// changes nothing: the same messages come again until they are marked. An
// empty queue gives a document of an empty batch. If the plugin fails over the
// messages, what becomes of those at fault is up to Faults: they may be held, or
// fewer handed out. By is for the record.
func (x *Exchange) Fetch(ctx context.Context, g GroupName, limit int, by Caller) (Fetched, error) {
	q, err := x.pollQueue(g)
	if err != nil {
		return Fetched{}, err
	}
	f, err := x.fetch(ctx, q, limit)
	if err == nil && x.Deliveries != nil && f.IDs.Count() > 0 {
		err = x.Deliveries.record(ctx, f, by)
	}
	if x.Observer != nil && ctx.Err() == nil {
		x.Observer.Fetched(g, f, err)
	}
	return f, err
}

func (x *Exchange) fetch(ctx context.Context, q Queue, limit int) (Fetched, error) {
	f, _, err := x.fetchBatch(ctx, q, limit, MaxBatchBytes)
	return f, err
}

func (x *Exchange) fetchBatch(ctx context.Context, q Queue, limit, maxBytes int) (Fetched, Batch, error) {
	guard := x.Faults.guard(q, limit)
	for {
		b, unread, err := x.take(ctx, q.Group, guard.limit, maxBytes)
		if err != nil {
			return Fetched{}, Batch{}, err
		}
		document, err := guard.format(ctx, b, x.format)
		if errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return Fetched{}, Batch{}, err
		}
		sum := Sum(sha256.Sum256(document.Body))
		return Fetched{
			Group:    q.Group,
			Delivery: deliveryID(batchKey(q.Group, b.Token), sum),
			Token:    b.Token,
			IDs:      b.IDs(),
			Unread:   unread,
			Document: document,
			SHA256:   sum,
		}, b, nil
	}
}

// take returns the oldest unread messages as a batch, and how many are unread.
func (x *Exchange) take(ctx context.Context, g GroupName, limit, maxBytes int) (b Batch, unread uint64, err error) {
	for {
		b = Batch{Group: g}
		if b.Messages, err = x.Store.Unread(ctx, g, limit, maxBytes); err != nil {
			return Batch{}, 0, err
		}
		var counts Counts
		var uncounted error
		var wait sync.WaitGroup
		wait.Go(func() { counts, uncounted = x.Store.Counts(ctx, g) }) // both may take a while
		var still bool
		still, err = x.Store.StillUnread(ctx, g, b.IDs())
		wait.Wait()
		switch {
		case err != nil:
			return Batch{}, 0, err
		case uncounted != nil:
			return Batch{}, 0, uncounted
		case still:
			b.Token = x.Tokens.Seal(g, b.IDs())
			return b, counts.Unread, nil
		}
	}
}

// awaitAgain is how often Await looks without a hint: one from another daemon may be
// lost on its way.
const awaitAgain = 10 * time.Second

// Await returns when the group has an unread message or ctx has ended, and
// never fails for the latter.
func (x *Exchange) Await(ctx context.Context, g GroupName) error {
	if _, err := x.pollQueue(g); err != nil {
		return err
	}
	changed, stop := x.Store.Watch(g)
	defer stop()
	var again <-chan time.Time
	if IsShared(x.Store) {
		tick := time.NewTicker(awaitAgain)
		defer tick.Stop()
		again = tick.C
	}
	for {
		counts, err := x.Store.Counts(ctx, g)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || counts.Unread > 0 {
			return err
		}
		select {
		case <-changed:
		case <-again:
		case <-ctx.Done():
			return nil
		}
	}
}

// PreviewToken stands in for the token of a preview; it can't be marked.
const PreviewToken Token = "preview"

// Preview formats the given messages as Fetch would, whatever their status, and
// changes nothing. It fails with ErrNoMessage if one does not exist.
func (x *Exchange) Preview(ctx context.Context, g GroupName, ids Ranges) (Document, error) {
	return x.preview(ctx, g, ids, PreviewToken)
}

func (x *Exchange) preview(ctx context.Context, g GroupName, ids Ranges, t Token) (Document, error) {
	q, err := x.Queues.Queue(g)
	if err != nil {
		return Document{}, err
	}
	if ids.Count() > MaxFetch {
		return Document{}, fmt.Errorf("%w: %d messages in one preview, at most %d are allowed", ErrTooLarge, ids.Count(), MaxFetch)
	}
	b := Batch{Group: g, Token: t}
	for id := range ids.IDs() {
		m, err := x.Store.Message(ctx, g, id)
		if err != nil {
			return Document{}, err
		}
		b.Messages = append(b.Messages, m.Message)
	}
	return x.format(ctx, q, b)
}

// MakeUnread hands messages out again, each in its old place, and returns how
// many were read or held before. Ids without a message are passed over.
func (x *Exchange) MakeUnread(ctx context.Context, g GroupName, ids Ranges) (moved uint64, after Counts, err error) {
	if _, err := x.Queues.Queue(g); err != nil {
		return 0, Counts{}, err
	}
	return x.Store.Move(ctx, g, ids, Unread)
}

// Hold keeps messages back until MakeUnread releases them, and returns how many
// were unread or read before. Ids without a message are passed over.
func (x *Exchange) Hold(ctx context.Context, g GroupName, ids Ranges) (moved uint64, after Counts, err error) {
	if _, err := x.Queues.Queue(g); err != nil {
		return 0, Counts{}, err
	}
	return x.Store.Move(ctx, g, ids, Held)
}

// Prune deletes the read messages that were added before a time and returns
// how many. It works in small steps, so that adding goes on meanwhile.
func (x *Exchange) Prune(ctx context.Context, g GroupName, before time.Time) (pruned uint64, err error) {
	const step = 1000
	if _, err := x.Queues.Queue(g); err != nil {
		return 0, err
	}
	for {
		n, err := x.Store.Prune(ctx, g, before, step)
		pruned += n
		if err != nil || n < step {
			return pruned, err
		}
	}
}

func (x *Exchange) pollQueue(g GroupName) (Queue, error) {
	q, err := x.Queues.Queue(g)
	if err == nil && q.Method != Poll {
		err = fmt.Errorf("%w: %q has the method %q", ErrWrongMethod, g, q.Method)
	}
	return q, err
}

func (x *Exchange) format(ctx context.Context, q Queue, b Batch) (Document, error) {
	if !q.Formats {
		return WriteDefault(b)
	}
	d, err := x.Formatters.WriteMessages(ctx, q.Plugin, b)
	if err = checked(q, d, err); err != nil {
		return Document{}, err
	}
	return d, nil
}

// checked returns why there is no document that can be handed out.
func checked(q Queue, d Document, err error) error {
	if err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		const reason = "it wrote a document that can't be handed out"
		return &UnavailableError{Plugin: q.Plugin, Reason: reason, Detail: err.Error(), Failed: reason + ": " + err.Error()}
	}
	return nil
}
