package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
)

// Times of calls.
const (
	// attemptTime is how long one attempt may take: an answer that a server took
	// with it when it died never comes, so waiting longer is of no use.
	attemptTime = time.Second
	// slowBytes is how many bytes a second a slow cluster takes; attempts get more
	// time for them.
	slowBytes = 4 << 20
	// callTime is how long a call may take whose context has no deadline.
	callTime = 30 * time.Second
	// maxPause is the longest pause between two attempts.
	maxPause = 250 * time.Millisecond
)

// Codes of errors, from errors.json of nats-server.
const (
	codeAccountFull       = 10002
	codeNoPeers           = 10005
	codeNotAvailable      = 10008
	codeNotLeader         = 10009
	codeServerFull        = 10023
	codeNoMessage         = 10037
	codeNotForAccount     = 10039
	codeNoSequence        = 10043
	codeStorageFull       = 10047
	codeCreateFailed      = 10049
	codeDeleteFailed      = 10057
	codeStreamNameInUse   = 10058
	codeNoStream          = 10059
	codeWrongLast         = 10071
	codeNotClustered      = 10074
	codeNotEnabled        = 10076
	codeStreamFull        = 10077
	codeStreamOffline     = 10118
	codeWrongLastConstant = 10164
	codeIncompleteBatch   = 10176
	codeTooManyBatches    = 10210
)

// apiError is an error that a server answers.
type apiError struct {
	Code        int    `json:"code"` // as of HTTP
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return e.Description }

// codeOf returns the code of an error that a server answered, or 0.
func codeOf(err error) int {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.ErrCode
	}
	return 0
}

// wrongLast tells whether somebody else wrote first.
func wrongLast(err error) bool {
	code := codeOf(err)
	return code == codeWrongLast || code == codeWrongLastConstant
}

// transient tells whether another attempt may have another outcome.
func transient(err error) bool {
	switch codeOf(err) {
	case 0:
	case codeNotAvailable, codeNotLeader, codeStreamOffline, codeNotEnabled, codeNotForAccount, codeIncompleteBatch, codeTooManyBatches:
		return true
	case codeCreateFailed:
		// A server says so now and then while it deletes other streams.
		return strings.Contains(err.Error(), "creating store")
	default:
		return false
	}
	for _, e := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting, nats.ErrStaleConnection, errNotConnected, errLostStream, errBehind,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// plain gives errors of servers and of the connection the sentinels of the domain.
func plain(err error) error {
	switch codeOf(err) {
	case codeAccountFull, codeServerFull, codeStorageFull, codeStreamFull:
		return fmt.Errorf("%w: the NATS server says: %w", host.ErrStoreFull, err)
	}
	if errors.Is(err, nats.ErrConnectionClosed) {
		return host.ErrClosed
	}
	return err
}

// refusal is plain for a write. An attempt before may have been taken, and come to be
// stored yet: then it does not say that nothing was done.
func refusal(err error, unsure bool) error {
	if unsure {
		return fmt.Errorf("%w: the answer was lost, and then the NATS server said: %v", host.ErrUnavailable, err)
	}
	return plain(err)
}

var errNotConnected = errors.New("not connected")

// try makes attempts until one has an outcome or the context ends. An attempt may
// be repeated although the one before did its work.
func (s *Store) try(ctx context.Context, attempt func(context.Context) error) error {
	return s.tryAt(ctx, "", attempt)
}

// tryAt is try where the leader of a stream is to answer.
func (s *Store) tryAt(ctx context.Context, stream string, attempt func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	for n := 0; ; n++ {
		err := s.onceWith(ctx, stream, 0, attempt)
		if err == nil || !transient(err) {
			return plain(err)
		}
		if !s.pause(ctx, n) {
			return s.unavailable(ctx, err)
		}
	}
}

// once makes one attempt.
func (s *Store) once(ctx context.Context, attempt func(context.Context) error) error {
	return s.onceWith(ctx, "", 0, attempt)
}

// onceWith makes one attempt that takes a number of bytes to the leader of a stream,
// or asks it; the stream may be empty.
func (s *Store) onceWith(ctx context.Context, stream string, bytes int, attempt func(context.Context) error) error {
	select {
	case <-s.done:
		return host.ErrClosed
	default:
	}
	if !s.conn.IsConnected() {
		if s.conn.IsClosed() {
			return host.ErrClosed
		}
		return errNotConnected
	}
	within, cancel := context.WithTimeout(ctx, attemptTime+time.Duration(bytes)*time.Second/slowBytes)
	defer cancel()
	defer s.attempts.begin(stream, cancel)()
	err := attempt(within)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return nats.ErrDisconnected
	}
	return err
}

