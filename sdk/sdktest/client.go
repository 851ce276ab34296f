package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
	"github.com/restante/restante/sdk"
)

// stopTimeout is how long a formatter may go on after its test has ended.
const stopTimeout = 30 * time.Second

// Client calls a plugin as the daemon does. It is safe for concurrent use and
// ends with the test that started it.
type Client struct {
	formatter formatterv1.FormatterClient
}

// Start serves the plugin on a loopback address until the test ends, and
// returns a client to it. The test fails if the plugin's description is wrong.
func Start(t testing.TB, p sdk.Plugin) *Client {
	t.Helper()
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(sdk.MaxMessageBytes),
		grpc.MaxSendMsgSize(sdk.MaxMessageBytes),
		grpc.WaitForHandlers(true),
	)
	if err := sdk.Register(server, p); err != nil {
		t.Fatalf("the plugin's description is not valid:\n%v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen on a loopback address: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			server.Stop()
		}()
		select {
		case <-stopped:
		case <-time.After(stopTimeout):
			t.Errorf("a formatter still runs %v after its call was cancelled", stopTimeout)
			return
		}
		if err := <-served; err != nil {
			t.Errorf("serve the plugin: %v", err)
		}
	})

	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(sdk.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(sdk.MaxMessageBytes),
		))
	if err != nil {
		t.Fatalf("connect to the plugin: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Client{formatter: formatterv1.NewFormatterClient(conn)}
}

// Configure hands over values of the plugin's settings, by their names: strings,
// numbers and bools. It works once, and before the first batch; without it
// every setting has its default.
func (c *Client) Configure(ctx context.Context, settings map[string]any) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	_, err = c.formatter.Configure(ctx, &formatterv1.ConfigureRequest{Settings: text})
	return err
}

// Discover returns what the plugin says of itself, as it goes over the wire.
func (c *Client) Discover(ctx context.Context) (*formatterv1.DiscoverResponse, error) {
	return c.formatter.Discover(ctx, &formatterv1.DiscoverRequest{HostVersion: "sdktest"})
}

// WriteMessages has the plugin format a batch. Rejections come back as they
// were returned, for [sdk.Rejections]; other errors have a gRPC status.
func (c *Client) WriteMessages(ctx context.Context, b sdk.Batch) (sdk.Document, error) {
	resp, err := c.formatter.WriteMessages(ctx, &formatterv1.WriteMessagesRequest{
		Group:    b.Group,
		Token:    b.Token,
		Messages: messagesToWire(b.Messages),
	})
	if err != nil {
		return sdk.Document{}, err
	}
	if rejections := resp.GetRejections(); len(rejections) > 0 {
		var errs []error
		for _, r := range rejections {
			errs = append(errs, sdk.Reject(r.GetId(), r.GetReason()))
		}
		return sdk.Document{}, errors.Join(errs...)
	}
	d := resp.GetDocument()
	return sdk.Document{ContentType: d.GetContentType(), Filename: d.GetFilename(), Body: d.GetBody()}, nil
}

// FormatHTTPRequest asks the plugin how a document is to be sent.
func (c *Client) FormatHTTPRequest(ctx context.Context, o sdk.Outgoing) (sdk.HTTPRequest, error) {
	resp, err := c.formatter.FormatHTTPRequest(ctx, &formatterv1.FormatHTTPRequestRequest{
		Group:    o.Group,
		Token:    o.Token,
		Messages: messagesToWire(o.Messages),
		Document: &formatterv1.Document{
			ContentType: o.Document.ContentType,
			Filename:    o.Document.Filename,
			Body:        o.Document.Body,
		},
	})
	if err != nil {
		return sdk.HTTPRequest{}, err
	}
	r := sdk.HTTPRequest{Method: resp.GetMethod(), URL: resp.GetUrl()}
	for _, h := range resp.GetHeaders() {
		if r.Headers == nil {
			r.Headers = make(http.Header)
		}
		r.Headers[h.GetName()] = append(r.Headers[h.GetName()], h.GetValue())
	}
	return r, nil
}

func messagesToWire(messages []sdk.Message) []*formatterv1.Message {
	wire := make([]*formatterv1.Message, len(messages))
	for i, m := range messages {
		wire[i] = &formatterv1.Message{Id: m.ID, Time: timestamppb.New(m.Time), Data: m.Data}
	}
	return wire
}
