package cluster

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"

	"github.com/hashicorp/go-hclog"
)

// Config says what a node is, and where the others are.
type Config struct {
	// Name is the name of the node, which no other one of the cluster has: 1 to 64
	// letters, digits, "-", "_" and ".".
	Name string
	// Cluster is the name of the cluster; "restante" if empty. Nodes of other
	// clusters are refused.
	Cluster string
	// Dir is the folder for what the node keeps. It is made if it does not exist.
	// No other process may use it.
	Dir string
	// Listen is the address and port for the other nodes, such as "10.0.0.1:7422".
	// A node alone does not listen.
	Listen string
	// Peers are the addresses of the other nodes. The own may be among them, so
	// that all nodes can have the same list. None means a node alone.
	Peers []string
	// TLS is for the connections between nodes. It and Secret may be left out only
	// if all addresses are of this machine.
	TLS *TLS
	// Secret is the same on all nodes: 16 characters or more.
	Secret string
	// MaxStore is how many bytes the streams may have; 0 is no limit but the disk.
	MaxStore int64
	// Log may be nil.
	Log hclog.Logger
}

// TLS names files, in PEM. The certificate is shown to nodes that connect and to
// those that are connected to, so it must be good for servers and for clients, and
// for the address that the others have in their Peers. The same authority has
// issued those of all nodes, and should issue no others.
type TLS struct {
	CertFile, KeyFile, CAFile string
}

// SettingError says which setting is wrong: "node", "listen", "peers", "secret",
// "cluster" or "tls".
type SettingError struct {
	Setting string
	Err     error
}

func (e *SettingError) Error() string { return e.Err.Error() }

func (e *SettingError) Unwrap() error { return e.Err }

func wrong(setting, format string, args ...any) error {
	return &SettingError{setting, fmt.Errorf(format, args...)}
}

// minSecret is how many characters a secret has at least.
const minSecret = 16

var goodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Check returns a SettingError if something can't be as it is. It reads the files
// of the TLS settings, and looks nothing up.
func (c *Config) Check() error {
	if !goodName.MatchString(c.Name) {
		return wrong("node", "node is %q; a name has 1 to 64 letters, digits, \"-\", \"_\" and \".\"", c.Name)
	}
	if c.Cluster != "" && !goodName.MatchString(c.Cluster) {
		return wrong("cluster", "cluster is %q; a name has 1 to 64 letters, digits, \"-\", \"_\" and \".\"", c.Cluster)
	}
	if c.Listen == "" && len(c.Peers) > 0 {
		return wrong("listen", "listen is not set: the other nodes need an address to reach this one, such as \"10.0.0.1:7422\"")
	}
	if c.Listen != "" {
		if _, _, err := parseAddress(c.Listen); err != nil {
			return wrong("listen", "listen is %w", err)
		}
	}
	for i, peer := range c.Peers {
		host, _, err := parseAddress(peer)
		if err != nil {
			return wrong("peers", "peers has %w", err)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			return wrong("peers", "peers has %q, which is no address that another machine could be reached at", peer)
		}
		if slices.Contains(c.Peers[:i], peer) {
			return wrong("peers", "peers has %q twice", peer)
		}
	}
	if c.Secret != "" && len(c.Secret) < minSecret {
		return wrong("secret", "secret has %d characters, and needs %d: make one with: openssl rand -base64 24", len(c.Secret), minSecret)
	}
	if c.TLS != nil {
		if _, err := c.TLS.config(); err != nil {
			return &SettingError{"tls", err}
		}
	}
	return c.checkOpen()
}

// checkOpen refuses what would let others read along, or join.
func (c *Config) checkOpen() error {
	if c.alone() || c.TLS != nil && c.Secret != "" {
		return nil
	}
	missing := "secret"
	if c.TLS == nil {
		missing = "tls"
	}
	for _, address := range append([]string{c.Listen}, c.Peers...) {
		if host, _, _ := parseAddress(address); !loopback(host) {
			return wrong(missing, "the nodes talk beyond this machine, to or at %s, and there is no %s: whoever reaches the port could read all messages. Set both tls and secret", address, missing)
		}
	}
	return nil
}

func (c *Config) alone() bool { return len(c.others()) == 0 }

// others are the peers without the node itself, as far as that can be told without
// looking names up.
func (c *Config) others() (all []string) {
	for _, peer := range c.Peers {
		if !c.isSelf(peer) {
			all = append(all, peer)
		}
	}
	return all
}

// Nodes is how many nodes the cluster has, as far as this one is told.
func (c *Config) Nodes() int { return len(c.others()) + 1 }

func (c *Config) isSelf(peer string) bool {
	if peer == c.Listen {
		return true
	}
	host, port, err := parseAddress(peer)
	own, ownPort, wrong := parseAddress(c.Listen)
	if err != nil || wrong != nil || port != ownPort {
		return false
	}
	ip, ownIP := net.ParseIP(host), net.ParseIP(own)
	if own != "" && (ownIP == nil || !ownIP.IsUnspecified()) {
		return ip != nil && ip.Equal(ownIP)
	}
	addresses, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && ip != nil && n.IP.Equal(ip)
	})
}

func parseAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q, which is not of the form ADDRESS:PORT, such as \"10.0.0.1:7422\"", address)
	}
	return host, port, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
