package boltstore_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
)

// BenchmarkAppend adds 100 messages of 1,000 bytes in one request.
func BenchmarkAppend(b *testing.B) {
	s := open(b, boltstore.Config{Path: filepath.Join(b.TempDir(), "restante.db")})
	a := host.Addition{Group: "g"}
	for range 100 {
		a.Data = append(a.Data, json.RawMessage(`"`+strings.Repeat("x", 998)+`"`))
	}
	for b.Loop() {
		if _, err := s.Append(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnread reads batches of 16 and of 1,000 messages of 1,000 bytes.
func BenchmarkUnread(b *testing.B) {
	s := open(b, boltstore.Config{Path: filepath.Join(b.TempDir(), "restante.db")})
	a := host.Addition{Group: "g"}
	for range 1000 {
		a.Data = append(a.Data, json.RawMessage(`"`+strings.Repeat("x", 998)+`"`))
	}
	if _, err := s.Append(b.Context(), a); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{16, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Unread(b.Context(), "g", n, host.MaxBatchBytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const (
	many       = 1_000_000
	deliveries = 60_000
)

// BenchmarkMillion looks at a group of a million messages of 500 bytes, of which
// three are held and most were read, in 60,000 deliveries.
func BenchmarkMillion(b *testing.B) {
	s := open(b, boltstore.Config{Path: filepath.Join(b.TempDir(), "restante.db")})
	s.DontSync()
	x := exchange(b, s)
	fillMillion(b, x)
	ctx := b.Context()
	middle, err := s.Message(ctx, "g", many/2)
	if err != nil {
		b.Fatal(err)
	}
	var all host.Ranges
	all.Add(host.Range{First: 1, Last: many})
	for _, c := range []struct {
		name string
		run  func() (int, error)
		want int
	}{
		{"ListNewest50", func() (int, error) { found, err := s.List(ctx, "g", 0, 50); return len(found), err }, 50},
		{"ListMiddle50", func() (int, error) { found, err := s.List(ctx, "g", many/2, 50); return len(found), err }, 50},
		{"ListHeld", func() (int, error) { found, err := s.List(ctx, "g", 0, 50, host.Held); return len(found), err }, 3},
		{"ListUnread50", func() (int, error) { found, err := s.List(ctx, "g", 0, 50, host.Unread); return len(found), err }, 50},
		{"CountIn", func() (int, error) { c, err := s.CountIn(ctx, "g", all); return int(c.Read + c.Held + c.Unread), err }, many},
		{"At", func() (int, error) { id, err := s.At(ctx, "g", middle.Time); return min(int(id), 1), err }, 1},
		{"Carrying", func() (int, error) { found, err := x.Deliveries.Carrying(ctx, "g", 1000, 20); return len(found), err }, 1},
		{"Deliveries20", func() (int, error) { found, err := x.Deliveries.List(ctx, "g", 0, 20); return len(found), err }, 20},
		{"SearchNothing", func() (int, error) {
			found, _, err := x.Search(ctx, "g", host.Query{Text: "no such text"}, nil)
			return len(found), err
		}, 0},
		{"SearchCommon", func() (int, error) {
			found, _, err := x.Search(ctx, "g", host.Query{Text: "student 1"}, nil)
			return len(found), err
		}, host.DefaultFound},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if got, err := c.run(); err != nil || got != c.want {
					b.Fatalf("%d, %v, want %d", got, err, c.want)
				}
			}
		})
	}
}

func exchange(b *testing.B, s *boltstore.Store) *host.Exchange {
	queues, err := host.OpenQueues(b.Context(), s, []host.Queue{{Group: "g"}})
	if err != nil {
		b.Fatal(err)
	}
	tokens, err := host.OpenTokens(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	return &host.Exchange{Store: s, Queues: queues, Tokens: tokens, Deliveries: host.NewDeliveries(s, time.Now, nil)}
}

func fillMillion(b *testing.B, x *host.Exchange) {
	const each = 10_000
	for first := 0; first < many; first += each {
		a := host.Addition{Group: "g"}
		for i := range each {
			data := fmt.Sprintf(`{"name":"student %d","note":"caf\u00e9 `, first+i)
			a.Data = append(a.Data, json.RawMessage(data+strings.Repeat("x", 498-len(data))+`"}`))
		}
		if _, err := x.Store.Append(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := x.Hold(b.Context(), "g", host.NewRanges(17, many/3, many-7)); err != nil {
		b.Fatal(err)
	}
	for range deliveries {
		f, err := x.Fetch(b.Context(), "g", host.DefaultFetch, host.Caller{})
		if err == nil {
			_, err = x.Mark(b.Context(), "g", f.Token, nil, host.Caller{})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := x.Deliveries.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
