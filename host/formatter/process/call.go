package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/restante/restante/host"
	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// limitSkew is by how much a plugin's clock may be ahead when it ends a call for
// its time limit.
const limitSkew = 500 * time.Millisecond

// maxReason is the longest reason of a rejection, as in formatter.proto.
const maxReason = 4000

// Discover asks the plugin what it is. It fails with ErrBadReply, ErrTimeout,
// ErrEnded, a *FailedError, or the error of ctx.
func (p *Process) Discover(ctx context.Context) (Description, error) {
	within, cancel := context.WithTimeout(ctx, p.config.DiscoverTimeout)
	defer cancel()
	reply, err := p.formatter.Discover(within, &formatterv1.DiscoverRequest{HostVersion: p.config.HostVersion})
	if err != nil {
		return Description{}, p.callError(ctx, within, err, p.config.DiscoverTimeout)
	}
	return describe(reply)
}

// Configure hands over the values of the plugin's settings, a JSON object. Call
// it once, after Discover and before any other call, if there are settings. It
// fails with a *FailedError if the plugin can't work with them.
func (p *Process) Configure(ctx context.Context, settings []byte) error {
	within, cancel := context.WithTimeout(ctx, p.config.DiscoverTimeout)
	defer cancel()
	if _, err := p.formatter.Configure(within, &formatterv1.ConfigureRequest{Settings: settings}); err != nil {
		return p.callError(ctx, within, err, p.config.DiscoverTimeout)
	}
	return nil
}

// WriteMessages has the plugin format a batch. The plugin either gives a
// document, which passes host.Document.Check, or names the messages that it
// can't format. The errors are those of Discover. A call that ended with ctx,
// or with ErrTimeout, may still keep the plugin busy.
func (p *Process) WriteMessages(ctx context.Context, b host.Batch) (host.Document, []host.Rejection, error) {
	request := &formatterv1.WriteMessagesRequest{Group: string(b.Group), Token: string(b.Token), Messages: messagesOf(b)}
	if n := proto.Size(request); n > p.config.MaxMessageBytes {
		return host.Document{}, nil, fmt.Errorf("the batch has %s for it, at most %s are allowed", size(n), size(p.config.MaxMessageBytes))
	}
	within, cancel := context.WithTimeout(ctx, p.config.CallTimeout)
	defer cancel()
	reply, err := p.formatter.WriteMessages(within, request)
	if err != nil {
		return host.Document{}, nil, p.callError(ctx, within, err, p.config.CallTimeout)
	}
	if len(reply.GetRejections()) > 0 {
		rejections, err := rejected(b, reply.GetRejections())
		return host.Document{}, rejections, err
	}
	d, err := document(reply.GetDocument())
	return d, nil, err
}

// FormatHTTPRequest has the plugin say how the document of a batch is to be sent.
// What it says passes host.HTTPRequest.Check. The errors are those of Discover.
func (p *Process) FormatHTTPRequest(ctx context.Context, b host.Batch, d host.Document) (host.HTTPRequest, error) {
	request := &formatterv1.FormatHTTPRequestRequest{
		Group: string(b.Group), Token: string(b.Token), Messages: messagesOf(b),
		Document: &formatterv1.Document{ContentType: d.ContentType, Filename: d.Filename, Body: d.Body},
	}
	if n := proto.Size(request); n > p.config.MaxMessageBytes {
		return host.HTTPRequest{}, fmt.Errorf("the batch and its document have %s for it, at most %s are allowed", size(n), size(p.config.MaxMessageBytes))
	}
	within, cancel := context.WithTimeout(ctx, p.config.CallTimeout)
	defer cancel()
	reply, err := p.formatter.FormatHTTPRequest(within, request)
	if err != nil {
		return host.HTTPRequest{}, p.callError(ctx, within, err, p.config.CallTimeout)
	}
	r := host.HTTPRequest{Method: reply.GetMethod(), URL: reply.GetUrl()}
	for _, h := range reply.GetHeaders() {
		r.Headers = append(r.Headers, host.HTTPHeader{Name: h.GetName(), Value: h.GetValue()})
	}
	if err := r.Check(); err != nil {
		return host.HTTPRequest{}, fmt.Errorf("%w: %s", ErrBadReply, oneLine(err.Error(), maxFailure))
	}
	return r, nil
}