// attempts are those that wait for an answer. When the connection is lost the
// answer is lost too, so there is nothing to wait for.
type attempts struct {
	mu  sync.Mutex
	all map[*context.CancelFunc]string // the stream whose leader is to answer, or ""
}

// begin has an attempt end when the connection is lost. Call what it returns when
// the attempt has ended.
func (a *attempts) begin(stream string, cancel context.CancelFunc) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[*context.CancelFunc]string{}
	}
	a.all[&cancel] = stream
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.all, &cancel)
	}
}

// endOf ends those to a stream that has another leader now: nobody answers what the
// one before it had begun, nor what was asked while there was none.
func (a *attempts) endOf(stream string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for cancel, to := range a.all {
		if to == stream {
			(*cancel)()
		}
	}
}

func (a *attempts) endAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for cancel := range a.all {
		(*cancel)()
	}
}

// bounded gives a context a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, callTime)
}

// pause waits before attempt n+1, for a random time so that daemons get out of
// each other's way. It returns false if there is no time for another.
func (s *Store) pause(ctx context.Context, n int) bool {
	most := min(time.Millisecond<<min(n, 10), maxPause)
	t := time.NewTimer(rand.N(most) + most/4)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	case <-s.done:
		return false
	}
}

// unavailable says why a call ended without an outcome.
func (s *Store) unavailable(ctx context.Context, last error) error {
	select {
	case <-s.done:
		return host.ErrClosed
	default:
	}
	cause := ctx.Err()
	if errors.Is(cause, context.Canceled) || last == nil && cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %s", host.ErrUnavailable, s.words(last))
}

// words says what is wrong with the servers, and what to do.
func (s *Store) words(err error) string {
	switch code := codeOf(err); {
	case !s.conn.IsConnected():
		return fmt.Sprintf("not connected to any NATS server of %s", s.addresses())
	case errors.Is(err, nats.ErrNoResponders), code == codeNotAvailable, code == codeNotLeader, code == codeStreamOffline:
		return "the NATS cluster has no leader for it; most of its servers must run and reach each other"
	case wrongLast(err):
		return "others were faster each time, or most of the servers can't be reached"
	case errors.Is(err, errBehind):
		return err.Error() + ", and catches up or is cut off"
	case errors.Is(err, errLostStream):
		return err.Error() + "; if it stays so, restore it from a backup"
	case code == codeNotEnabled, code == codeNotForAccount:
		return "JetStream is not enabled (" + err.Error() + ")"
	case code != 0:
		return "the NATS server says: " + err.Error()
	}
	text := "the NATS cluster gives no answer; perhaps it has no leader, or its disks are too slow"
	if wrong := s.connectionError(); wrong != "" {
		text += ", or this is why: " + wrong
	}
	return text
}

// ask makes one request of the JetStream API. The answer must begin with an
// answerError.
func (s *Store) ask(ctx context.Context, call string, request, answer any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return err
		}
	}
	m, err := s.conn.RequestWithContext(ctx, "$JS.API."+call, body)
	if err != nil {
		return err
	}
	var failed answerError
	if err := json.Unmarshal(m.Data, &failed); err != nil {
		return fmt.Errorf("%s: answer of the NATS server: %w", call, err)
	}
	if failed.Error != nil {
		return failed.Error
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(m.Data, answer)
}

type answerError struct {
	Error *apiError `json:"error"`
}

// call asks until there is an answer.
func (s *Store) call(ctx context.Context, call string, request, answer any) error {
	return s.try(ctx, func(ctx context.Context) error { return s.ask(ctx, call, request, answer) })
}
