package host_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restante/restante/host"
)

// sharedStore is a store that another daemon has open, too.
type sharedStore struct {
	host.Store
	reads  atomic.Int64 // of whole buckets
	reader atomic.Int64 // of single records

	mu     sync.Mutex
	broken error
	// meanwhile is called before the next record of a bucket is written, and may
	// write one itself.
	meanwhile map[string]func()
}

func newSharedStore(t testing.TB) *sharedStore {
	return &sharedStore{Store: openStore(t), meanwhile: map[string]func(){}}
}

func (s *sharedStore) Shared() bool { return true }

// away has all reads of records fail, or none if err is nil.
func (s *sharedStore) away(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

func (s *sharedStore) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// before has something happen between a read and the write of the bucket after it.
func (s *sharedStore) before(bucket string, happens func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meanwhile[bucket] = happens
}

func (s *sharedStore) interrupt(bucket string) {
	s.mu.Lock()
	happens := s.meanwhile[bucket]
	delete(s.meanwhile, bucket)
	s.mu.Unlock()
	if happens != nil {
		happens()
	}
}

func (s *sharedStore) Record(ctx context.Context, bucket, key string) (host.Record, error) {
	s.reader.Add(1)
	if err := s.failure(); err != nil {
		return host.Record{}, err
	}
	return s.Store.Record(ctx, bucket, key)
}

func (s *sharedStore) Records(ctx context.Context, bucket string) ([]host.Record, error) {
	s.reads.Add(1)
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.Records(ctx, bucket)
}

func (s *sharedStore) PutRecord(ctx context.Context, bucket string, r host.Record) (uint64, error) {
	s.interrupt(bucket)
	return s.Store.PutRecord(ctx, bucket, r)
}

func (s *sharedStore) DeleteRecord(ctx context.Context, bucket string, r host.Record) error {
	s.interrupt(bucket)
	return s.Store.DeleteRecord(ctx, bucket, r)
}

func openKeys(t testing.TB, store host.Records) *host.Keys {
	t.Helper()
	keys, err := host.OpenKeys(t.Context(), store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var mayPoll = host.Grant{Groups: []host.GroupName{"g"}, Allow: []host.Permission{host.MayPoll}}

func TestIsShared(t *testing.T) {
	if store := openStore(t); host.IsShared(store) || !host.IsShared(&sharedStore{Store: store}) {
		t.Error("which store is shared is not told")
	}
}

func TestKeysOfOtherDaemons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSharedStore(t)
		a, b := openKeys(t, store), openKeys(t, store)
		text, key, err := a.Create(t.Context(), mayPoll)
		if err != nil {
			t.Fatal(err)
		}
		allowed := func(k *host.Keys) error {
			id, err := k.Authorize(t.Context(), text, "g", host.MayPoll)
			if err == nil && id != key.ID {
				t.Fatalf("Authorize = %q, want %q", id, key.ID)
			}
			return err
		}
		if err := allowed(b); err != nil {
			t.Errorf("a key that another daemon has just made = %v", err)
		}
		if _, err := b.Authorize(t.Context(), text+"x", "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("a wrong secret = %v, want ErrUnauthorized", err)
		}
		if list := b.List(); len(list) != 1 || list[0].ID != key.ID || list[0].Used.IsZero() {
			t.Errorf("List = %+v", list)
		}
		if _, err := a.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		if err := allowed(a); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("where it was revoked = %v, want ErrUnauthorized", err)
		}
		if err := allowed(b); err != nil {
			t.Errorf("within the bound nothing is read again, but %v", err)
		}
		time.Sleep(host.SharedBound + 1)
		if err := allowed(b); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("a key revoked elsewhere, after the bound = %v, want ErrUnauthorized", err)
		}
	})
}

