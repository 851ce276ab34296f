package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// stored is one message of a stream. (The messages of the domain are some of them.)
type stored struct {
	subject string
	seq     uint64
	header  nats.Header
	data    []byte
}

// getRequest asks for one message, or on behalf of direct for several.
type getRequest struct {
	Seq      uint64   `json:"seq,omitempty"`
	Last     string   `json:"last_by_subj,omitempty"`
	Next     string   `json:"next_by_subj,omitempty"` // from Seq on
	Batch    int      `json:"batch,omitempty"`
	MaxBytes int      `json:"max_bytes,omitempty"`
	LastOf   []string `json:"multi_last,omitempty"`
}

var errNoStream = errors.New("there is no such stream")

// errLostStream is for streams that were there when the store was opened: a server
// that has just become the leader of one may not know it yet.
var errLostStream = errors.New("a stream of the store is not there")

// missing says what it means that a server knows no such stream.
func (s *Store) missing(stream string, err error) error {
	if codeOf(err) != codeNoStream {
		return err
	}
	if strings.HasPrefix(stream, s.names.groupStreams()) {
		return errNoStream
	}
	return fmt.Errorf("%w: %s", errLostStream, stream)
}

// get asks the leader of a stream for a message, nil if there is none. It fails with
// errNoStream if it is that of a group, and perhaps not made yet.
func (s *Store) get(ctx context.Context, stream string, r getRequest) (*stored, error) {
	var answer struct {
		Message struct {
			Subject string `json:"subject"`
			Seq     uint64 `json:"seq"`
			Headers []byte `json:"hdrs"`
			Data    []byte `json:"data"`
		} `json:"message"`
	}
	err := s.tryAt(ctx, stream, func(ctx context.Context) error {
		return s.missing(stream, s.ask(ctx, "STREAM.MSG.GET."+stream, r, &answer))
	})
	if err != nil {
		if codeOf(err) == codeNoMessage {
			err = nil
		}
		return nil, err
	}
	m := &stored{subject: answer.Message.Subject, seq: answer.Message.Seq, data: answer.Message.Data}
	if len(answer.Message.Headers) > 0 {
		// What can't be read is missing, and then the checksum does not match.
		m.header, _ = nats.DecodeHeadersMsg(answer.Message.Headers)
	}
	return m, nil
}

// publish makes one attempt to store messages, all or none, and returns the
// sequence of the last. The id must be another one for each attempt. See ADR-50 of
// NATS: the server keeps a batch aside until its last message comes.
func (s *Store) publish(ctx context.Context, id string, all []*nats.Msg) (last uint64, err error) {
	reply, answers, stop := s.replies.open(2)
	defer stop()
	for i, m := range all {
		m.Reply = ""
		if len(all) > 1 {
			m.Header.Set("Nats-Batch-Id", id)
			m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		}
		if i == 0 {
			m.Reply = reply // only its answer says why a batch is refused from the start
		}
		if i == len(all)-1 {
			m.Reply = reply
			if len(all) > 1 {
				m.Header.Set("Nats-Batch-Commit", "1")
			}
		}
		if err := s.conn.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	for {
		select {
		case m := <-answers:
			if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
				return 0, nats.ErrNoResponders
			}
			if len(m.Data) == 0 {
				continue // the first message of the batch was taken
			}
			var answer struct {
				Error *apiError `json:"error"`
				Seq   uint64    `json:"seq"`
			}
			if err := json.Unmarshal(m.Data, &answer); err != nil {
				return 0, fmt.Errorf("answer of the NATS server: %w", err)
			}
			if answer.Error != nil {
				return 0, answer.Error
			}
			s.wrote.Store(time.Now().UnixNano())
			return answer.Seq, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func bytesOf(all []*nats.Msg) (n int) {
	for _, m := range all {
		n += len(m.Data)
	}
	return n
}

// maxBatch is how many messages a batch has at most.
const maxBatch = 1000

// streamInfo is what we want to know of a stream.
type streamInfo struct {
	Config streamConfig `json:"config"`
	State  struct {
		Messages uint64            `json:"messages"`
		Last     uint64            `json:"last_seq"`
		Subjects map[string]uint64 `json:"subjects"`
	} `json:"state"`
	Cluster *struct {
		Leader   string `json:"leader"`
		Replicas []struct {
			Name    string `json:"name"`
			Current bool   `json:"current"`
			Offline bool   `json:"offline"`
			Lag     uint64 `json:"lag"`
		} `json:"replicas"`
	} `json:"cluster"`
	Total int `json:"total"` // subjects there are
}

// infoRequest asks about a stream.
type infoRequest struct {
	Filter string `json:"subjects_filter,omitempty"`
	Offset int    `json:"offset,omitempty"`
}

// askInfo makes one attempt to ask the leader about a stream.
func (s *Store) askInfo(ctx context.Context, stream string, r infoRequest) (*streamInfo, error) {
	found := new(streamInfo)
	err := s.ask(ctx, "STREAM.INFO."+stream, r, found)
	if err == nil && found.Cluster != nil && found.Cluster.Leader == "" {
		err = nats.ErrNoResponders // the leader of all streams answered in its place
	}
	return found, err
}

// info asks the leader about a stream and the subjects that match a filter, if one
// is given. It fails with errNoStream as get does.
func (s *Store) info(ctx context.Context, stream, filter string) (found *streamInfo, err error) {
	for offset := 0; ; {
		var page *streamInfo
		err := s.tryAt(ctx, stream, func(ctx context.Context) (err error) {
			page, err = s.askInfo(ctx, stream, infoRequest{filter, offset})
			return s.missing(stream, err)
		})
		if err != nil {
			return nil, err
		}
		if found == nil {
			found = page
		} else {
			maps.Copy(found.State.Subjects, page.State.Subjects)
		}
		if offset += len(page.State.Subjects); filter == "" || len(page.State.Subjects) == 0 || offset >= page.Total {
			return found, nil
		}
	}
}

// subjects returns the subjects of a stream that match a filter, sorted, and the
// sequence that was the last when the leader listed them.
func (s *Store) subjects(ctx context.Context, stream, filter string) (all []string, last uint64, err error) {
	found, err := s.info(ctx, stream, filter)
	if err != nil {
		return nil, 0, err
	}
	return slices.Sorted(maps.Keys(found.State.Subjects)), found.State.Last, nil
}

// deleteSeq deletes a message of a stream. That it is not there is no error.
func (s *Store) deleteSeq(ctx context.Context, stream string, seq uint64) error {
	request := struct {
		Seq     uint64 `json:"seq"`
		NoErase bool   `json:"no_erase"`
	}{seq, true}
	err := s.call(ctx, "STREAM.MSG.DELETE."+stream, request, nil)
	if code := codeOf(err); code == codeNoSequence || code == codeNoMessage || code == codeDeleteFailed {
		return nil
	}
	return err
}

// purgeRequest names what to delete of a stream: what is before a sequence, or
// what has a subject that matches.
type purgeRequest struct {
	Before uint64 `json:"seq,omitempty"`
	Filter string `json:"filter,omitempty"`
}

func (s *Store) purge(ctx context.Context, stream string, r purgeRequest) error {
	return s.call(ctx, "STREAM.PURGE."+stream, r, nil)
}
