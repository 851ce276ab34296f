package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

const (
	sandboxStarts = 60
	sandboxCalls  = 1000
)

// benchSandbox measures starts of a plugin and fetches through it, by turns on a
// daemon with the sandbox and on one without.
func benchSandbox(ctx context.Context, s *settings) error {
	modes := []string{"off", "enforce"}
	var fetchers []*client
	var commands []*control.Client
	for _, mode := range modes {
		name := "sandbox-" + mode
		if err := fill(ctx, filepath.Join(s.folder, name, "restante.db"), 0, host.DefaultFetch); err != nil {
			return err
		}
		d, err := startDaemon(ctx, s, name, "--sandbox", mode)
		if err != nil {
			return err
		}
		defer d.kill(syscall.SIGTERM)
		fetcher, err := d.dial(ctx)
		if err != nil {
			return err
		}
		defer fetcher.conn.Close()
		c := control.Dial(d.data)
		defer c.Close()
		fetchers, commands = append(fetchers, fetcher), append(commands, c)
	}
	starts, calls := make([][]float64, len(modes)), make([][]float64, len(modes))
	for range sandboxStarts {
		for i, c := range commands {
			began := time.Now()
			if err := c.Restart(ctx, "csv"); err != nil {
				return err
			}
			starts[i] = append(starts[i], ms(time.Since(began)))
		}
	}
	for range sandboxCalls {
		for i, c := range fetchers {
			began := time.Now()
			if _, _, err := c.send(c.request("GET", "/poll/csv/fetch", "", nil), 200); err != nil {
				return err
			}
			calls[i] = append(calls[i], ms(time.Since(began)))
		}
	}
	fmt.Printf("The sandbox, in ms (medians of %d starts and %d fetches of 16 through csv, by turns)\n", sandboxStarts, sandboxCalls)
	fmt.Printf("%-28s %12s %12s %12s\n", "", "without", "with", "")
	without, with := median(starts[0]), median(starts[1])
	fmt.Printf("%-28s %12.1f %12.1f %+9.1f ms    to reach: +30 at most\n", "start of a plugin", without, with, with-without)
	without, with = median(calls[0]), median(calls[1])
	fmt.Printf("%-28s %12.2f %12.2f %+9.0f %%     to reach: +10 at most\n\n", "fetch", without, with, (with/without-1)*100)
	return nil
}