// While the store can't be asked a key counts as it was known, and not for long: it may
// have been revoked meanwhile.
func TestKeysWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSharedStore(t)
		a, b := openKeys(t, store), openKeys(t, store)
		text, key, err := a.Create(t.Context(), mayPoll)
		if err == nil {
			time.Sleep(time.Nanosecond) // what is read in the same instant is new enough
			err = b.Refresh(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		store.away(errBroken)
		time.Sleep(host.SharedGrace - time.Second)
		if _, err := b.Authorize(t.Context(), text, "g", host.MayPoll); err != nil {
			t.Errorf("Authorize without the store = %v, want what was known", err)
		}
		if _, err := b.Authorize(t.Context(), text+"x", "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("a wrong secret without the store = %v, want ErrUnauthorized", err)
		}
		time.Sleep(time.Second + 1)
		if _, err := b.Authorize(t.Context(), text, "g", host.MayPoll); !errors.Is(err, host.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("Authorize long without the store = %v, want ErrUnavailable", err)
		}
		if err := b.Refresh(t.Context()); !errors.Is(err, host.ErrUnavailable) {
			t.Errorf("Refresh = %v, want ErrUnavailable", err)
		}
		store.away(nil)
		if _, err := b.Authorize(t.Context(), text, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("Authorize when the store is back = %v, want ErrUnauthorized", err)
		}
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.away(errBroken)
		if _, err := b.Authorize(t.Context(), "rk_nobodyhs_x", "g", host.MayPoll); !errors.Is(err, host.ErrUnavailable) {
			t.Errorf("a key that may be another daemon's, without the store = %v, want ErrUnavailable", err)
		}
	})
}

// However many calls come at once, the keys are read once, and whoever goes away
// takes no other along. Nobody waits long for that, unless what is known is too old.
func TestKeysAreReadOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{sharedStore: newSharedStore(t)}
		keys := openKeys(t, slow)
		text, _, err := keys.Create(t.Context(), mayPoll)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(host.SharedGrace + 1)
		slow.by.Store(int64(time.Second / 2))
		before := slow.reads.Load()
		gone, leave := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		call := func(ctx context.Context, want error) {
			calls.Go(func() {
				if _, err := keys.Authorize(ctx, text, "g", host.MayPoll); !errors.Is(err, want) {
					t.Errorf("Authorize = %v, want %v", err, want)
				}
			})
			synctest.Wait()
		}
		call(gone, context.Canceled) // it begins to read for all
		left, cancel := context.WithCancel(t.Context())
		call(left, context.Canceled)
		for range 20 {
			call(t.Context(), nil)
		}
		leave()
		cancel()
		calls.Wait()
		if n := slow.reads.Load() - before; n != 1 {
			t.Errorf("the keys were read %d times, want once", n)
		}
		// A store that does not answer is not waited for long, and in the end not at all.
		slow.by.Store(int64(time.Hour))
		hangs := func(age, most time.Duration, want error) {
			t.Helper()
			time.Sleep(age)
			began := time.Now()
			if _, err := keys.Authorize(t.Context(), text, "g", host.MayPoll); !errors.Is(err, want) {
				t.Errorf("Authorize with a store that hangs = %v, want %v", err, want)
			}
			if took := time.Since(began); took > most {
				t.Errorf("it took %s, want %s at most", took, most)
			}
		}
		hangs(host.SharedBound+1, 100*time.Millisecond, nil)
		hangs(0, 0, nil) // the same reading has gone on for long enough
		hangs(host.SharedGrace, 5*time.Second, host.ErrUnavailable)
	})
}

// slowStore takes its time to read a bucket.
type slowStore struct {
	*sharedStore
	by atomic.Int64
}

