package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/restante/restante/proto/handshake"
	"github.com/restante/restante/sdk/internal/logging"
)

// debugKey in the environment has a plugin run by hand.
const debugKey = "RESTANTE_DEBUG"

// serveDebugged serves the plugin until it is interrupted, to whatever daemon asks.
func serveDebugged(p Plugin) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	slog.SetDefault(slog.New(logging.New(Logger())))
	where := make(chan *plugin.ReattachConfig, 1)
	go func() {
		select {
		case c := <-where:
			fmt.Print(reattachText(p, c))
		case <-ctx.Done():
		}
	}()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugin(newService(p)),
		GRPCServer:       func(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(append(opts, limits()...)...) },
		Logger:           Logger().Named("go-plugin"),
		Test:             &plugin.ServeTestConfig{Context: ctx, ReattachConfigCh: where},
	})
}

// reattachText tells a person how to have a daemon use this process.
func reattachText(p Plugin, c *plugin.ReattachConfig) string {
	value, _ := json.Marshal(map[string]any{p.Name: map[string]any{
		"pid": c.Pid, "address": c.Addr.String(), "version": handshake.V1,
	}})
	return fmt.Sprintf(`%s %s waits for a daemon. Start one with this in its environment:

  RESTANTE_REATTACH='%s'

It uses this process instead of the plugin's file, and gives it all the time that
you need. End it with Ctrl-C.
`, p.Name, p.Version, value)
}
