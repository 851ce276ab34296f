package natsstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// Status says how the servers are.
type Status struct {
	// Connected is the name of the server that this daemon talks to.
	Connected string
	// Servers are the addresses that are known of the cluster's servers.
	Servers []string
	Streams []StreamStatus
	// Durability says whether the servers have on disk what they confirm; see
	// the constants.
	Durability Durability
	// Advice is what to do about the durability, in words; empty if nothing is.
	Advice string
}

// Durability says whether servers have on disk what they confirm.
type Durability string

const (
	// Always: every server syncs before it confirms (sync_interval: always).
	Always Durability = "always"
	// Interval: a server at least confirms before it syncs, so a power cut that
	// meets most of the servers can lose the last moments.
	Interval Durability = "interval"
	// Unknown: servers tell it to their system account alone.
	Unknown Durability = "unknown"
)

// StreamStatus is the state of one stream.
type StreamStatus struct {
	Name string
	// Group is whose messages are in it; empty for the streams of everything else.
	Group host.GroupName
	// Leader is empty if there is none, and then nothing can be written. A server
	// that is no cluster has no leaders.
	Leader   string
	Replicas []Replica
	// Missing is how many replicas it has too few, as no server was there for them.
	Missing int
	// Messages is how many messages the stream has, of the server's kind: for a
	// group about what is stored of it.
	Messages uint64
}

// Replica is a server that follows the leader of a stream.
type Replica struct {
	Server string
	// Current is false if it lags too far behind to become leader at once.
	Current bool
	Offline bool
	// Lag is how many operations it is behind.
	Lag uint64
}

// Status asks the servers how they are. It can be called at any time; a stream
// without a leader is listed without one.
func (s *Store) Status(ctx context.Context) (Status, error) {
	found := Status{Connected: s.conn.ConnectedServerName(), Servers: strings.Split(s.addresses(), ", ")}
	var err error
	if found.Streams, err = s.Streams(ctx); err != nil {
		return found, err
	}
	found.Durability, found.Advice = s.durability(ctx)
	return found, nil
}

// Streams says how the streams are, in the order of their names, as Status does.
func (s *Store) Streams(ctx context.Context) (all []StreamStatus, err error) {
	if s.isClosed() {
		return nil, host.ErrClosed
	}
	for offset := 0; ; {
		request := struct {
			Offset  int    `json:"offset"`
			Subject string `json:"subject"`
		}{offset, string(s.names) + ".>"}
		var page struct {
			Streams []streamInfo `json:"streams"`
			Missing []string     `json:"missing"`
			Total   int          `json:"total"`
		}
		if err := s.call(ctx, "STREAM.LIST", request, &page); err != nil {
			return nil, err
		}
		for _, info := range page.Streams {
			all = append(all, s.streamStatus(info))
		}
		if offset += len(page.Streams); len(page.Streams) == 0 || offset >= page.Total {
			for _, name := range page.Missing {
				all = append(all, StreamStatus{Name: name, Group: s.groupOf(name)})
			}
			break
		}
	}
	slices.SortFunc(all, func(a, b StreamStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func (s *Store) groupOf(stream string) host.GroupName {
	text, ok := strings.CutPrefix(stream, s.names.groupStreams())
	if !ok {
		return ""
	}
	g, _ := decodeGroup(text)
	return g
}

func (s *Store) streamStatus(info streamInfo) StreamStatus {
	status := StreamStatus{Name: info.Config.Name, Group: s.groupOf(info.Config.Name), Messages: info.State.Messages}
	if info.Cluster != nil {
		status.Leader = info.Cluster.Leader
		for _, r := range info.Cluster.Replicas {
			status.Replicas = append(status.Replicas, Replica{Server: r.Name, Current: r.Current, Offline: r.Offline, Lag: r.Lag})
		}
		if status.Leader != "" {
			status.Missing = max(0, info.Config.Replicas-1-len(status.Replicas))
		}
	}
	return status
}

// Advice about durability.
const (
	adviceInterval = `set "sync_interval: always" in the "jetstream" block of every server: else a power cut that meets most of them can lose what was confirmed last`
	adviceUnknown  = `NATS does not tell clients whether its servers sync before they confirm: make sure that "sync_interval: always" is in the "jetstream" block of every server`
)

// durabilityTime is how long servers are given to tell how they sync.
const durabilityTime = 300 * time.Millisecond

// durability asks all servers how they sync. They answer their system account
// alone, unless the operator lets another account import that service.
func (s *Store) durability(ctx context.Context) (Durability, string) {
	ctx, cancel := context.WithTimeout(ctx, durabilityTime)
	defer cancel()
	inbox, answers, stop := s.replies.open(64)
	defer stop()
	if err := s.conn.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, []byte("{}")); err != nil {
		return Unknown, adviceUnknown
	}
	found := Unknown
	for {
		select {
		case m := <-answers:
			always, err := syncsAlways(m.Data)
			switch {
			case err != nil:
				return cmp.Or(found, Unknown), adviceUnknown
			case !always:
				return Interval, adviceInterval
			}
			found = Always
		case <-ctx.Done():
			if found == Always {
				return Always, ""
			}
			return Unknown, adviceUnknown
		}
	}
}

// syncsAlways reads the answer of a server to JSZ.
func syncsAlways(data []byte) (bool, error) {
	var answer struct {
		Data *struct {
			Config struct {
				SyncAlways   bool          `json:"sync_always"`
				SyncInterval time.Duration `json:"sync_interval"`
			} `json:"config"`
			Disabled bool `json:"disabled"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return false, err
	}
	if answer.Data == nil {
		return false, errors.New("no data")
	}
	return answer.Data.Config.SyncAlways || answer.Data.Disabled, nil
}
