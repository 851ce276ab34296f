package process

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Stopper ends a gRPC server so that the calls in flight are answered. gRPC's
// own graceful stop would wait for go-plugin's two streams too, which last
// until the daemon hangs up.
type Stopper struct {
	stopping chan struct{}
}

// NewStopper returns a Stopper for one server.
func NewStopper() *Stopper { return &Stopper{stopping: make(chan struct{})} }

// Stream is the server's stream interceptor. It ends a stream when the server
// is to stop. The handler goes on until the context of its stream is cancelled,
// which follows at once.
func (s *Stopper) Stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ended := make(chan error, 1)
	go func() { ended <- handler(srv, stream) }()
	select {
	case err := <-ended:
		return err
	case <-s.stopping:
		return status.Error(codes.Unavailable, "the plugin is stopping")
	}
}

// Stop stops the server: no new calls are taken, those that run have grace to
// finish, and what is left then is cut off. It returns when the server has
// stopped, and may be called once.
func (s *Stopper) Stop(server *grpc.Server, grace time.Duration) {
	close(s.stopping)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()

	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-stopped:
		return
	case <-timer.C:
	}
	// This returns when the connections are closed. GracefulStop may not
	// return at all, since it waits for handlers that need never end.
	server.Stop()
}
