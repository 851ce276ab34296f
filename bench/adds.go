package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// message is about 1 KiB of JSON with a few levels.
var message = []byte(`{"action":"update","student":{"id":"S1234567","name":"Ada Lovelace","marks":[` +
	strings.Repeat(`{"code":"CS101","credits":20,"mark":71.5},`, 19) + `null]},"note":"` + strings.Repeat("x", 100) + `"}`)

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// benchAdds measures durable adds three ways, by turns.
func benchAdds(ctx context.Context, s *settings) error {
	d, err := startDaemon(ctx, s, "adds")
	if err != nil {
		return err
	}
	defer d.kill(syscall.SIGTERM)
	key, err := d.key(ctx)
	if err != nil {
		return err
	}
	bare, stop, err := startBare(ctx)
	if err != nil {
		return err
	}
	defer stop()
	store, err := boltstore.Open(boltstore.Config{Path: filepath.Join(s.folder, "direct.db")})
	if err != nil {
		return err
	}
	defer os.Remove(filepath.Join(s.folder, "direct.db"))
	defer store.Close()
	direct := func(n, each int) (float64, error) {
		a := host.Addition{Group: "plain"}
		for range each {
			a.Data = append(a.Data, json.RawMessage(message))
		}
		return rate(n, s.each, func() (func() error, func(), error) {
			return func() error { _, err := store.Append(ctx, a); return err }, func() {}, nil
		})
	}
	fmt.Printf("Durable adds of %d bytes, a second (median of %d runs of %v, by turns)\n", len(message), s.rounds, s.each)
	fmt.Printf("%-28s %9s %12s %12s %8s %8s\n", "", "HTTP", "(a) store", "(b) bare", "HTTP/a", "HTTP/b")
	for _, n := range []int{1, 16, 64, 256} {
		var got, a, b []float64
		for range s.rounds {
			for _, m := range []struct {
				to      *[]float64
				measure func() (float64, error)
			}{
				{&got, func() (float64, error) { return addRate(d.address, key, n, s.each, "application/json", message) }},
				{&a, func() (float64, error) { return direct(n, 1) }},
				{&b, func() (float64, error) { return addRate(bare, bareKey, n, s.each, "application/json", message) }},
			} {
				v, err := m.measure()
				if err != nil {
					return err
				}
				*m.to = append(*m.to, v)
			}
		}
		fmt.Printf("%-28s %9.0f %12.0f %12.0f %8.2f %8.2f%s\n", fmt.Sprintf("%d clients, one at a time", n),
			median(got), median(a), median(b), median(got)/median(a), median(got)/median(b), target(n))
	}
	var got, a []float64
	lines := bytes.Repeat(append(bytes.Clone(message), '\n'), 100)
	for range s.rounds {
		v, err := addRate(d.address, key, 16, s.each, "application/x-ndjson", lines)
		if err != nil {
			return err
		}
		w, err := direct(16, 100)
		if err != nil {
			return err
		}
		got, a = append(got, v*100), append(a, w*100)
	}
	fmt.Printf("%-28s %9.0f %12.0f %12s %8.2f\n\n", "16 clients, batches of 100", median(got), median(a), "", median(got)/median(a))
	return nil
}

func target(clients int) string {
	switch clients {
	case 64:
		return "   to reach: 0.35 of (a)"
	case 256:
		return "   to reach: 0.50 of (b)"
	}
	return ""
}
