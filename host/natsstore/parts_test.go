package natsstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

func large(n int, text string) (a host.Addition) {
	a.Group = "g"
	for i := range n {
		a.Data = append(a.Data, []byte(fmt.Sprintf(`{"i":%d,"text":%q}`, i, text)))
	}
	return a
}

// TestIncompleteAddition cuts a large addition off after each of its parts, as a
// daemon that dies does. Nothing of it may ever be seen, and the numbers go on.
func TestIncompleteAddition(t *testing.T) {
	c := sharedCluster(t, 3)
	for cut := 1; cut <= 3; cut++ {
		t.Run(fmt.Sprint("after part ", cut), func(t *testing.T) {
			conf := config(t, c)
			a, b := open(t, conf), open(t, conf)
			if _, err := a.Append(t.Context(), large(3, "before")); err != nil {
				t.Fatal(err)
			}
			died := errors.New("the daemon died")
			a.BetweenParts(func(part int) error {
				if part == cut {
					return died
				}
				return nil
			})
			big := large(3500, "big")
			big.Key = "key"
			if _, err := a.Append(t.Context(), big); !errors.Is(err, died) {
				t.Fatalf("Append = %v", err)
			}
			wantCounts(t, b, host.Counts{Last: 3, Unread: 3})
			if n, _, err := b.Move(t.Context(), "g", upTo(5000), host.Read); n != 3 || err != nil {
				t.Errorf("Move = %d, %v, want 3", n, err)
			}
			if ids, err := b.Added(t.Context(), "g", "key"); err != nil || ids.Count() != 0 {
				t.Errorf("Added = %s, %v, want none", ids, err)
			}
			gone := host.ID(1000*cut + 1) // with the fence
			ids, err := b.Append(t.Context(), large(2, "after"))
			if err != nil || ids[0] != 3+gone+1 || ids[1] != ids[0]+1 {
				t.Fatalf("Append after it = %v, %v, want %d on", ids, err, 3+gone+1)
			}
			wantCounts(t, a, host.Counts{Last: ids[1], Read: 3, Unread: 2})
			listed, err := a.List(t.Context(), "g", 0, 10)
			if err != nil || len(listed) != 5 || listed[2].ID != 3 {
				t.Errorf("List = %v, %v", listed, err)
			}
			if id, err := b.At(t.Context(), "g", listed[1].Time); err != nil || id != ids[0] && id > 3 {
				t.Errorf("At = %d, %v", id, err)
			}
			a.BetweenParts(nil)
			again, err := a.Append(t.Context(), big)
			if err != nil || len(again) != 3500 || again[0] != ids[1]+1 {
				t.Fatalf("Append again = %d from %d, %v", len(again), again[0], err)
			}
			if known, err := b.Append(t.Context(), big); err != nil || known[0] != again[0] {
				t.Errorf("Append with the key = %v, %v, want %d on", known[:1], err, again[0])
			}
			if n, err := b.Prune(t.Context(), "g", time.Now().Add(time.Hour), 10); n != 3 || err != nil {
				t.Errorf("Prune = %d, %v, want 3", n, err)
			}
			for _, s := range []*natsstore.Store{a, b} {
				if err := s.Check(); err != nil {
					t.Error(err)
				}
			}
			status, err := a.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range status.Streams {
				if s.Group == "g" && s.Messages != 3502 {
					t.Errorf("the stream still has %d messages, want 3502", s.Messages)
				}
			}
		})
	}
}

// TestIncompleteFence has the daemon that gives an addition up die as well.
func TestIncompleteFence(t *testing.T) {
	conf := config(t, sharedCluster(t, 1))
	a, b := open(t, conf), open(t, conf)
	died := errors.New("the daemon died")
	a.BetweenParts(func(int) error { return died })
	if _, err := a.Append(t.Context(), large(1001, "big")); !errors.Is(err, died) {
		t.Fatalf("Append = %v", err)
	}
	if err := a.FenceOnly(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, b, host.Counts{})
	ids, err := b.Append(t.Context(), large(1, "after"))
	if err != nil || ids[0] != 1002 {
		t.Fatalf("Append = %v, %v, want 1002", ids, err)
	}
	wantCounts(t, a, host.Counts{Last: 1002, Unread: 1})
	if err := a.Check(); err != nil {
		t.Error(err)
	}
}

