package cluster

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// gate lets clients in: the daemon to the account with the streams, and the node's
// own questions to the system account. Their passwords are made for one run and
// never leave the process, so nobody else gets through.
type gate struct {
	server         *server.Server
	daemon, system string
}

func newGate() *gate { return &gate{daemon: rand.Text(), system: rand.Text()} }

// Check is called by the server for every client.
func (g *gate) Check(c server.ClientAuthentication) bool {
	password := []byte(c.GetOpts().Password)
	switch {
	case subtle.ConstantTimeCompare(password, []byte(g.daemon)) == 1:
		c.RegisterUser(&server.User{Username: "daemon", Account: g.server.GlobalAccount()})
	case subtle.ConstantTimeCompare(password, []byte(g.system)) == 1:
		c.RegisterUser(&server.User{Username: "system", Account: g.server.SystemAccount()})
	default:
		return false
	}
	return true
}

// through are the options of a connection that gets through with a password, within
// the process.
func (g *gate) through(password string) []nats.Option {
	return []nats.Option{
		nats.InProcessServer(g.server), nats.UserInfo("node", password), nats.IgnoreDiscoveredServers(),
		func(*nats.Options) error {
			if g.server.Running() {
				return nil
			}
			return errors.New("the node was stopped")
		},
	}
}