func (s *slowStore) Records(ctx context.Context, bucket string) ([]host.Record, error) {
	timer := time.NewTimer(time.Duration(s.by.Load()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.sharedStore.Records(ctx, bucket)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestKeysChangedByTwo(t *testing.T) {
	store := newSharedStore(t)
	a, b := openKeys(t, store), openKeys(t, store)
	text, key, err := a.Create(t.Context(), mayPoll)
	if err == nil {
		_, err = b.Authorize(t.Context(), text, "g", host.MayPoll)
	}
	if err != nil {
		t.Fatal(err)
	}
	// b notes a use while a revokes, and neither undoes the other.
	store.before("api-keys", func() {
		if err := b.Flush(t.Context()); err != nil {
			t.Errorf("Flush = %v", err)
		}
	})
	if revoked, err := a.Revoke(t.Context(), key.ID); err != nil || revoked.Revoked.IsZero() {
		t.Errorf("Revoke while the key is written elsewhere = %+v, %v", revoked, err)
	}
	list := openKeys(t, store).List()
	if len(list) != 1 || list[0].Revoked.IsZero() || list[0].Used.IsZero() {
		t.Errorf("after both the key is %+v", list)
	}
	// The other way around, and of a key that b has never heard of.
	text, key, err = b.Create(t.Context(), mayPoll)
	if err == nil {
		_, err = b.Authorize(t.Context(), text, "g", host.MayPoll)
	}
	if err != nil {
		t.Fatal(err)
	}
	store.before("api-keys", func() {
		if _, err := a.Revoke(t.Context(), key.ID); err != nil {
			t.Errorf("Revoke of another daemon's key = %v", err)
		}
	})
	if err := b.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	if _, err := b.Authorize(t.Context(), text, "g", host.MayPoll); !errors.Is(err, host.ErrUnauthorized) {
		t.Errorf("after a conflict about a revoked key = %v, want ErrUnauthorized", err)
	}
	if _, err := a.Revoke(t.Context(), "nokeyatall"); !errors.Is(err, host.ErrNoRecord) {
		t.Errorf("Revoke of no key = %v, want ErrNoRecord", err)
	}
}

// What nobody else has open is not read again.
func TestKeysOfOneDaemonAreNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newSharedStore(t)
		alone := struct{ host.Store }{store}
		keys := openKeys(t, alone)
		text, _, err := keys.Create(t.Context(), mayPoll)
		if err != nil {
			t.Fatal(err)
		}
		reads := fmt.Sprint(store.reads.Load(), store.reader.Load())
		time.Sleep(time.Hour)
		if _, err := keys.Authorize(t.Context(), text, "g", host.MayPoll); err != nil {
			t.Error(err)
		}
		_, _ = keys.Authorize(t.Context(), "rk_nobodyhs_x", "g", host.MayPoll)
		if err := keys.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		if now := fmt.Sprint(store.reads.Load(), store.reader.Load()); now != reads {
			t.Errorf("buckets and records were read %s times, and %s before", now, reads)
		}
	})
}

func openQueues(t testing.TB, store host.Records, configured ...host.Queue) *host.Queues {
	t.Helper()
	queues, err := host.OpenQueues(t.Context(), store, configured)
	if err != nil {
		t.Fatal(err)
	}
	return queues
}

func declare(t testing.TB, q *host.Queues, d host.Queue) error {
	t.Helper()
	return q.Declare(t.Context(), d, func(host.Queue) bool { return false })
}

func TestQueuesOfOtherDaemons(t *testing.T) {
	store := newSharedStore(t)
	a, b := openQueues(t, store), openQueues(t, store, host.Queue{Group: "student", Title: "Ours"})
	refresh := func(want bool) {
		t.Helper()
		if changed, err := b.Refresh(t.Context()); err != nil || changed != want {
			t.Fatalf("Refresh = %t, %v, want %t", changed, err, want)
		}
	}
	student := host.Queue{Group: "student", Method: host.Send, Title: "Theirs", Plugin: "records", File: "records", Formats: true}
	grades := host.Queue{Group: "grades", Method: host.Poll, Plugin: "records", File: "records"}
	for _, d := range []host.Queue{student, grades} {
		if err := declare(t, a, d); err != nil {
			t.Fatal(err)
		}
	}
	refresh(true)
	refresh(false)
	if q, err := b.Queue("grades"); err != nil || q != grades {
		t.Errorf("a queue that another daemon's plugin declared = %+v, %v", q, err)
	}
	if q, err := b.Queue("student"); err != nil || q.Title != "Ours" || q.Plugin != "records" {
		t.Errorf("a queue that is configured here and declared elsewhere = %+v, %v", q, err)
	}
	if err := b.Release(t.Context(), "grades"); err != nil {
		t.Fatal(err)
	}
	if changed, err := a.Refresh(t.Context()); err != nil || !changed {
		t.Errorf("Refresh after a release = %t, %v", changed, err)
	}
	if err := declare(t, a, host.Queue{Group: "grades", Method: host.Poll, Plugin: "other", File: "other"}); err != nil {
		t.Errorf("Declare of a queue that was released elsewhere = %v", err)
	}
	store.away(errBroken)
	if _, err := b.Refresh(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Refresh without the store = %v", err)
	}
	if _, err := b.Queue("grades"); err != nil {
		t.Errorf("without the store a queue is known no more: %v", err)
	}
	if changed, err := openQueues(t, openStore(t)).Refresh(t.Context()); changed || err != nil {
		t.Errorf("Refresh of a store of its own = %t, %v", changed, err)
	}
}

