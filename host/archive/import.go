package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/restante/restante/host"
)

// ErrNotArchive: the file is no archive, or one of a newer version.
var ErrNotArchive = errors.New("not an archive that can be read")

// ErrCut: the archive is cut short, or was changed.
var ErrCut = errors.New("the archive is cut short or damaged")

// Import puts an archive into a store that has no messages, bodies or deliveries.
// Records of the same key are replaced, and the few entries of journals that a daemon
// writes as it starts. It is not atomic: if it fails, what is there is a part and to be
// thrown away. Check reads an archive without a store.
func Import(ctx context.Context, store host.Copying, r io.Reader, progress func(Progress)) (Progress, error) {
	has, err := store.Inventory(ctx)
	if err != nil {
		return Progress{}, err
	}
	switch {
	case len(has.Groups) > 0:
		return Progress{}, fmt.Errorf("import: %w: it has messages of %q", host.ErrNotEmpty, has.Groups[0])
	case len(has.Bodies) > 0:
		return Progress{}, fmt.Errorf("import: %w: it has bodies of %q", host.ErrNotEmpty, has.Bodies[0])
	}
	for journal := range has.Journals {
		if strings.HasPrefix(journal, "deliveries/") {
			return Progress{}, fmt.Errorf("import: %w: it has %s", host.ErrNotEmpty, journal)
		}
	}
	for journal := range has.Journals {
		if _, err := store.PruneEntries(ctx, journal, endOfTime, int(has.Journals[journal])+1000); err != nil {
			return Progress{}, fmt.Errorf("import: %w", err)
		}
	}
	return read(ctx, &importer{store: store}, r, progress)
}

// endOfTime is after every entry.
var endOfTime = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Check reads an archive to the end and changes nothing.
func Check(ctx context.Context, r io.Reader, progress func(Progress)) (Progress, error) {
	return read(ctx, nil, r, progress)
}

// reader reads lines and sums them up.
type reader struct {
	from *bufio.Reader
	sum  hash.Hash
	done Progress
}

// next returns a line; the end of the file is no good before the end line.
func (r *reader) next(v any) (before [sha256.Size]byte, err error) {
	copy(before[:], r.sum.Sum(nil))
	var text []byte
	for {
		part, err := r.from.ReadSlice('\n')
		text = append(text, part...)
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return before, ErrCut
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return before, fmt.Errorf("%w: %w", ErrCut, err)
		}
		if len(text) > maxLine {
			return before, fmt.Errorf("%w: line %d is too long", ErrCut, r.done.Lines+1)
		}
	}
	r.sum.Write(text)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return before, fmt.Errorf("%w: line %d: %w", ErrCut, r.done.Lines+1, err)
	}
	r.done.Lines++
	return before, nil
}

// read reads an archive, into nothing if i is nil.
func read(ctx context.Context, i *importer, from io.Reader, progress func(Progress)) (Progress, error) {
	unzip, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return Progress{}, err
	}
	defer unzip.Close()
	r := &reader{from: bufio.NewReaderSize(unzip, 1<<20), sum: sha256.New()}
	var h header
	_, err = r.next(&h)
	if errors.Is(err, zstd.ErrCRCMismatch) || errors.Is(err, io.ErrUnexpectedEOF) { // it is short
		return Progress{}, fmt.Errorf("import: %w", err)
	}
	if err != nil || h.Restante != formatName {
		return Progress{}, fmt.Errorf("import: %w: \"restante export\" makes one", ErrNotArchive)
	}
	if h.Version != formatVersion {
		return Progress{}, fmt.Errorf("import: %w: its version is %d and this program knows %d; use the newer program", ErrNotArchive, h.Version, formatVersion)
	}
	r.done.AllMessages = h.Messages
	for {
		var l line
		before, err := r.next(&l)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return r.done, fmt.Errorf("import: %w", err)
		}
		if l.End != nil {
			if l.End.Lines != r.done.Lines-1 || l.End.SHA256 != hex.EncodeToString(before[:]) {
				return r.done, fmt.Errorf("import: %w: its checksum does not match", ErrCut)
			}
			if i != nil {
				err = i.flush(ctx)
			}
			return r.done, err
		}
		if l.Message != nil {
			r.done.Messages++
		}
		if i != nil {
			if err := i.line(ctx, l); err != nil {
				return r.done, fmt.Errorf("import: line %d: %w", r.done.Lines, err)
			}
		}
		if progress != nil {
			progress(r.done)
		}
	}
}

