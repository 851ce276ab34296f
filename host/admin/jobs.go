package admin

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

const (
	// maxJobs is how many jobs may run at the same time, and maxOwnJobs how many
	// of one user.
	maxJobs    = 4
	maxOwnJobs = 2
	// jobKept is how long the outcome of a job can be looked at.
	jobKept = time.Hour
	// maxKept is how many outcomes are kept: the oldest go first.
	maxKept = 200
)

// jobs are the works that take longer than a page may.
type jobs struct {
	now     func() time.Time
	working sync.WaitGroup
	mu      sync.Mutex
	all     map[string]*job
	closed  bool
}

// job is one work; its fields are read through look.
type job struct {
	mu sync.Mutex
	jobView
	stop context.CancelFunc
	over chan struct{} // closed when it has ended
}

// jobView is a job as it is at one moment.
type jobView struct {
	ID, Title, Owner string
	Group            host.GroupName
	Began, Ended     time.Time
	Done, Total      uint64
	// Outcome is what the job has made, and Err why it could not.
	Outcome any
	Err     error
	Stopped bool
}

// Percent is how far the job is.
func (v jobView) Percent() uint64 {
	if v.Total == 0 {
		return 0
	}
	return min(100, 100*v.Done/v.Total)
}

func newJobs(now func() time.Time) *jobs { return &jobs{now: now, all: map[string]*job{}} }

// begin starts a work. It goes on when the request that began it has ended, until
// it is stopped or the daemon stops.
func (j *jobs) begin(ctx context.Context, g host.GroupName, title, owner string, work func(ctx context.Context, progress func(done, total uint64)) (any, error)) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget()
	running, own := 0, 0
	for _, other := range j.all {
		if o := other.look(); o.Ended.IsZero() {
			running++
			if o.Owner == owner {
				own++
			}
		}
	}
	switch {
	case j.closed:
		return nil, badf("The daemon is stopping.")
	case own >= maxOwnJobs:
		return nil, badf("%d searches of yours are running already. Wait until one has ended, or stop it.", own)
	case running >= maxJobs:
		return nil, badf("%d searches are running already. Wait until one has ended.", running)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	one := &job{stop: stop, over: make(chan struct{}), jobView: jobView{ID: strings.ToLower(rand.Text()), Title: title, Owner: owner, Group: g, Began: j.now()}}
	j.all[one.ID] = one
	j.working.Go(func() {
		defer stop()
		defer close(one.over)
		outcome, err := recovered(func() (any, error) {
			return work(ctx, func(done, total uint64) {
				one.mu.Lock()
				defer one.mu.Unlock()
				one.Done, one.Total = done, total
			})
		})
		one.mu.Lock()
		defer one.mu.Unlock()
		one.Outcome, one.Err, one.Ended, one.Stopped = outcome, err, j.now(), ctx.Err() != nil
	})
	return one, nil
}

// recovered makes an error of a panic, which would end the daemon.
func recovered(work func() (any, error)) (outcome any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a job panicked: %v\n%s", cause, debug.Stack())
		}
	}()
	return work()
}

// forget drops old outcomes, and leaves room for one; j.mu is held.
func (j *jobs) forget() {
	for id, one := range j.all {
		if ended := one.look().Ended; !ended.IsZero() && j.now().Sub(ended) > jobKept {
			delete(j.all, id)
		}
	}
	for len(j.all) >= maxKept {
		oldest, at := "", time.Time{}
		for id, one := range j.all {
			if ended := one.look().Ended; !ended.IsZero() && (oldest == "" || ended.Before(at)) {
				oldest, at = id, ended
			}
		}
		delete(j.all, oldest)
	}
}

// find returns the job of a user.
func (j *jobs) find(id, owner string) (*job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	one := j.all[id]
	if one == nil || one.Owner != owner {
		return nil, errNotFound
	}
	return one, nil
}

func (o *job) look() jobView {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.jobView
}

// settled waits a moment for a job that is quick, and tells whether it was.
func (o *job) settled(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-o.over:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (j *jobs) close() {
	j.mu.Lock()
	j.closed = true
	for _, one := range j.all {
		one.stop()
	}
	j.mu.Unlock()
	j.working.Wait()
}
