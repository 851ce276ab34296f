package sdk

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// Register adds the plugin's service to a gRPC server, or returns what
// [Plugin.Validate] finds. Serve does this and much more; Register is for
// running a plugin inside another process, as sdktest does. The server should
// be made with [grpc.MaxRecvMsgSize] and [grpc.MaxSendMsgSize] of
// MaxMessageBytes, since gRPC's own limit is 4 MiB.
func Register(r grpc.ServiceRegistrar, p Plugin) error {
	if err := p.Validate(); err != nil {
		return err
	}
	formatterv1.RegisterFormatterServer(r, newService(p))
	return nil
}

// service answers the daemon's calls for one plugin. The calls may run at the
// same time.
type service struct {
	formatterv1.UnimplementedFormatterServer

	plugin     Plugin
	discovered *formatterv1.DiscoverResponse
	groups     map[string]Group

	configuring sync.Mutex
	configured  []byte                   // what settings was made from
	settings    atomic.Pointer[Settings] // nil until the first call that needs them
}

func newService(p Plugin) *service {
	s := &service{plugin: p, discovered: discover(p), groups: make(map[string]Group, len(p.Groups))}
	for _, g := range p.Groups {
		s.groups[g.Name] = g
	}
	return s
}

// Discover answers with what the plugin said of itself, the same every time.
func (s *service) Discover(context.Context, *formatterv1.DiscoverRequest) (*formatterv1.DiscoverResponse, error) {
	return s.discovered, nil
}

// Configure takes over the values of the settings. The daemon calls it once; only
// a plugin that is debugged may see another daemon with the same ones.
func (s *service) Configure(_ context.Context, req *formatterv1.ConfigureRequest) (*formatterv1.ConfigureResponse, error) {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	if s.settings.Load() != nil && bytes.Equal(s.configured, req.GetSettings()) {
		return &formatterv1.ConfigureResponse{}, nil
	}
	if s.settings.Load() != nil {
		return nil, status.Error(codes.FailedPrecondition, "the plugin is configured already; start it anew for other settings")
	}
	if err := s.configure(req.GetSettings()); err != nil {
		return nil, err
	}
	return &formatterv1.ConfigureResponse{}, nil
}

// configure sets the settings; s.configuring is held.
func (s *service) configure(text []byte) error {
	settings, err := newSettings(s.plugin.Settings, text)
	if err == nil && s.plugin.Configure != nil {
		err = guard(func() error { return s.plugin.Configure(settings) })
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, clip(err.Error(), maxErrorBytes))
	}
	s.configured = text
	s.settings.Store(&settings)
	return nil
}

// batch reads what the two requests have in common. A daemon does not call
// Configure if no settings are declared.
func (s *service) batch(req request) (Batch, error) {
	if s.settings.Load() == nil {
		s.configuring.Lock()
		defer s.configuring.Unlock()
		if s.settings.Load() == nil {
			if err := s.configure(nil); err != nil {
				return Batch{}, err
			}
		}
	}
	b := batchFromWire(req)
	b.Settings = *s.settings.Load()
	return b, nil
}

// WriteMessages has the author's function format a batch.
func (s *service) WriteMessages(ctx context.Context, req *formatterv1.WriteMessagesRequest) (*formatterv1.WriteMessagesResponse, error) {
	group, err := s.group(req.GetGroup())
	if err != nil {
		return nil, err
	}
	if group.WriteMessages == nil {
		return nil, status.Errorf(codes.Unimplemented, "group %q has the default format", group.Name)
	}

	batch, err := s.batch(req)
	if err != nil {
		return nil, err
	}
	var doc Document
	err = guard(func() (err error) {
		doc, err = group.WriteMessages(ctx, batch)
		return err
	})
	if err != nil {
		if rejections := Rejections(err); len(rejections) > 0 {
			return rejectionsToWire(rejections, req.GetMessages())
		}
		return nil, toStatus(ctx, err)
	}
	if err := doc.validate(); err != nil {
		return nil, status.Error(codes.Internal, clip(err.Error(), maxErrorBytes))
	}
	return &formatterv1.WriteMessagesResponse{Document: documentToWire(doc)}, nil
}

// FormatHTTPRequest has the author's function say how a batch is to be sent.
func (s *service) FormatHTTPRequest(ctx context.Context, req *formatterv1.FormatHTTPRequestRequest) (*formatterv1.FormatHTTPRequestResponse, error) {
	group, err := s.group(req.GetGroup())
	if err != nil {
		return nil, err
	}
	if group.FormatHTTPRequest == nil {
		return nil, status.Errorf(codes.Unimplemented, "group %q leaves the HTTP request to the daemon", group.Name)
	}

	batch, err := s.batch(req)
	if err != nil {
		return nil, err
	}
	outgoing := Outgoing{Batch: batch, Document: documentFromWire(req.GetDocument())}
	var request HTTPRequest
	err = guard(func() (err error) {
		request, err = group.FormatHTTPRequest(ctx, outgoing)
		return err
	})
	if err != nil {
		return nil, toStatus(ctx, err)
	}
	if err := request.validate(); err != nil {
		return nil, status.Error(codes.Internal, clip(err.Error(), maxErrorBytes))
	}
	return requestToWire(request), nil
}

func (s *service) group(name string) (Group, error) {
	g, ok := s.groups[name]
	if !ok {
		return Group{}, status.Errorf(codes.NotFound, "this plugin has no group %q", name)
	}
	return g, nil
}

// rejectionsToWire refuses ids that are not in the batch: the daemon could do
// nothing with them, and the author would never learn of the mistake.
func rejectionsToWire(rejections []Rejection, messages []*formatterv1.Message) (*formatterv1.WriteMessagesResponse, error) {
	known := make(map[uint64]bool, len(messages))
	for _, m := range messages {
		known[m.GetId()] = true
	}
	resp := new(formatterv1.WriteMessagesResponse)
	for _, r := range rejections {
		if !known[r.ID] {
			return nil, status.Errorf(codes.Internal,
				"the formatter rejected message %d, which is not in the batch: %s", r.ID, clip(r.Reason, MaxReasonBytes))
		}
		resp.Rejections = append(resp.Rejections, &formatterv1.Rejection{
			Id:     r.ID,
			Reason: clip(r.Reason, MaxReasonBytes),
		})
	}
	return resp, nil
}
