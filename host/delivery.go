package host

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Origin is the version of a plugin that wrote a document; zero for the default
// format.
type Origin struct {
	Plugin  string `json:"plugin,omitempty"`
	Version string `json:"version,omitempty"`
	// Digest is the SHA-256 of the plugin's file, in hex.
	Digest string `json:"digest,omitempty"`
}

// Caller is who calls, for the record.
type Caller struct {
	// Key is the id of the API key, and Address the other end of the connection;
	// both may be empty.
	Key     string `json:"key,omitempty"`
	Address string `json:"address,omitempty"`
}

// Delivery is the record of one batch as it left the building. The same bytes for
// the same messages are one delivery, however often they were fetched.
type Delivery struct {
	// ID names the batch and the bytes.
	ID    string    `json:"id"`
	Group GroupName `json:"group"`
	// IDs are the messages, and Count how many they are.
	IDs   string `json:"ids"`
	Count uint64 `json:"count"`
	// SHA256 is the digest of the body in hex, and Size its length in bytes.
	SHA256      string `json:"sha256"`
	Size        int    `json:"size"`
	ContentType string `json:"contentType"`
	Filename    string `json:"filename,omitempty"`
	Origin
	// First and Last are when it was first and last fetched, By who did last, and
	// Fetches how often, as far as it was written down.
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	By      Caller    `json:"by"`
	Fetches uint64    `json:"fetches"`
	// Marked is when its messages were marked read, zero if they were not, and
	// MarkedBy who did. A batch that was written in two ways is marked in both,
	// as the token does not tell them apart.
	Marked   time.Time `json:"marked,omitzero"`
	MarkedBy Caller    `json:"markedBy,omitzero"`
	// Rejected is when its receiver first rejected messages of it, zero if it did
	// not, RejectedBy who did, and Rejections which. These were held instead.
	Rejected   time.Time   `json:"rejected,omitzero"`
	RejectedBy Caller      `json:"rejectedBy,omitzero"`
	Rejections []Rejection `json:"rejections,omitempty"`
}

// Messages returns the messages; none if the document is that of an empty queue.
func (d Delivery) Messages() (Ranges, error) {
	if d.Count == 0 && d.IDs == "" {
		return Ranges{}, nil
	}
	return ParseRanges(d.IDs)
}

// Sum returns the digest of the body.
func (d Delivery) Sum() (sum Sum, err error) {
	if n, err := hex.Decode(sum[:], []byte(d.SHA256)); err != nil || n != len(sum) {
		return sum, fmt.Errorf("%w: delivery %s has a malformed digest", ErrDamaged, d.ID)
	}
	return sum, nil
}

// refuse adds what a receiver said, the first of it for each message.
func (d *Delivery) refuse(at time.Time, r deliveryRefused) {
	if d.Rejected.IsZero() {
		d.Rejected, d.RejectedBy = at, r.By
	}
	known := idsOf(d.Rejections)
	for _, rejection := range r.Rejections {
		if known.Add(Range{rejection.ID, rejection.ID}) > 0 {
			d.Rejections = append(d.Rejections, rejection)
		}
	}
}

// deliveryJournal is the journal of a group's deliveries. The key of an entry
// names a batch.
func deliveryJournal(g GroupName) string { return "deliveries/" + string(g) }

var lower32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// batchKey names a batch: the messages of a token.
func batchKey(g GroupName, t Token) string {
	sum := sha256.Sum256([]byte(string(g) + "\x00" + string(t)))
	return strings.ToLower(lower32.EncodeToString(sum[:10]))
}

// deliveryID names a batch and the bytes that were made of it.
func deliveryID(batch string, sum Sum) string { return batch + "-" + hex.EncodeToString(sum[:4]) }

// batchOf returns the name of the batch of a delivery.
func batchOf(id string) string {
	batch, _, _ := strings.Cut(id, "-")
	return batch
}

// deliveryEvent is an entry of the journal: one of its fields is set.
type deliveryEvent struct {
	// Fetched is a delivery that was not recorded before.
	Fetched *Delivery `json:"fetched,omitempty"`
	// Again counts more fetches of a delivery.
	Again *deliveryAgain `json:"again,omitempty"`
	// Marked is by whom the batch was marked.
	Marked *Caller `json:"marked,omitempty"`
	// Refused are messages of the batch that its receiver rejected.
	Refused *deliveryRefused `json:"refused,omitempty"`
}

type deliveryRefused struct {
	By         Caller      `json:"by"`
	Rejections []Rejection `json:"rejections"`
}

type deliveryAgain struct {
	ID    string    `json:"id"`
	Times uint64    `json:"times"`
	Last  time.Time `json:"last"`
	By    Caller    `json:"by"`
}

// fold makes the deliveries of a batch out of its entries, oldest first. Two
// daemons may have recorded the same one at the same time. What one is answered may
// come before the delivery, which another is still recording.
func fold(entries []Entry) ([]ListedDelivery, error) {
	var all []ListedDelivery
	var answers []deliveryAnswer
	for _, e := range entries {
		var event deliveryEvent
		if err := json.Unmarshal(e.Value, &event); err != nil {
			return nil, fmt.Errorf("%w: entry %d of a journal of deliveries: %w", ErrDamaged, e.Number, err)
		}
		if f := event.Fetched; f != nil {
			if slices.ContainsFunc(all, func(d ListedDelivery) bool { return d.ID == f.ID }) {
				event.Again = &deliveryAgain{ID: f.ID, Times: f.Fetches, Last: f.Last, By: f.By}
			} else {
				began := f.First
				if len(all) == 0 { // so that is what was answered; the clocks differ
					began = began.Add(-clockSkew)
				}
				fresh := ListedDelivery{Number: e.Number, Delivery: *f}
				for _, a := range answers {
					if began.Before(a.at) {
						a.apply(&fresh.Delivery)
					}
				}
				all = append(all, fresh)
			}
		}
		answer := deliveryAnswer{e.Time, event.Marked, event.Refused}
		answers = append(answers, answer)
		for i := range all {
			d := &all[i].Delivery
			if a := event.Again; a != nil && a.ID == d.ID {
				d.Fetches, d.Last, d.By = d.Fetches+a.Times, a.Last, a.By
			}
			answer.apply(d)
		}
	}
	return all, nil
}

// deliveryAnswer is what a receiver said of a batch, if anything.
type deliveryAnswer struct {
	at      time.Time
	marked  *Caller
	refused *deliveryRefused
}

func (a deliveryAnswer) apply(d *Delivery) {
	if a.marked != nil && d.Marked.IsZero() {
		d.Marked, d.MarkedBy = a.at, *a.marked
	}
	if a.refused != nil {
		d.refuse(a.at, *a.refused)
	}
}
