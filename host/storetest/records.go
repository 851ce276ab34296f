package storetest

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/restante/restante/host"
)

func testRecords(t *testing.T, s Opened) {
	ctx := t.Context()
	if _, err := s.A.Record(ctx, "b", "k"); !errors.Is(err, host.ErrNoRecord) {
		t.Errorf("Record of nothing = %v, want ErrNoRecord", err)
	}
	first, err := s.A.PutRecord(ctx, "b", host.Record{Key: "k", Value: []byte("1")})
	if err != nil || first == 0 {
		t.Fatalf("PutRecord = %d, %v", first, err)
	}
	for _, stale := range []uint64{0, first + 1} {
		if _, err := s.B.PutRecord(ctx, "b", host.Record{Key: "k", Value: []byte("2"), Revision: stale}); !errors.Is(err, host.ErrConflict) {
			t.Errorf("PutRecord at revision %d = %v, want ErrConflict", stale, err)
		}
	}
	second, err := s.B.PutRecord(ctx, "b", host.Record{Key: "k", Value: []byte("2"), Revision: first})
	if err != nil || second == first {
		t.Fatalf("PutRecord = %d, %v", second, err)
	}
	for _, k := range []string{"z", "a"} {
		if _, err := s.A.PutRecord(ctx, "b", host.Record{Key: k, Value: nil}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.B.Records(ctx, "b")
	if err != nil || len(all) != 3 || all[0].Key != "a" || all[1].Key != "k" || all[2].Key != "z" || string(all[1].Value) != "2" {
		t.Errorf("Records = %v, %v, want a, k, z", all, err)
	}
	if other, err := s.A.Records(ctx, "other"); err != nil || len(other) != 0 {
		t.Errorf("Records of another bucket = %v, %v", other, err)
	}
	if err := s.A.DeleteRecord(ctx, "b", host.Record{Key: "k", Revision: first}); !errors.Is(err, host.ErrConflict) {
		t.Errorf("DeleteRecord at an old revision = %v, want ErrConflict", err)
	}
	for range 2 {
		if err := s.A.DeleteRecord(ctx, "b", host.Record{Key: "k", Revision: second}); err != nil {
			t.Errorf("DeleteRecord = %v", err)
		}
	}
	third, err := s.B.PutRecord(ctx, "b", host.Record{Key: "k", Value: []byte("3")})
	if err != nil || third == first || third == second {
		t.Errorf("PutRecord after a delete = %d, %v, want a revision that was not there before", third, err)
	}
}

func testRecordsRace(t *testing.T, s Opened) {
	const workers, each = 8, 10
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			h := []host.Store{s.A, s.B}[w%2]
			for done := 0; done < each; {
				r, err := h.Record(t.Context(), "b", "counter")
				if err != nil && !errors.Is(err, host.ErrNoRecord) {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(r.Value))
				_, err = h.PutRecord(t.Context(), "b", host.Record{Key: "counter", Value: []byte(strconv.Itoa(n + 1)), Revision: r.Revision})
				if err == nil {
					done++
				} else if !errors.Is(err, host.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	r, err := s.A.Record(t.Context(), "b", "counter")
	if err != nil || string(r.Value) != strconv.Itoa(workers*each) {
		t.Errorf("the counter is %s, %v, want %d", r.Value, err, workers*each)
	}
}