func messagesOf(b host.Batch) []*formatterv1.Message {
	all := make([]*formatterv1.Message, len(b.Messages))
	for i, m := range b.Messages {
		all[i] = &formatterv1.Message{Id: uint64(m.ID), Time: timestamppb.New(m.Time), Data: m.Data}
	}
	return all
}

// rejected takes over rejections, each message's first one.
func rejected(b host.Batch, all []*formatterv1.Rejection) ([]host.Rejection, error) {
	known := make(map[host.ID]bool, len(b.Messages)) // true: not rejected yet
	for _, m := range b.Messages {
		known[m.ID] = true
	}
	var rejections []host.Rejection
	for _, r := range all {
		id := host.ID(r.GetId())
		first, ok := known[id]
		if !ok {
			return nil, fmt.Errorf("%w: it rejected message %d, which is not in the batch", ErrBadReply, id)
		}
		if first {
			known[id] = false
			reason := oneLine(r.GetReason(), maxReason)
			if reason == "" {
				reason = "the plugin does not say why"
			}
			rejections = append(rejections, host.Rejection{ID: id, Reason: reason})
		}
	}
	return rejections, nil
}

func document(from *formatterv1.Document) (host.Document, error) {
	if from == nil {
		return host.Document{}, fmt.Errorf("%w: there is neither a document nor a rejected message in it", ErrBadReply)
	}
	d := host.Document{ContentType: from.GetContentType(), Filename: from.GetFilename(), Body: from.GetBody()}
	if err := d.Check(); err != nil {
		return host.Document{}, fmt.Errorf("%w: %s", ErrBadReply, oneLine(err.Error(), maxFailure))
	}
	return d, nil
}

// callError says in words why a call failed. ctx is the caller's, within the
// one with our time limit.
func (p *Process) callError(ctx, within context.Context, err error, limit time.Duration) error {
	code := status.Code(err)
	// The plugin's side keeps the time limit, too, and may be a little early.
	if deadline, ok := within.Deadline(); ok && (code == codes.Canceled || code == codes.DeadlineExceeded) && time.Until(deadline) < limitSkew {
		<-within.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// A process that ends breaks the connection, and that may be noticed a
	// moment before its end is.
	if code == codes.Unavailable {
		p.awaitEnd(within)
	}
	select {
	case <-p.Done():
		return ErrEnded
	default:
	}
	if errors.Is(within.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: it had %s", ErrTimeout, limit)
	}
	text := status.Convert(err).Message()
	switch {
	// gRPC gives this no error of its own, and the plugin's side says the same
	// of a request; the number tells which of the two it is.
	case code == codes.ResourceExhausted && strings.Contains(text, "larger than max") &&
		strings.Contains(text, fmt.Sprintf("vs. %d)", p.config.MaxMessageBytes)):
		return fmt.Errorf("%w: it is larger than %s", ErrBadReply, size(p.config.MaxMessageBytes))
	case code == codes.ResourceExhausted && strings.Contains(text, "larger than max"):
		return &FailedError{Text: "the batch is larger than the plugin accepts: its gRPC server needs a higher limit for messages (" + text + ")"}
	case code == codes.Internal && strings.Contains(text, "failed to unmarshal the received message"):
		return fmt.Errorf("%w: it is no valid protobuf message, or a text in it is not UTF-8", ErrBadReply)
	case code == codes.Unimplemented:
		return &FailedError{Text: "the plugin does not have this call: " + text}
	}
	return &FailedError{Text: text, Passing: code == codes.Unavailable}
}

// awaitEnd returns when the process has ended if its connection is lost, or is in
// a moment. A plugin may also say that it is unavailable, and live on.
func (p *Process) awaitEnd(ctx context.Context) {
	moment, wait := time.NewTimer(50*time.Millisecond), time.NewTimer(lostGrace+500*time.Millisecond)
	defer moment.Stop()
	defer wait.Stop()
	select {
	case <-p.Done():
		return
	case <-moment.C:
		select {
		case <-p.lost:
		default:
			return
		}
	case <-p.lost:
	case <-ctx.Done():
		return
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
	case <-wait.C:
	}
}

// size writes a number of bytes for people.
func size(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
