package host

import "sync"

// Watchers tells readers that a group may have something new for them: the part of a
// store that Messages.Watch is. The zero value is ready; it is safe for concurrent use.
type Watchers struct {
	mu      sync.Mutex
	waiting map[GroupName]map[chan struct{}]struct{}
}

// Watch implements Messages.
func (w *Watchers) Watch(g GroupName) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[GroupName]map[chan struct{}]struct{}{}
	}
	if w.waiting[g] == nil {
		w.waiting[g] = map[chan struct{}]struct{}{}
	}
	w.waiting[g][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.waiting[g], c); len(w.waiting[g]) == 0 {
			delete(w.waiting, g)
		}
	}
}

// Wake tells those that watch a group.
func (w *Watchers) Wake(g GroupName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hint(w.waiting[g])
}

// WakeAll tells those that watch any group.
func (w *Watchers) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.waiting {
		hint(all)
	}
}

func hint(all map[chan struct{}]struct{}) {
	for c := range all {
		select {
		case c <- struct{}{}:
		default: // it has not seen the last hint yet
		}
	}
}
