//go:build amd64 || arm64

package sandbox_test

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

func networkAttempts() []attempt {
	socket := func(family, kind, protocol int) func(target) error {
		return func(target) error { return closing(unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)) }
	}
	return []attempt{
		{name: "connect by TCP", try: func(t target) error { return dial("tcp4", t.TCP, false) }},
		{name: "connect by MPTCP", try: func(t target) error { return dial("tcp4", t.TCP, true) }},
		{name: "listen for TCP", try: func(target) error {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err == nil {
				_ = l.Close()
			}
			return err
		}},
		{name: "send by UDP", try: func(t target) error {
			c, err := net.Dial("udp4", t.UDP)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			_, err = c.Write([]byte("leak"))
			return err
		}},
		{name: "look a name up by DNS", try: askDNS},
		{name: "connect to a unix socket", try: func(t target) error { return dial("unix", t.Unix, false) }},
		{name: "send to a unix datagram socket", try: func(t target) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			return unix.Sendto(fd, []byte("leak"), 0, &unix.SockaddrUnix{Name: t.Datagram})
		}},
		{name: "connect to an abstract unix socket", try: func(t target) error { return dial("unix", t.Abstract, false) }},
		{name: "open a netlink socket", try: socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)},
		{name: "open a vsock socket", needs: "kernel", try: socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
		{name: "open a crypto socket", needs: "kernel", try: socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
		{name: "open a raw socket", needs: "root", try: socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
		{name: "open a packet socket", needs: "root", try: socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
	}
}

func dial(network, address string, multipath bool) error {
	d := net.Dialer{Timeout: time.Second}
	d.SetMultipathTCP(multipath)
	c, err := d.Dial(network, address)
	if err == nil {
		_ = c.Close()
	}
	return err
}

// askDNS asks the daemon's own name server, which answers anything.
func askDNS(t target) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "udp4", t.UDP)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	question := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
	if _, err := c.Write(question); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 512))
	return err
}
