package natsstore

import (
	"context"
	"fmt"

	"github.com/restante/restante/host"
)

// streamConfig is how a stream is made.
type streamConfig struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Subjects    []string `json:"subjects"`
	Retention   string   `json:"retention"`
	Storage     string   `json:"storage"`
	Discard     string   `json:"discard"` // "new": a limit refuses what comes, and deletes nothing
	Replicas    int      `json:"num_replicas"`
	MaxPer      int64    `json:"max_msgs_per_subject"`
	MaxMsgs     int64    `json:"max_msgs"`
	MaxBytes    int64    `json:"max_bytes"`
	MaxAge      int64    `json:"max_age"`
	First       uint64   `json:"first_seq,omitempty"` // of the first message; 1 if 0
	Direct      bool     `json:"allow_direct"`
	Atomic      bool     `json:"allow_atomic"`
}

func (s *Store) tableConfig(stream, subjects string) streamConfig {
	return streamConfig{
		Name: stream, Subjects: []string{subjects}, Description: "restante: state, records, journals, bodies",
		Retention: "limits", Storage: "file", Discard: "new", Replicas: s.replicas,
		MaxPer: 1, MaxMsgs: -1, MaxBytes: -1, Direct: true, Atomic: true,
	}
}

func (s *Store) groupConfig(name host.GroupName) streamConfig {
	subjects := s.names.messages(name) + ".*"
	return streamConfig{
		Name: s.names.group(name), Subjects: []string{subjects}, Description: "restante: messages of group " + string(name),
		Retention: "limits", Storage: "file", Discard: "new", Replicas: s.replicas,
		MaxPer: -1, MaxMsgs: -1, MaxBytes: -1, Direct: true, Atomic: true,
	}
}

// createStream makes a stream unless there is one with the same name.
func (s *Store) createStream(ctx context.Context, c streamConfig) error {
	err := s.call(ctx, "STREAM.CREATE."+c.Name, c, nil)
	if codeOf(err) == codeStreamNameInUse {
		return nil // with other settings, by an operator or a newer version
	}
	return err
}

// checkStream fails if a stream that was there has settings that we can't do with.
func checkStream(found *streamInfo, want streamConfig) error {
	c := found.Config
	for what, wrong := range map[string]bool{
		"allow_atomic must be on":                                           !c.Atomic,
		"allow_direct must be on":                                           !c.Direct,
		"retention must be by limits":                                       c.Retention != want.Retention,
		"max_msgs_per_subject must be other":                                c.MaxPer != want.MaxPer,
		"discard must be \"new\", else a limit would delete what is needed": c.Discard != want.Discard,
		"max_age must be 0, else what is needed would be deleted":           c.MaxAge != 0,
	} {
		if wrong {
			return fmt.Errorf("the stream %s has other settings than it needs: %s", want.Name, what)
		}
	}
	return nil
}
