package natsstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// Config says where the store is.
type Config struct {
	// URLs are those of the servers; one that answers is enough, since it names
	// the others.
	URLs []string
	// Options are for the connection: TLS, credentials, an in-process server.
	Options []nats.Option
	// Replicas is how many servers keep each stream: 1, 3 or 5; 3 if it is 0. It
	// holds for streams that are made; those that exist stay as they are.
	Replicas int
	// Prefix begins the names of all streams and subjects: at most 32 letters,
	// digits and "-"; "restante" if it is empty.
	Prefix string
	// Now stamps messages; nil is time.Now.
	Now func() time.Time
	// Log may be nil.
	Log hclog.Logger
}

// Store keeps everything in streams of NATS JetStream. It is safe for concurrent
// use, and any number of processes may have the same one open.
type Store struct {
	conn     *nats.Conn
	names    names
	replicas int
	now      func() time.Time
	log      hclog.Logger
	writer   string
	counter  atomic.Uint64 // of operations
	replies  *replies      // of servers
	outcomes *replies      // of what was handed over
	tables   []*table
	bodies   *table
	zip      *zstd.Encoder
	unzip    *zstd.Decoder
	decoding sync.Mutex // held while what cells hold is decoded
	host.Watchers
	trouble  trouble
	attempts attempts

	handed atomic.Int64 // when another daemon last handed something over, in ns
	wrote  atomic.Int64 // when most of the servers last confirmed a write, in ns

	groupsMu sync.Mutex
	groups   map[host.GroupName]*group

	closeMu sync.Mutex
	closed  bool           // nothing new begins
	running sync.WaitGroup // goroutines that Close waits for
	done    chan struct{}  // closed when nothing may go on any more
	ended   chan struct{}  // closed when Close is done

	// betweenParts, if set, is called by tests before the parts of a large
	// addition but the first.
	betweenParts func(part int) error
}

// tables is over how many streams states, records and journals are spread, so that
// not one leader has all the work. It can't be changed without moving what is stored.
const tables = 4

// Open connects to the servers and makes the streams if they are not there. While
// no server can be reached, or a cluster has no leader yet, it waits until ctx ends,
// and says so in the log. It fails at once with what waiting does not help against:
// wrong credentials, a server without JetStream or too old, fewer servers than
// replicas, messages limited to less than 1 MiB.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{
		names: names(c.Prefix), replicas: c.Replicas, now: c.Now, log: c.Log,
		writer: newWriter(), groups: map[host.GroupName]*group{},
		done: make(chan struct{}), ended: make(chan struct{}),
	}
	if s.names == "" {
		s.names = "restante"
	}
	if s.replicas == 0 {
		s.replicas = 3
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	if err := checkPrefix(string(s.names)); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	for i := range tables {
		s.tables = append(s.tables, s.newTable(fmt.Sprintf("t%d", i)))
	}
	s.bodies = s.newTable("b")
	var err error
	if s.zip, s.unzip, err = newZip(); err != nil {
		return nil, err
	}
	if s.conn, err = s.connect(ctx, c); err == nil {
		if err = s.setUp(ctx); err != nil {
			s.conn.Close()
		}
	}
	if err != nil {
		s.unzip.Close()
		return nil, fmt.Errorf("open store on NATS at %s: %w", strings.Join(c.URLs, ", "), err)
	}
	return s, nil
}

func (s *Store) newTable(name string) *table {
	return &table{store: s, stream: string(s.names) + "_" + name, root: string(s.names) + "." + name, known: map[string]*cell{}}
}

// setUp checks the servers, makes the streams and subscribes.
func (s *Store) setUp(ctx context.Context) (err error) {
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	if s.replies, err = newReplies(s.conn, s.conn.NewInbox()); err != nil {
		return err
	}
	// Other daemons may not be permitted to publish to inboxes.
	if s.outcomes, err = newReplies(s.conn, s.names.handovers(s.writer)); err != nil {
		return err
	}
	if err := s.subscribe(); err != nil {
		return err
	}
	// What is wrong with one is wrong with all, and should be said once.
	if err := s.makeTable(ctx, s.bodies); err != nil {
		return err
	}
	return each(s.tables, tables, func(t *table) error { return s.makeTable(ctx, t) })
}

// tableOf returns the table of a group, or of a bucket of records.
func (s *Store) tableOf(name string) *table { return s.tables[shardOf(name, len(s.tables))] }

// Shared implements host.Shared.
func (s *Store) Shared() bool { return true }

func (s *Store) operation() operation { return operation{s.writer, s.counter.Add(1)} }

func (s *Store) isClosed() bool {
	s.closeMu.Lock()
	defer s.closeMu.Unlock()
	return s.closed
}

// closeTime is how long Close waits for what has begun.
const closeTime = 5 * time.Second

// refuseTime is how long a store that is closed tells other daemons not to hand
// anything over, if they do: without an answer they would wait.
const refuseTime = 100 * time.Millisecond

// Close waits for writes that have begun, five seconds at most, and disconnects.
// Calls that come later fail with host.ErrClosed. Closing again does nothing.
func (s *Store) Close() error {
	s.closeMu.Lock()
	already := s.closed
	s.closed = true
	s.closeMu.Unlock()
	if already {
		<-s.ended
		return nil
	}
	idle := make(chan struct{})
	go func() {
		s.running.Wait()
		close(idle)
	}()
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
	if time.Since(time.Unix(0, s.handed.Load())) < refuseTime {
		time.Sleep(refuseTime)
	}
	close(s.done)
	s.conn.Close()
	<-idle
	s.unzip.Close()
	err := s.zip.Close()
	close(s.ended)
	return err
}

// trouble remembers what was last wrong with the connection.
type trouble struct {
	mu   sync.Mutex
	last error
	when time.Time
}

// troubleFor is how long what was wrong may be why something else fails.
const troubleFor = 5 * time.Second

func (t *trouble) set(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.when = err, time.Now()
}

// connectionError returns what was wrong with the connection a short while ago.
func (s *Store) connectionError() string {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	if s.trouble.last == nil || time.Since(s.trouble.when) > troubleFor {
		return ""
	}
	return s.trouble.last.Error()
}
