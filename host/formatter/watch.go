package formatter

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

// eventPause gathers the events of a burst into one look at the folder.
const eventPause = 25 * time.Millisecond

// watch looks at the folder until ctx is over: when the system tells of a
// change, when a file may have settled, and now and then, since events are lost
// and network file systems send none. An event never says more than "look".
func (p *Plugins) watch(ctx context.Context) {
	var events chan fsnotify.Event // nil if there is no watcher
	var faults chan error
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		p.log.Warn("plugin folder not watched, only looked at now and then", "folder", p.config.Folder, "every", p.config.Rescan, "error", err)
	} else {
		events, faults = watcher.Events, watcher.Errors
		defer func() { _ = watcher.Close() }()
	}
	s := newSettling(p.config.Settle)
	timer := time.NewTimer(0)
	defer timer.Stop()
	rescan := time.NewTicker(p.config.Rescan)
	defer rescan.Stop()
	trouble, burst := "", false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-rescan.C:
		case <-events:
			burst = lookSoon(timer, burst)
			continue
		case <-faults: // such as lost events
			burst = lookSoon(timer, burst)
			continue
		}
		burst = false
		if watcher != nil {
			// The folder may have been replaced. If it can't be watched now,
			// the look below says more.
			_ = watcher.Add(p.config.Folder)
		}
		seen, err := look(p.config.Folder)
		if err != nil {
			// Nobody took the plugins away, for all we know.
			if err.Error() != trouble {
				p.log.Error("plugin folder not readable, plugins stay as they are", "error", err)
			}
			trouble = err.Error()
			continue
		}
		trouble = ""
		if wait := p.see(ctx, s, seen, time.Now()); wait > 0 {
			timer.Reset(wait)
		}
	}
}

// lookSoon sets the timer when a burst begins. Later events must not put the
// look off, or a file that is written all the time would keep us from looking.
func lookSoon(timer *time.Timer, burst bool) bool {
	if !burst {
		timer.Reset(eventPause)
	}
	return true
}

// see hands what a look has found to the files' goroutines, and returns when to
// look again, or 0.
func (p *Plugins) see(ctx context.Context, s *settling, seen map[string]sight, now time.Time) time.Duration {
	appeared, gone := s.look(seen, now)
	p.mu.Lock()
	var left []*file
	for _, name := range gone {
		left = append(left, p.files[name])
		delete(p.files, name)
	}
	for _, name := range appeared {
		f := newFile(p, name)
		p.files[name] = f
		p.lives.Go(func() { f.live(ctx) })
	}
	p.phase = working
	p.mu.Unlock()
	for _, f := range left {
		f.mail.put(func(l *letter) { l.gone = true })
	}
	settled, wait := s.settled(now)
	first := s.first(now)
	if first && p.scan.expect(len(settled)) {
		p.workedOff()
	}
	for name, what := range settled {
		p.files[name].mail.put(func(l *letter) {
			l.seen = &what
			l.first = l.first || first
		})
	}
	return wait
}

// workedOff is called when the first scan is.
func (p *Plugins) workedOff() {
	if err := p.copies.sweep(); err != nil {
		p.log.Warn("old copies of plugins remain", "error", err)
	}
	close(p.ready)
}
