package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	plugrunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/restante/restante/proto/handshake"
)

// Limits of what comes over go-plugin's own streams and in headers.
const (
	maxStdioBytes  = 1 << 20
	maxHeaderBytes = 256 << 10
	// windowBytes is how much of a message may be on its way: 1 MiB.
	windowBytes = 1 << 20
)

// clientConfig returns go-plugin's settings for one process. go-plugin writes
// into it, so nothing of it may be shared between processes.
func (p *Process) clientConfig(folder string) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Host(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: folder},
		// Its own messages say nothing that we don't say better, and its
		// parser of the plugin's log must not run: it panics.
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
		// Ours ends the process first, which ends go-plugin's waiting.
		StartTimeout: 2 * p.config.StartTimeout,
		SyncStdout:   syncWriter{p.run, false},
		SyncStderr:   syncWriter{p.run, true},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (plugrunner.Runner, error) {
			p.run.env, p.run.dir, p.run.output.folder = spec.Env, dir, dir
			return p.run, checkPrivate(dir)
		},
		// Connections are plain: nobody else can reach a socket in a folder
		// that only we may enter.
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithContextDialer(p.dial),
			grpc.WithIdleTimeout(0),
			// Windows that stay as they are save a ping with every reply, by
			// which gRPC would measure the line.
			grpc.WithStaticStreamWindowSize(windowBytes),
			grpc.WithStaticConnWindowSize(windowBytes),
			grpc.WithDisableServiceConfig(),
			grpc.WithMaxHeaderListSize(maxHeaderBytes),
			grpc.WithDefaultCallOptions(
				grpc.MaxCallRecvMsgSize(p.config.MaxMessageBytes),
				grpc.MaxCallSendMsgSize(p.config.MaxMessageBytes),
			),
			grpc.WithChainStreamInterceptor(p.openStream),
		},
	}
}

// connect starts the process and connects to it. It returns when that is done
// or the process has ended.
func (p *Process) connect() error {
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	service, err := protocol.Dispense(handshake.Service)
	if err != nil {
		return err
	}
	formatter, ok := service.(*handshake.Client)
	if !ok {
		return fmt.Errorf("connect: got a %T", service)
	}
	p.protocol, p.formatter = protocol, formatter
	select {
	case <-p.lost:
		return errors.New("nothing listens at the socket that it announced, or it closed the connection at once")
	default:
		return nil
	}
}

// dial makes the one connection of a process. A second one would mean that the
// plugin closed the first, and might lead who knows where by then.
func (p *Process) dial(ctx context.Context, _ string) (net.Conn, error) {
	if p.dialed.Swap(true) {
		return nil, errDialedTwice
	}
	address := p.run.socket()
	if err := p.run.checkAddress("unix", address); err != nil {
		p.lose()
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", address)
	if err != nil {
		p.lose()
		return nil, err
	}
	return &watchedConn{Conn: conn, lost: p.lose}, nil
}

// watchedConn tells when its connection is closed, by either side.
type watchedConn struct {
	net.Conn
	lost func()
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.lost()
	}
	return n, err
}

// openStream is called for the streams that go-plugin opens on its own.
func (p *Process) openStream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	p.mu.Lock()
	p.conns = append(p.conns, conn)
	p.mu.Unlock()
	switch method {
	case "/plugin.GRPCStdio/StreamStdio":
		// A plugin that prints through go-plugin would block if nobody read
		// this. go-plugin holds a lock while the stream is opened, which it
		// needs for saying that the process has ended, so that must end this.
		ctx, cancel := context.WithCancel(ctx)
		p.helpers.Go(func() {
			<-p.run.exited
			cancel()
		})
		return open(ctx, desc, conn, method, append(opts, grpc.MaxCallRecvMsgSize(maxStdioBytes))...)
	default:
		// The broker's stream is of no use to us, and whatever a plugin sends
		// on it costs go-plugin a goroutine for five seconds.
		return nil, status.Error(codes.Unimplemented, "not used by the daemon")
	}
}

// closeConns closes what go-plugin leaves open when connecting fails half-way.
func (p *Process) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleared = true
	for _, conn := range p.conns {
		_ = conn.Close()
	}
}

// syncWriter takes what a plugin prints by way of go-plugin's stream.
type syncWriter struct {
	run    *runner
	stderr bool
}

func (w syncWriter) Write(b []byte) (int, error) {
	w.run.synced(b, w.stderr)
	return len(b), nil
}