// importer gathers what goes into a store together.
type importer struct {
	store    host.Copying
	group    host.GroupName
	messages []host.RestoredMessage
	journal  string
	entries  []host.Entry
	bytes    int
}

// maxBytes is about how much is gathered.
const maxBytes = 4 << 20

func (i *importer) line(ctx context.Context, l line) error {
	switch {
	case l.Message != nil:
		m := l.Message
		if err := i.of(ctx, m.Group, ""); err != nil {
			return err
		}
		restored := host.RestoredMessage{Message: host.Message{ID: m.ID, Time: m.Time, Key: m.Key, Data: json.RawMessage(m.Data)}}
		if k := m.Known; k != nil {
			restored.Known = &host.KnownKey{First: k.First, Count: k.Count}
			if len(k.Digest) != len(restored.Known.Digest) || restored.Known.Last() != m.ID {
				return fmt.Errorf("%w: idempotency key %q", ErrCut, m.Key)
			}
			copy(restored.Known.Digest[:], k.Digest)
		}
		i.messages = append(i.messages, restored)
		return i.gathered(ctx, len(m.Data))
	case l.Group != nil:
		var s host.State
		if err := s.UnmarshalBinary(l.Group.State); err != nil {
			return fmt.Errorf("%w: %w", ErrCut, err)
		}
		if err := i.of(ctx, "", ""); err != nil {
			return err
		}
		return i.store.RestoreState(ctx, l.Group.Group, s)
	case l.Entry != nil:
		e := l.Entry
		if err := i.of(ctx, "", e.Journal); err != nil {
			return err
		}
		i.entries = append(i.entries, host.Entry{Number: e.Number, Time: e.Time, Key: e.Key, Value: e.Value})
		return i.gathered(ctx, len(e.Value))
	case l.Journal != nil:
		if err := i.of(ctx, "", ""); err != nil {
			return err
		}
		return i.store.RestoreEntries(ctx, l.Journal.Journal, l.Journal.Last, nil)
	case l.Record != nil:
		return i.record(ctx, *l.Record)
	case l.Body != nil:
		sum := host.Sum(sha256.Sum256(l.Body.Data))
		return i.store.RestoreBody(ctx, l.Body.Group, host.StoredBody{Sum: sum, Put: l.Body.Put}, l.Body.Data)
	}
	return fmt.Errorf("%w: a line of an unknown kind", ErrCut)
}

// of puts in what was gathered unless it is of the same group or journal.
func (i *importer) of(ctx context.Context, g host.GroupName, journal string) error {
	if g == i.group && journal == i.journal {
		return nil
	}
	err := i.flush(ctx)
	i.group, i.journal = g, journal
	return err
}

func (i *importer) gathered(ctx context.Context, bytes int) error {
	if i.bytes += bytes; i.bytes < maxBytes && len(i.messages)+len(i.entries) < window {
		return nil
	}
	return i.flush(ctx)
}

func (i *importer) flush(ctx context.Context) error {
	var err error
	if len(i.messages) > 0 {
		err = i.store.RestoreMessages(ctx, i.group, i.messages)
	}
	if err == nil && len(i.entries) > 0 {
		err = i.store.RestoreEntries(ctx, i.journal, 0, i.entries)
	}
	i.messages, i.entries, i.bytes = nil, nil, 0
	return err
}

// record puts in a record, in place of another.
func (i *importer) record(ctx context.Context, r recordLine) error {
	for {
		now, err := i.store.Record(ctx, r.Bucket, r.Key)
		if err != nil && !errors.Is(err, host.ErrNoRecord) {
			return err
		}
		_, err = i.store.PutRecord(ctx, r.Bucket, host.Record{Key: r.Key, Value: r.Value, Revision: now.Revision})
		if !errors.Is(err, host.ErrConflict) {
			return err
		}
	}
}
