package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const base = "/api/haplo-integration-messages"

// client is one keep-alive connection. It does as little as it can, since it
// shares the machine with the server that is measured.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	auth string
	host string
}

func dial(address, key string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	auth := base64.StdEncoding.EncodeToString([]byte("haplo:" + key))
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), auth: auth, host: address}, nil
}

func (c *client) request(method, path, contentType string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\n", method, base+path, c.host, c.auth)
	if body != nil {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

// send sends a request and returns the answer's body, and the value of
// Restante-Token if it has that header.
func (c *client) send(request []byte, want int) (token string, body []byte, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return "", nil, err
	}
	status, length := 0, 0
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return "", nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if first {
			status, _ = strconv.Atoi(text[9:12])
			continue
		}
		if text == "" {
			break
		}
		switch name, value, _ := strings.Cut(text, ": "); name {
		case "Content-Length":
			length, _ = strconv.Atoi(value)
		case "Restante-Token":
			token = value
		}
	}
	body = make([]byte, length)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return "", nil, err
	}
	if status != want {
		return "", nil, fmt.Errorf("status %d, want %d: %.200s", status, want, body)
	}
	return token, body, nil
}

// rate runs work in n goroutines for a while and returns how often a second it
// was done. prepare makes the work of one goroutine.
func rate(n int, d time.Duration, prepare func() (work func() error, done func(), err error)) (float64, error) {
	var count atomic.Int64
	var failure atomic.Pointer[error]
	var ready, wait sync.WaitGroup
	start := make(chan struct{})
	var deadline time.Time
	ready.Add(n)
	for range n {
		wait.Go(func() {
			work, done, err := prepare()
			ready.Done()
			if err != nil {
				failure.Store(&err)
				return
			}
			defer done()
			<-start
			for time.Now().Before(deadline) {
				if err := work(); err != nil {
					failure.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	ready.Wait()
	began := time.Now()
	deadline = began.Add(d)
	close(start)
	wait.Wait()
	if err := failure.Load(); err != nil {
		return 0, *err
	}
	return float64(count.Load()) / time.Since(began).Seconds(), nil
}

// addRate measures adds over HTTP.
func addRate(address, key string, n int, d time.Duration, contentType string, body []byte) (float64, error) {
	return addRates([]string{address}, []string{"plain"}, key, n, d, contentType, body)
}

// addRates measures adds over HTTP by clients that are spread over addresses and
// groups.
func addRates(addresses, groups []string, key string, n int, d time.Duration, contentType string, body []byte) (float64, error) {
	var next atomic.Int64
	return rate(n, d, func() (func() error, func(), error) {
		i := int(next.Add(1))
		c, err := dial(addresses[i%len(addresses)], key)
		if err != nil {
			return nil, nil, err
		}
		request := c.request("POST", "/add/"+groups[i%len(groups)], contentType, body)
		return func() error {
			_, _, err := c.send(request, http.StatusCreated)
			return err
		}, func() { c.conn.Close() }, nil
	})
}
