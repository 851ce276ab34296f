package archive

import (
	"fmt"
	"time"

	"github.com/restante/restante/host"
)

const (
	formatName    = "archive"
	formatVersion = 1
	// maxLine is more than any line has: a body of 64 MiB in base64, or a state.
	maxLine = 256 << 20
)

// header is the first line.
type header struct {
	Restante string    `json:"restante"`
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	// Messages is how many there are, for the progress.
	Messages uint64 `json:"messages"`
}

// line is any other. It has one of the pointers.
type line struct {
	Message *messageLine `json:"message,omitempty"`
	Group   *groupLine   `json:"group,omitempty"`
	Record  *recordLine  `json:"record,omitempty"`
	Entry   *entryLine   `json:"entry,omitempty"`
	Journal *journalLine `json:"journal,omitempty"`
	Body    *bodyLine    `json:"body,omitempty"`
	End     *endLine     `json:"end,omitempty"`
}

type messageLine struct {
	Group host.GroupName `json:"group"`
	ID    host.ID        `json:"id"`
	Time  time.Time      `json:"time"`
	Key   string         `json:"key,omitempty"`
	Known *keyLine       `json:"known,omitempty"`
	Data  string         `json:"data"`
}

// keyLine says what is remembered of the key of a message that was added last with it.
type keyLine struct {
	First  host.ID `json:"first"`
	Count  uint64  `json:"count"`
	Digest []byte  `json:"digest"`
}

// groupLine comes after everything else of a group.
type groupLine struct {
	Group host.GroupName `json:"group"`
	// State is what host.State.AppendBinary writes.
	State []byte `json:"state"`
}

type recordLine struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Value  []byte `json:"value"`
}

type entryLine struct {
	Journal string    `json:"journal"`
	Number  uint64    `json:"number"`
	Time    time.Time `json:"time"`
	Key     string    `json:"key,omitempty"`
	Value   []byte    `json:"value"`
}

// journalLine comes after the entries of a journal.
type journalLine struct {
	Journal string `json:"journal"`
	Last    uint64 `json:"last"`
}

type bodyLine struct {
	Group host.GroupName `json:"group"`
	Put   time.Time      `json:"put"`
	Data  []byte         `json:"data"`
}

// endLine says what was before it.
type endLine struct {
	Lines  uint64 `json:"lines"`
	SHA256 string `json:"sha256"`
}

// Progress is how far a copy is.
type Progress struct {
	// Messages are done of AllMessages, and Lines of whatever sort.
	Messages    uint64 `json:"messages"`
	AllMessages uint64 `json:"allMessages"`
	Lines       uint64 `json:"lines"`
}

// String says it in a few words.
func (p Progress) String() string {
	if p.Messages < p.AllMessages {
		return fmt.Sprintf("%d of %d messages", p.Messages, p.AllMessages)
	}
	return fmt.Sprintf("%d lines", p.Lines)
}
