package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// waitLog is how often Open says in the log what it waits for.
const waitLog = 5 * time.Second

// noPeersFor is how long Open waits for servers that a replica can be on: while a
// cluster forms, not all are known.
const noPeersFor = 10 * time.Second

// reconnectWait is the pause between attempts to connect again.
const reconnectWait = 100 * time.Millisecond

// leaderElected is where servers say that a stream has a leader.
const leaderElected = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."

// connect waits until a server takes the connection.
func (s *Store) connect(ctx context.Context, c Config) (conn *nats.Conn, err error) {
	options := append([]nats.Option{
		nats.Name("restante"), nats.Timeout(2 * time.Second), nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		// What can't be sent is not kept to be sent later: its caller tries again.
		nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // else it prints
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2),
	}, c.Options...)
	w := waiting{store: s}
	for n := 6; ; n++ {
		conn, err = nats.Connect(strings.Join(c.URLs, ","), options...)
		switch {
		case err == nil:
			s.listen(conn)
			_, err = conn.Subscribe(leaderElected+">", func(m *nats.Msg) { s.attempts.endOf(strings.TrimPrefix(m.Subject, leaderElected)) })
			return conn, err
		case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
			errors.Is(err, nats.ErrAccountAuthExpired):
			return nil, fmt.Errorf("the server refuses the credentials: %w; check user, password, token or credentials file", err)
		case strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "x509:"):
			return nil, fmt.Errorf("no secure connection: %w; check the certificates", err)
		}
		if err := w.pause(ctx, n, "no NATS server can be reached", err); err != nil {
			return nil, err
		}
	}
}

// waiting is Open waiting for servers.
type waiting struct {
	store  *Store
	logged time.Time
}

// pause waits before the next attempt. It fails with what is waited for when the
// context ends.
func (w *waiting) pause(ctx context.Context, n int, what string, cause error) error {
	if time.Since(w.logged) > waitLog {
		if !w.logged.IsZero() || n > 6 {
			w.store.log.Warn("waiting for the nats cluster", "reason", what, "error", cause)
		}
		w.logged = time.Now()
	}
	if w.store.pause(ctx, n) {
		return nil
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	return fmt.Errorf("%s: %w (%w)", what, cause, ctx.Err())
}

// listen notes what is wrong with the connection, and wakes all who wait when it
// comes back, as hints may have been lost. What the options set is called too.
func (s *Store) listen(conn *nats.Conn) {
	lost, back, wrong := conn.Opts.DisconnectedErrCB, conn.Opts.ReconnectedCB, conn.Opts.AsyncErrorCB
	conn.SetDisconnectErrHandler(func(c *nats.Conn, err error) {
		s.attempts.endAll()
		if err != nil && !s.isClosed() {
			s.log.Warn("the nats server was lost", "error", err)
		}
		if lost != nil {
			lost(c, err)
		}
	})
	conn.SetReconnectHandler(func(c *nats.Conn) {
		s.log.Info("connected to a nats server again", "server", c.ConnectedServerName())
		s.WakeAll()
		if back != nil {
			back(c)
		}
	})
	conn.SetErrorHandler(func(c *nats.Conn, sub *nats.Subscription, err error) {
		s.trouble.set(err)
		s.log.Warn("the nats server reports an error", "error", err)
		if wrong != nil {
			wrong(c, sub, err)
		}
	})
}

// addresses names the servers for people.
func (s *Store) addresses() string {
	all := s.conn.Servers()
	for i, one := range all {
		// A URL may have a password in it.
		if at := strings.LastIndexByte(one, '@'); at >= 0 {
			all[i] = one[at+1:]
		}
	}
	return strings.Join(all, ", ")
}

// What a server must be able to do.
const (
	minVersion    = "2.12.0" // atomic batches
	minMaxPayload = pieceSize + headroom
)

// checkServer waits for JetStream, and fails if the server can't do what is needed.
func (s *Store) checkServer(ctx context.Context) error {
	if version := s.conn.ConnectedServerVersion(); older(version, minVersion) {
		return fmt.Errorf("the server has version %s, and %s or newer is needed: update nats-server", version, minVersion)
	}
	if limit := s.conn.MaxPayload(); limit < minMaxPayload {
		return fmt.Errorf("the server takes messages of at most %d bytes, and %d are needed: raise max_payload, for example to its default, 1MB", limit, minMaxPayload)
	}
	w := waiting{store: s}
	since := time.Now()
	for n := 0; ; n++ {
		err := s.once(ctx, func(ctx context.Context) error { return s.ask(ctx, "INFO", nil, nil) })
		switch code := codeOf(err); {
		case err == nil:
			return nil
		case code == codeNotEnabled, code == codeNotForAccount:
			return fmt.Errorf("the server says: %w; enable JetStream for the server and the account", err)
		case errors.Is(err, nats.ErrNoResponders) && time.Since(since) > 2*time.Second:
			return errors.New("the server has no JetStream: start it with \"jetstream {}\" in its configuration, or the flag -js")
		case !transient(err):
			return err
		}
		if strings.Contains(s.connectionError(), "permissions violation") {
			return fmt.Errorf("the server does not permit what is needed: %s", s.connectionError())
		}
		if err := w.pause(ctx, n, "JetStream gives no answer; perhaps the cluster has no leader yet", err); err != nil {
			return err
		}
	}
}

// makeTable makes a stream and waits until it has a leader.
func (s *Store) makeTable(ctx context.Context, t *table) error {
	w := waiting{store: s}
	since := time.Now()
	for n := 0; ; n++ {
		err := s.once(ctx, func(ctx context.Context) error {
			config := s.tableConfig(t.stream, t.root+".>")
			found, err := s.askInfo(ctx, t.stream, infoRequest{})
			if err == nil {
				return checkStream(found, config)
			}
			if codeOf(err) == codeNoStream {
				err = s.ask(ctx, "STREAM.CREATE."+t.stream, config, nil)
			}
			return err
		})
		switch code := codeOf(err); {
		case err == nil:
			return nil
		case code == codeStreamNameInUse: // another daemon makes it; look again
		case code == codeNotClustered:
			return fmt.Errorf("%d replicas are asked for, and the server is no cluster: set the replicas to 1, or run a cluster of %d servers", s.replicas, s.replicas)
		case code == codeNoPeers:
			if time.Since(since) > noPeersFor {
				return fmt.Errorf("%d replicas are asked for, and the cluster has not as many servers with space: start more, or set fewer replicas (it says: %w)", s.replicas, err)
			}
		case !transient(err):
			return fmt.Errorf("make the stream %s: %w", t.stream, plain(err))
		}
		if err := w.pause(ctx, n, "the stream "+t.stream+" can't be made, or has no leader yet", err); err != nil {
			return err
		}
	}
}

// older compares versions such as "2.12.0" and "2.11.3-RC.1".
func older(version, than string) bool {
	var a, b [3]int
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &a[0], &a[1], &a[2])
	_, _ = fmt.Sscanf(than, "%d.%d.%d", &b[0], &b[1], &b[2])
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
