package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type work = func(context.Context, func(done, total uint64)) (any, error)

// endless works until it is stopped.
func endless(ctx context.Context, progress func(done, total uint64)) (any, error) {
	progress(1, 4)
	<-ctx.Done()
	return "so far", ctx.Err()
}

func quick(context.Context, func(done, total uint64)) (any, error) { return "found", nil }

func TestJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newJobs(time.Now)
		begin := func(owner string, do work) *job {
			t.Helper()
			one, err := all.begin(t.Context(), "plain", "Search", owner, do)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return one
		}
		request, gone := context.WithCancel(t.Context())
		one, err := all.begin(request, "plain", "Search", "ada", endless)
		if err != nil {
			t.Fatal(err)
		}
		gone()
		synctest.Wait()
		if v := one.look(); !v.Ended.IsZero() || v.Percent() != 25 || one.settled(t.Context(), time.Second) {
			t.Errorf("when its request has ended the job is %+v", v)
		}
		if _, err := all.find(one.look().ID, "grace"); !errors.Is(err, errNotFound) {
			t.Errorf("another user finds it: %v", err)
		}
		begin("ada", endless)
		if _, err := all.begin(t.Context(), "plain", "Search", "ada", quick); err == nil || !strings.Contains(err.Error(), "2 searches of yours") {
			t.Errorf("a third job of one user = %v", err)
		}
		begin("grace", endless)
		begin("alan", endless)
		if _, err := all.begin(t.Context(), "plain", "Search", "joan", quick); err == nil || !strings.Contains(err.Error(), "4 searches") {
			t.Errorf("a fifth job = %v", err)
		}
		one.stop()
		synctest.Wait()
		if v := one.look(); v.Ended.IsZero() || !v.Stopped || v.Outcome != "so far" {
			t.Errorf("when it is stopped the job is %+v", v)
		}
		bad := begin("ada", func(context.Context, func(done, total uint64)) (any, error) { panic("no") })
		if v := bad.look(); v.Err == nil || !strings.Contains(v.Err.Error(), "a job panicked: no") {
			t.Errorf("when it panics the job is %+v", v)
		}

		// Outcomes make room for others, the oldest first, and are kept for an hour.
		first := begin("ada", quick)
		for i := range maxKept - 10 {
			time.Sleep(time.Second)
			begin("ada", quick)
			if _, err := all.find(first.look().ID, "ada"); err != nil {
				t.Fatalf("the outcome is forgotten after %d others", i)
			}
		}
		for range 10 {
			time.Sleep(time.Second)
			begin("ada", quick)
		}
		if _, err := all.find(first.look().ID, "ada"); err == nil || len(all.all) > maxKept {
			t.Errorf("%d outcomes are kept, %v", len(all.all), err)
		}
		time.Sleep(jobKept + time.Second)
		begin("ada", quick)
		if len(all.all) != 4 {
			t.Errorf("%d jobs are kept after an hour, want 3 that run and 1 that has ended", len(all.all))
		}
		all.close()
		if _, err := all.begin(t.Context(), "plain", "Search", "ada", quick); err == nil {
			t.Error("a job begins after the end")
		}
	})
}