func TestQueuesDeclaredByTwo(t *testing.T) {
	mine := host.Queue{Group: "g", Method: host.Poll, Title: "Mine", Plugin: "mine", File: "mine"}
	theirs := host.Queue{Group: "g", Method: host.Poll, Title: "Theirs", Plugin: "theirs", File: "theirs"}
	same := mine
	same.Title = "Of a newer version"
	do := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("the other daemon: %v", err)
		}
	}
	for name, test := range map[string]struct {
		meanwhile func(t *testing.T, other *host.Queues)
		act       func(t *testing.T, q *host.Queues) error
		err       error
		want      host.Queue
	}{
		"two plugins of one daemon each": {
			meanwhile: func(t *testing.T, other *host.Queues) { do(t, declare(t, other, theirs)) },
			act:       func(t *testing.T, q *host.Queues) error { return declare(t, q, mine) },
			err:       host.ErrGroupTaken, want: theirs,
		},
		"the same plugin": {
			meanwhile: func(t *testing.T, other *host.Queues) { do(t, declare(t, other, mine)) },
			act:       func(t *testing.T, q *host.Queues) error { return declare(t, q, mine) },
			want:      mine,
		},
		"another version of it": {
			meanwhile: func(t *testing.T, other *host.Queues) { do(t, declare(t, other, mine)) },
			act:       func(t *testing.T, q *host.Queues) error { return declare(t, q, same) },
			want:      same,
		},
		"the configuration": {
			meanwhile: func(t *testing.T, other *host.Queues) { do(t, declare(t, other, theirs)) },
			act: func(t *testing.T, q *host.Queues) error {
				return q.Configure(t.Context(), []host.Queue{{Group: "g"}})
			},
			want: theirs,
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newSharedStore(t)
			a, b := openQueues(t, store), openQueues(t, store)
			store.before("queues", func() { test.meanwhile(t, b) })
			if err := test.act(t, a); !errors.Is(err, test.err) {
				t.Errorf("a = %v, want %v", err, test.err)
			}
			for who, q := range map[string]*host.Queues{"a": a, "the store": openQueues(t, store)} {
				if got, err := q.Queue("g"); err != nil || got != test.want {
					t.Errorf("%s has %+v, %v, want %+v", who, got, err, test.want)
				}
			}
		})
	}
}

func TestQueuesReleasedWhileTheyAreDeclared(t *testing.T) {
	store := newSharedStore(t)
	a := openQueues(t, store)
	first := host.Queue{Group: "g", Method: host.Poll, Title: "1", Plugin: "p", File: "p"}
	if err := declare(t, a, first); err != nil {
		t.Fatal(err)
	}
	b, second := openQueues(t, store), first
	second.Title = "2"
	store.before("queues", func() {
		if err := declare(t, b, second); err != nil {
			t.Errorf("Declare = %v", err)
		}
	})
	if err := a.Release(t.Context(), "g"); err != nil {
		t.Errorf("Release while the queue is declared elsewhere = %v", err)
	}
	second.Released = true
	if got, err := openQueues(t, store).Queue("g"); err != nil || got != second {
		t.Errorf("the store has %+v, %v, want %+v", got, err, second)
	}
}
