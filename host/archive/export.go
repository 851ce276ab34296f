package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/restante/restante/host"
)

// ExportOptions says how a store is copied.
type ExportOptions struct {
	// Now is when the archive is made.
	Now time.Time
	// WithoutDamaged leaves messages out that are damaged; else they fail the export.
	WithoutDamaged bool
	// Progress is told how far it is, often; it may be nil.
	Progress func(Progress)
}

// Exported says what an archive has.
type Exported struct {
	Progress
	// Damaged are the messages that were left out.
	Damaged []string `json:"damaged,omitempty"`
}

// Export writes all that a store has. Messages that are added meanwhile may be left
// out, so producers and receivers are to be stopped first if nothing is to be missing.
func Export(ctx context.Context, store host.Copying, w io.Writer, o ExportOptions) (Exported, error) {
	zip, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return Exported{}, err
	}
	e := exporter{store: store, options: o, to: zip, sum: sha256.New()}
	err = e.all(ctx)
	if closed := zip.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Exported{}, fmt.Errorf("export: %w", err)
	}
	return e.done, nil
}

type exporter struct {
	store   host.Copying
	options ExportOptions
	to      io.Writer
	sum     hash.Hash
	done    Exported
}

func (e *exporter) all(ctx context.Context) error {
	has, err := e.store.Inventory(ctx)
	if err != nil {
		return err
	}
	states := map[host.GroupName]host.State{}
	for _, g := range has.Groups {
		state, err := e.store.State(ctx, g)
		if err != nil {
			return err
		}
		states[g] = state
		c := state.Counts()
		e.done.AllMessages += c.Unread + c.Read + c.Held
	}
	if err := e.write(header{Restante: formatName, Version: formatVersion, Made: e.options.Now.UTC(), Messages: e.done.AllMessages}); err != nil {
		return err
	}
	for _, g := range has.Groups {
		if err := e.group(ctx, g, states[g]); err != nil {
			return fmt.Errorf("group %q: %w", g, err)
		}
	}
	for _, b := range has.Buckets {
		if err := e.bucket(ctx, b); err != nil {
			return err
		}
	}
	for _, g := range has.Bodies {
		if err := e.bodies(ctx, g); err != nil {
			return fmt.Errorf("bodies of %q: %w", g, err)
		}
	}
	for _, j := range slices.Sorted(maps.Keys(has.Journals)) {
		if err := e.journal(ctx, j, has.Journals[j]); err != nil {
			return fmt.Errorf("journal %q: %w", j, err)
		}
	}
	return e.write(line{End: &endLine{Lines: e.done.Lines, SHA256: hex.EncodeToString(e.sum.Sum(nil))}})
}

// write writes one line.
func (e *exporter) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	e.sum.Write(text)
	e.done.Lines++
	if e.options.Progress != nil {
		e.options.Progress(e.done.Progress)
	}
	_, err = e.to.Write(text)
	return err
}

// window is how many messages or entries are read at a time.
const window = 1000

// group writes the messages of a state, oldest first, and then the state.
func (e *exporter) group(ctx context.Context, g host.GroupName, state host.State) error {
	var wrote host.Ranges
	for r := range state.Stored(host.Range{First: 1, Last: state.Last}) {
		for first := r.First; first <= r.Last; first += window {
			if err := e.messages(ctx, g, host.Range{First: first, Last: min(r.Last, first+window-1)}, &wrote); err != nil {
				return err
			}
		}
	}
	if err := e.settle(ctx, g, &state, wrote); err != nil {
		return err
	}
	encoded, err := state.AppendBinary(nil)
	if err != nil {
		return err
	}
	return e.write(line{Group: &groupLine{Group: g, State: encoded}})
}

// messages writes those of a range that is no longer than window.
func (e *exporter) messages(ctx context.Context, g host.GroupName, r host.Range, wrote *host.Ranges) error {
	var found []host.Listed
	for before := r.Last + 1; before > r.First; {
		listed, err := e.store.List(ctx, g, before, int(before-r.First))
		if err != nil {
			return err
		}
		if len(listed) == 0 {
			break
		}
		found = append(found, listed...)
		before = listed[len(listed)-1].ID
	}
	for i, m := range slices.Backward(found) {
		if m.ID < r.First || m.Damaged {
			continue
		}
		text := messageLine{Group: g, ID: m.ID, Time: m.Time, Key: m.Key, Data: string(m.Data)}
		if m.Key != "" && (i == 0 || found[i-1].Key != m.Key) {
			var err error
			if text.Known, err = e.known(ctx, g, m.Message); err != nil {
				return err
			}
		}
		if err := e.write(line{Message: &text}); err != nil {
			return err
		}
		wrote.Add(host.Range{First: m.ID, Last: m.ID})
		e.done.Messages++
	}
	return ctx.Err()
}

// known returns what is remembered of a message's key if it is the last one that was
// added with it.
func (e *exporter) known(ctx context.Context, g host.GroupName, m host.Message) (*keyLine, error) {
	known, err := e.store.Known(ctx, g, m.Key)
	if errors.Is(err, host.ErrNoRecord) || err == nil && known.Last() != m.ID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &keyLine{First: known.First, Count: known.Count, Digest: known.Digest[:]}, nil
}

// settle makes the state that of the messages that were written: others were pruned
// meanwhile, or are damaged.
func (e *exporter) settle(ctx context.Context, g host.GroupName, state *host.State, wrote host.Ranges) error {
	var missing host.Ranges
	for r := range state.Stored(host.Range{First: 1, Last: state.Last}) {
		missing.Add(r)
	}
	for r := range wrote.All() {
		missing.Remove(r)
	}
	for id := range missing.IDs() {
		_, err := e.store.Message(ctx, g, id)
		switch {
		case errors.Is(err, host.ErrNoMessage):
		case errors.Is(err, host.ErrDamaged) && e.options.WithoutDamaged:
			e.done.Damaged = append(e.done.Damaged, fmt.Sprintf("%s/%d", g, id))
		case err == nil:
			err = errors.New("it was not listed")
			fallthrough
		default:
			return fmt.Errorf("message %d: %w", id, err)
		}
		state.Skip(host.Range{First: id, Last: id})
	}
	return nil
}

func (e *exporter) bucket(ctx context.Context, bucket string) error {
	all, err := e.store.Records(ctx, bucket)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := e.write(line{Record: &recordLine{Bucket: bucket, Key: r.Key, Value: r.Value}}); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) bodies(ctx context.Context, g host.GroupName) error {
	all, err := e.store.Stored(ctx, g)
	if err != nil {
		return err
	}
	for _, b := range all {
		body, err := e.store.Body(ctx, g, b.Sum)
		if errors.Is(err, host.ErrNoBody) {
			continue // pruned meanwhile
		}
		if err == nil {
			err = e.write(line{Body: &bodyLine{Group: g, Put: b.Put.UTC(), Data: body}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// journal writes the entries up to the last, oldest first.
func (e *exporter) journal(ctx context.Context, journal string, last uint64) error {
	for first := uint64(1); first <= last; first += window {
		end := min(last, first+window-1)
		all, err := e.store.Entries(ctx, journal, end+1, int(end-first+1))
		if err != nil {
			return err
		}
		for _, entry := range slices.Backward(all) {
			if entry.Number < first {
				continue // of an earlier window
			}
			text := entryLine{Journal: journal, Number: entry.Number, Time: entry.Time, Key: entry.Key, Value: entry.Value}
			if err := e.write(line{Entry: &text}); err != nil {
				return err
			}
		}
	}
	return e.write(line{Journal: &journalLine{Journal: journal, Last: last}})
}
