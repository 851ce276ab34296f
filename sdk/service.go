package sdk

import (
	"context"

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

// service answers the daemon's calls for one plugin. It holds no state, so the
// calls may run at the same time.
type service struct {
	formatterv1.UnimplementedFormatterServer

	discovered *formatterv1.DiscoverResponse
	groups     map[string]Group
}

func newService(p Plugin) *service {
	s := &service{discovered: discover(p), groups: make(map[string]Group, len(p.Groups))}
	for _, g := range p.Groups {
		s.groups[g.Name] = g
	}
	return s
}

// Discover answers with what the plugin said of itself, the same every time.
func (s *service) Discover(context.Context, *formatterv1.DiscoverRequest) (*formatterv1.DiscoverResponse, error) {
	return s.discovered, nil
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

	batch := batchFromWire(req)
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

	outgoing := Outgoing{Batch: batchFromWire(req), Document: documentFromWire(req.GetDocument())}
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
