package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/restante/restante/proto/handshake"
	"github.com/restante/restante/sdk/internal/logging"
	"github.com/restante/restante/sdk/internal/process"
)

// stopGrace is how long the calls in flight may take when the plugin is told
// to stop.
const stopGrace = 5 * time.Second

// Serve runs the plugin until the daemon ends it, and then returns; main should
// return too, so that the exit status is 0. That is when the daemon asks for
// it, on SIGTERM, and when standard input is a pipe or socket that is closed.
// Calls in flight have five seconds to finish. SIGINT is ignored: Ctrl-C in a
// terminal reaches the plugin as well as the daemon, which decides.
//
// Where the plugin's description is wrong, Serve prints what is wrong, and
// where no daemon started the program, what it is and how to install it; both
// go to standard error, and the process exits with status 1.
//
// With RESTANTE_DEBUG=1 in the environment the plugin runs by hand, for example
// under a debugger. It prints a line that makes a daemon use this process, without
// any deadline, until it is ended by SIGINT or SIGTERM.
//
// Serve sets the default logger of log/slog and takes over standard output, as
// the package's documentation says. Call it once, from main.
func Serve(p Plugin) {
	if err := p.Validate(); err != nil {
		fmt.Fprint(os.Stderr, faultText(p, err))
		os.Exit(1)
	}
	if os.Getenv(debugKey) != "" {
		serveDebugged(p)
		return
	}
	if os.Getenv(handshake.CookieKey) != handshake.CookieValue {
		fmt.Fprint(os.Stderr, byHandText(p, os.Args[0]))
		os.Exit(1)
	}
	if !serve(p) {
		os.Exit(1)
	}
}

// windowBytes is how much of a message may be on its way: 1 MiB.
const windowBytes = 1 << 20

// limits are the settings of every server of a plugin.
func limits() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(handshake.MaxMessageBytes),
		grpc.MaxSendMsgSize(handshake.MaxMessageBytes),
		// Windows that stay as they are save a ping with every request, by which
		// gRPC would measure the line.
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
	}
}

// serve reports whether the server came up at all. go-plugin logs why not.
func serve(p Plugin) bool {
	slog.SetDefault(slog.New(logging.New(Logger())))
	output := process.ClaimOutput(stderr)
	defer runtime.KeepAlive(output)

	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	defer signal.Stop(term)
	stdinEnded := process.StdinEnded(os.Stdin)

	stopper := process.NewStopper()
	started := make(chan *grpc.Server, 1)
	up := false
	newServer := func(opts []grpc.ServerOption) *grpc.Server {
		server := grpc.NewServer(append(append(opts, limits()...),
			grpc.StreamInterceptor(stopper.Stream),
			grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
				output.Release()
				return call(ctx, req)
			}),
		)...)
		started <- server
		up = true
		return server
	}

	served, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-term:
		case <-stdinEnded:
		case <-served: // the daemon has cut off all calls already
			return
		}
		select {
		case server := <-started:
			stopper.Stop(server, stopGrace)
		case <-served:
		}
	}()

	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugin(newService(p)),
		GRPCServer:       newServer,
		Logger:           Logger().Named("go-plugin"),
	})
	close(served)
	<-watched
	return up
}
