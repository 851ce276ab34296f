package cluster

import "errors"

// ClientAddress is where the server listens for clients, of which there are none.
func (n *Node) ClientAddress() (string, error) {
	if a := n.server.Addr(); a != nil {
		return a.String(), nil
	}
	return "", errors.New("it does not listen")
}