// TestLargeAdditionsInTurn has a daemon append in parts while another one is between two
// of its own. It may not have any of its parts behind one of the other.
func TestLargeAdditionsInTurn(t *testing.T) {
	conf := config(t, sharedCluster(t, 3))
	a, b := open(t, conf), open(t, conf)
	add(t, b, `"before"`) // so b knows the end, and begins at once
	var wait sync.WaitGroup
	var ofB []host.ID
	var once sync.Once
	a.BetweenParts(func(int) error {
		once.Do(func() {
			wait.Go(func() {
				var err error
				if ofB, err = b.Append(t.Context(), large(2500, "b")); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(300 * time.Millisecond)
		})
		return nil
	})
	ofA, err := a.Append(t.Context(), large(2500, "a"))
	if err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	wantCounts(t, a, host.Counts{Last: ofB[2499], Unread: 5001})
	for text, ids := range map[string][]host.ID{"a": ofA, "b": ofB} {
		for _, i := range []int{0, 999, 1000, 2499} {
			m, err := b.Message(t.Context(), "g", ids[i])
			if want := string(large(2500, text).Data[i]); err != nil || string(m.Data) != want {
				t.Errorf("message %d is %s, %v, want %s", ids[i], m.Data, err, want)
			}
		}
	}
}

// TestLargeAdditionsAtOnce has two daemons append in parts, and others single
// messages, at the same time.
func TestLargeAdditionsAtOnce(t *testing.T) {
	conf := config(t, sharedCluster(t, 3))
	stores := []*natsstore.Store{open(t, conf), open(t, conf)}
	var mu sync.Mutex
	added := map[host.ID]string{}
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 3 {
				text := fmt.Sprintf("%d.%d", w, i)
				a := large([]int{2500, 1}[w/2], text)
				ids, err := stores[w%2].Append(t.Context(), a)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for j, id := range ids {
					if id != ids[0]+host.ID(j) || added[id] != "" {
						t.Errorf("the id %d of %s is not the next, or was given out", id, text)
					}
					added[id] = string(a.Data[j])
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	counts, err := stores[0].Counts(t.Context(), "g")
	if err != nil || counts.Unread != uint64(len(added)) {
		t.Fatalf("Counts = %+v, %v, want %d unread", counts, err, len(added))
	}
	for before := host.ID(0); ; {
		some, err := stores[1].List(t.Context(), "g", before, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		for _, m := range some {
			if added[m.ID] != string(m.Data) {
				t.Fatalf("message %d is %s, its writer was told so of %s", m.ID, m.Data, added[m.ID])
			}
			before = m.ID
		}
	}
	if err := stores[0].Check(); err != nil {
		t.Error(err)
	}
}

// TestLargeMessages has messages that are stored apart, of a daemon that dies
// between the data and the message, too.
func TestLargeMessages(t *testing.T) {
	conf := config(t, sharedCluster(t, 3))
	moved := time.Duration(0)
	conf.Now = func() time.Time { return time.Now().Add(moved) }
	a, b := open(t, conf), open(t, conf)
	data := []byte(`"` + strings.Repeat("large ", 300_000) + `"`)
	if _, err := a.Append(t.Context(), host.Addition{Group: "g", Data: messages("1", string(data), "3"), Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if err := a.PutLargeOnly(t.Context(), "g", data); err != nil {
		t.Fatal(err)
	}
	m, err := b.Message(t.Context(), "g", 2)
	if err != nil || string(m.Data) != string(data) || m.Key != "k" {
		t.Fatalf("Message = %d bytes, key %q, %v", len(m.Data), m.Key, err)
	}
	moved = natsstore.SweepAfter + time.Minute
	if _, _, err := a.Move(t.Context(), "g", upTo(3), host.Read); err != nil {
		t.Fatal(err)
	}
	large := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			n, err := b.LargeCells(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			if n == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the data of %d large messages are stored, want %d", n, want)
			}
		}
	}
	large(2)
	if n, err := b.Prune(t.Context(), "g", a.Now(), 1); n != 1 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	large(1) // nobody's are gone
	if m, err := a.Message(t.Context(), "g", 2); err != nil || len(m.Data) != len(data) {
		t.Errorf("Message = %d bytes, %v", len(m.Data), err)
	}
	if n, err := b.Prune(t.Context(), "g", a.Now().Add(time.Second), 9); n != 2 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	large(0)
	if err := a.Check(); err != nil {
		t.Error(err)
	}
}

func upTo(last host.ID) (ids host.Ranges) {
	ids.Add(host.Range{First: 1, Last: last})
	return ids
}

func wantCounts(t *testing.T, s host.Store, want host.Counts) {
	t.Helper()
	if got, err := s.Counts(t.Context(), "g"); err != nil || got != want {
		t.Errorf("Counts = %+v, %v, want %+v", got, err, want)
	}
}
