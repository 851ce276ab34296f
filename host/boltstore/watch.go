package boltstore

import (
	"sync"

	"github.com/restante/restante/host"
)

// watchers tells readers that a group may have something new for them.
type watchers struct {
	watchMu sync.Mutex
	waiting map[host.GroupName]map[chan struct{}]struct{}
}

// Watch implements host.Messages.
func (w *watchers) Watch(g host.GroupName) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	if w.waiting == nil {
		w.waiting = map[host.GroupName]map[chan struct{}]struct{}{}
	}
	if w.waiting[g] == nil {
		w.waiting[g] = map[chan struct{}]struct{}{}
	}
	w.waiting[g][c] = struct{}{}
	return c, func() {
		w.watchMu.Lock()
		defer w.watchMu.Unlock()
		if delete(w.waiting[g], c); len(w.waiting[g]) == 0 {
			delete(w.waiting, g)
		}
	}
}

func (w *watchers) wake(g host.GroupName) {
	w.watchMu.Lock()
	defer w.watchMu.Unlock()
	for c := range w.waiting[g] {
		select {
		case c <- struct{}{}:
		default: // it has not seen the last hint yet
		}
	}
}
