// Package handshake says how the daemon and a plugin recognise each other and
// agree on a protocol version. Both sides import it, so that they can't differ.
//
// It may import go-plugin, gRPC and the generated contract.
package handshake

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// The plugin refuses to run unless its environment holds CookieKey with
// CookieValue: it was started by hand then. This is no secret and no defence;
// it lets a plugin say what it is to a person who runs it.
const (
	CookieKey   = "RESTANTE_PLUGIN"
	CookieValue = "formatter-6f1a7c52"
)

// V1 is the protocol version of the package restante.formatter.v1. Host and
// plugin each offer a set of versions, and the highest that both have is used.
const V1 = 1

// Service is the name under which go-plugin dispenses the formatter.
const Service = "formatter"

// MaxMessageBytes is the largest gRPC message that either side accepts: 64 MiB.
// A plugin written with the SDK accepts requests up to this size; the host may
// lower the limit for replies.
const MaxMessageBytes = 64 << 20

// Config returns go-plugin's handshake settings. The version in it is what a
// plugin is taken to speak that does not negotiate at all.
func Config() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  V1,
		MagicCookieKey:   CookieKey,
		MagicCookieValue: CookieValue,
	}
}

// Host returns the versions that the daemon offers. Dispensing Service gives
// a *Client.
func Host() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{V1: {Service: &v1{}}}
}

// Plugin returns the versions that a plugin offers, all served by impl.
func Plugin(impl formatterv1.FormatterServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{V1: {Service: &v1{impl: impl}}}
}

// Client is the host's connection to one plugin process.
type Client struct {
	formatterv1.FormatterClient

	// Gone is closed as soon as the process is known to have ended.
	Gone <-chan struct{}
}

// v1 carries the service over go-plugin's gRPC connection.
type v1 struct {
	plugin.NetRPCUnsupportedPlugin
	impl formatterv1.FormatterServer
}

func (p *v1) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	formatterv1.RegisterFormatterServer(s, p.impl)
	return nil
}

func (p *v1) GRPCClient(ctx context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &Client{FormatterClient: formatterv1.NewFormatterClient(conn), Gone: ctx.Done()}, nil
}
