package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// groups of the cycle: one in the default format, one through a plugin.
var cycleGroups = []string{"plain", "csv"}

// fill makes a store whose groups have so many read messages, and some unread
// ones after them.
func fill(ctx context.Context, path string, history, unread int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	store, err := boltstore.Open(boltstore.Config{Path: path})
	if err != nil {
		return err
	}
	defer store.Close()
	for _, g := range cycleGroups {
		a := host.Addition{Group: host.GroupName(g)}
		for range 10_000 {
			a.Data = append(a.Data, json.RawMessage(message))
		}
		for left := history / len(cycleGroups); left > 0; left -= len(a.Data) {
			a.Data = a.Data[:min(left, len(a.Data))]
			if _, err := store.Append(ctx, a); err != nil {
				return err
			}
		}
		var all host.Ranges
		all.Add(host.Range{First: 1, Last: host.ID(history / len(cycleGroups))})
		if _, _, err := store.Move(ctx, a.Group, all, host.Read); err != nil {
			return err
		}
		a.Data = a.Data[:0]
		for range unread {
			a.Data = append(a.Data, json.RawMessage(message))
		}
		if _, err := store.Append(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

const cycles = 300

// benchCycle measures fetch and mark with little and with much history, by
// turns on two daemons.
func benchCycle(ctx context.Context, s *settings) error {
	histories := []int{1000, s.history}
	var clients []*client
	for _, history := range histories {
		name := fmt.Sprintf("history-%d", history)
		if err := fill(ctx, filepath.Join(s.folder, name, "restante.db"), history, cycles*host.DefaultFetch*2); err != nil {
			return err
		}
		d, err := startDaemon(ctx, s, name)
		if err != nil {
			return err
		}
		defer d.kill(syscall.SIGTERM)
		c, err := d.dial(ctx)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		clients = append(clients, c)
	}
	fetch := map[string][][]float64{}
	cycle := map[string][][]float64{}
	for _, g := range cycleGroups {
		fetch[g], cycle[g] = make([][]float64, len(clients)), make([][]float64, len(clients))
	}
	for range cycles {
		for i, c := range clients {
			for _, g := range cycleGroups {
				began := time.Now()
				token, _, err := c.send(c.request("GET", "/poll/"+g+"/fetch", "", nil), 200)
				if err != nil {
					return err
				}
				fetched := time.Now()
				form := []byte(url.Values{"token": {token}}.Encode())
				_, answer, err := c.send(c.request("POST", "/poll/"+g+"/mark", "application/x-www-form-urlencoded", form), 200)
				if err != nil {
					return err
				}
				if !bytes.HasPrefix(answer, []byte("Marked: 16,")) {
					return fmt.Errorf("the mark answered %s", answer)
				}
				fetch[g][i] = append(fetch[g][i], ms(fetched.Sub(began)))
				cycle[g][i] = append(cycle[g][i], ms(time.Since(began)))
			}
		}
	}
	fmt.Printf("Fetch 16 and mark 16, in ms (median of %d, by turns)\n", cycles)
	fmt.Printf("%-28s %12s %12s %8s\n", "messages of history", fmt.Sprint(histories[0]), fmt.Sprint(histories[1]), "ratio")
	line := func(name string, v [][]float64, note string) {
		few, many := median(v[0]), median(v[1])
		fmt.Printf("%-28s %12.2f %12.2f %8.2f%s\n", name, few, many, many/few, note)
	}
	line("default JSON: fetch", fetch["plain"], "")
	line("default JSON: fetch and mark", cycle["plain"], "   to reach: 1.2 at most")
	line("plugin csv:   fetch", fetch["csv"], "")
	line("plugin csv:   fetch and mark", cycle["csv"], "   to reach: 1.2 at most")
	fmt.Printf("A fetch through the plugin takes %+.2f ms at the median    to reach: +0.50 at most\n\n",
		median(fetch["csv"][0])-median(fetch["plain"][0]))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// benchStart measures a start with much history, after a stop and after a kill.
func benchStart(ctx context.Context, s *settings) error {
	name := fmt.Sprintf("history-%d", s.history)
	path := filepath.Join(s.folder, name, "restante.db")
	if _, err := os.Stat(path); err != nil {
		if err := fill(ctx, path, s.history, host.DefaultFetch); err != nil {
			return err
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Printf("Start with %d messages in a file of %d MiB, four plugins    to reach: under 1 s and 100 MiB\n", s.history, info.Size()>>20)
	fmt.Printf("%-28s %12s %16s %16s\n", "", "seconds", "resident MiB", "of it not file")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		var took, all, own []float64
		for range s.rounds {
			d, err := startDaemon(ctx, s, name)
			if err != nil {
				return err
			}
			// A write makes the file one that was not closed.
			if _, err := d.key(ctx); err != nil {
				return err
			}
			d.kill(signal)
			if d, err = startDaemon(ctx, s, name); err != nil {
				return err
			}
			a, o, err := d.memory()
			if err != nil {
				return err
			}
			took, all, own = append(took, d.took.Seconds()), append(all, a), append(own, o)
			d.kill(syscall.SIGTERM)
		}
		what := "after a stop"
		if signal == syscall.SIGKILL {
			what = "after kill -9"
		}
		fmt.Printf("%-28s %12.2f %16.0f %16.0f\n", what, median(took), median(all), median(own))
	}
	return nil
}
