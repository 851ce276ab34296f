package natsstore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

// eachCluster runs a benchmark on one server and on three, which run within the
// benchmark and sync always.
func eachCluster(b *testing.B, run func(b *testing.B, open func() *natsstore.Store)) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint(n, "servers"), func(b *testing.B) {
			conf := config(b, sharedCluster(b, n))
			run(b, func() *natsstore.Store { return open(b, conf) })
		})
	}
}

func kilobytes(n int) host.Addition {
	a := host.Addition{Group: "g"}
	for range n {
		a.Data = append(a.Data, json.RawMessage(`"`+strings.Repeat("x", 998)+`"`))
	}
	return a
}

// BenchmarkAppend adds 100 messages of 1,000 bytes in one request.
func BenchmarkAppend(b *testing.B) {
	eachCluster(b, func(b *testing.B, open func() *natsstore.Store) {
		s, a := open(), kilobytes(100)
		for b.Loop() {
			if _, err := s.Append(b.Context(), a); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWriters has 64 writers add single messages of 1,000 bytes, by one daemon
// to one group, by several daemons, and to several groups.
func BenchmarkWriters(b *testing.B) {
	eachCluster(b, func(b *testing.B, open func() *natsstore.Store) {
		for _, c := range []struct{ daemons, groups int }{{1, 1}, {2, 1}, {3, 1}, {1, 8}, {3, 8}} {
			b.Run(fmt.Sprintf("%ddaemons%dgroups", c.daemons, c.groups), func(b *testing.B) {
				var stores []*natsstore.Store
				for range c.daemons {
					stores = append(stores, open())
				}
				add := func(i int) {
					a := kilobytes(1)
					a.Group = host.GroupName(fmt.Sprint("g", i%c.groups))
					if _, err := stores[i%c.daemons].Append(b.Context(), a); err != nil {
						b.Error(err)
					}
				}
				for i := range 8 {
					add(i) // makes the groups
				}
				writers(b, 64, add)
			})
		}
	})
}

// writers has n goroutines share the work of a benchmark.
func writers(b *testing.B, n int, do func(i int)) {
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				do(i)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// BenchmarkUnread reads batches of 16 and of 1,000 messages of 1,000 bytes.
func BenchmarkUnread(b *testing.B) {
	eachCluster(b, func(b *testing.B, open func() *natsstore.Store) {
		s := open()
		if _, err := s.Append(b.Context(), kilobytes(1000)); err != nil {
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
	})
}

// BenchmarkMark marks 16 messages with an entry for a journal, one after the other,
// and by 64 at once in as many groups as tables can share.
func BenchmarkMark(b *testing.B) {
	eachCluster(b, func(b *testing.B, open func() *natsstore.Store) {
		s := open()
		const groups = 16
		var at [groups]atomic.Uint64
		name := func(g int) host.GroupName { return host.GroupName(fmt.Sprint("g", g)) }
		for g := range groups {
			if err := s.PretendLast(b.Context(), name(g), 1<<40); err != nil {
				b.Fatal(err)
			}
		}
		mark := func(i int) {
			g := i % groups
			first := host.ID(at[g].Add(16)) - 15
			var ids host.Ranges
			ids.Add(host.Range{First: first, Last: first + 15})
			entry := host.JournalEntry{Journal: "deliveries/" + string(name(g)), Entry: host.Entry{Key: fmt.Sprint(first), Value: make([]byte, 300)}}
			if n, _, err := s.Move(b.Context(), name(g), ids, host.Read, entry); err != nil || n != 16 {
				b.Errorf("Move = %d, %v", n, err)
			}
		}
		b.Run("one", func(b *testing.B) {
			for b.Loop() {
				mark(0)
			}
		})
		b.Run("64", func(b *testing.B) { writers(b, 64, mark) })
	})
}

// BenchmarkCounts asks for the counts of a group.
func BenchmarkCounts(b *testing.B) {
	eachCluster(b, func(b *testing.B, open func() *natsstore.Store) {
		s := open()
		if _, err := s.Append(b.Context(), kilobytes(100)); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := s.Counts(b.Context(), "g"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
