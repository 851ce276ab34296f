// Package loopback finds addresses for the servers of tests and benchmarks.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

var (
	mu    sync.Mutex
	given = map[string]bool{}
)

// FreeAddress returns an address of this machine, as "127.45.6.7:41234", for a server
// that starts later, and perhaps more than once. Nothing listens there, and nobody else
// is likely to: it is drawn from all of 127.0.0.0/8 (RFC 1122, section 3.2.1.3), while
// connections leave from 127.0.0.1. Where only 127.0.0.1 is configured, as on macOS, it
// is a port of that, which any other program may take first. No address is returned twice
// by one process. It is safe for concurrent use.
func FreeAddress() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	for {
		random := fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
		l, err := net.Listen("tcp", random+":0")
		if err != nil {
			if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				return "", err
			}
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			return "", err
		}
		if !given[address] {
			given[address] = true
			return address, nil
		}
	}
}
