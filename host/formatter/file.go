package formatter

import (
	"context"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// file is the life of one plugin file: seen, settled, copied, started,
// discovered, claimed, active, and in the end gone. One goroutine lives it.
type file struct {
	plugins *Plugins
	name    string
	attach  *process.Attachment // instead of a file
	tried   chan struct{}       // closed after the first attempt to attach
	mail    *mailbox
	ended   chan struct{} // closed when live has returned

	// Plugins.mu guards these; the file's goroutine alone writes them.
	active   *running
	last     *running // what was active last, also when its process has ended
	restarts int
	trouble  trouble
	failure  string // of the last call that failed
	failedAt time.Time
	exit     *host.PluginExit // of the last process that ended by itself, or did not start
	usage    usage            // has a lock of its own
	// held is kept from serving until a person decides.
	held       *version
	comparison *host.Comparison
	impurity   *host.Impurity
	history    *history
	trial      trial
	content    string // the digest of what the file holds, once it was copied

	// Only the file's goroutine uses these.
	pending *sight   // what is to be copied
	next    *version // what is to be started in place of good
	good    *version // what was active last
	backoff backoff
	timer   *time.Timer
	// refusal is why the file as it is can't be used, if it can't; what was
	// active before may go on.
	refusal trouble
	// stale: what is active has other settings than it should.
	stale bool
	// lone: good can't be started, or does not live for long enough, for next to
	// be compared with it. spoiled counts how often it ended meanwhile.
	lone    bool
	spoiled int
	first   bool // it is of the first scan, and not worked off
	arrived bool
}

// trouble is why a file, or its newest version, is not active.
type trouble struct {
	reason    string
	permanent bool      // until the file changes
	taken     bool      // until another plugin gives up its name
	settings  bool      // until the configuration changes
	failures  int       // how often it failed in a row, if that is too often
	again     time.Time // when it is tried again, if it is
}

func newFile(p *Plugins, name string) *file {
	return &file{
		plugins: p,
		name:    name,
		mail:    newMailbox(),
		ended:   make(chan struct{}),
		tried:   make(chan struct{}),
		backoff: backoff{least: p.config.MinBackoff, most: p.config.MaxBackoff, budget: p.config.Budget, pause: p.config.Pause},
		history: &history{records: p.config.Records, file: name},
	}
}

// restore takes up what an earlier run of the daemon remembered.
func (f *file) restore(ctx context.Context) {
	known, err := openHistory(ctx, f.plugins.config.Records, f.name)
	if err != nil {
		f.plugins.log.Warn("plugin history not read", "file", f.name, "error", err)
	}
	f.plugins.mu.Lock()
	f.history = known
	f.plugins.mu.Unlock()
	for _, v := range known.Versions {
		f.plugins.copies.keep(v.Digest)
	}
	last := known.find(known.Active)
	if last != nil && last.Quarantined != "" {
		last = known.before(last.Digest)
	}
	if last == nil {
		return
	}
	good, err := f.plugins.copies.kept(last.Digest)
	if err != nil {
		f.plugins.log.Warn("plugin version of the last run not kept", "file", f.name, "error", err)
		return
	}
	f.good = &good
}

// live is the file's goroutine. It returns when the file is gone, or ctx is
// over, and the process is gone, too.
func (f *file) live(ctx context.Context) {
	f.timer = time.NewTimer(0)
	f.timer.Stop()
	if f.attach == nil {
		f.restore(ctx)
	} else {
		f.attempt(ctx)
		close(f.tried)
	}
	defer func() {
		f.timer.Stop()
		f.arrive(ctx, nil)
		f.workedOff()
		close(f.ended)
	}()
	for {
		var crashed <-chan struct{}
		if f.active != nil {
			crashed = f.active.process.Done()
		}
		select {
		case <-ctx.Done():
			f.leave(ctx)
			return
		case <-crashed:
			f.crashed(ctx)
		case <-f.timer.C:
			f.attempt(ctx)
		case <-f.mail.arrived:
			news := f.mail.take()
			f.first = f.first || news.first
			if news.gone {
				f.leave(ctx)
				f.plugins.poke(f)
				return
			}
			if len(news.impure) > 0 {
				f.quarantineImpure(ctx, news.impure)
			}
			if news.failing {
				f.failing(ctx)
			}
			if news.seen != nil {
				f.settled(ctx, *news.seen)
			}
			if news.poked {
				f.poked(ctx)
			}
			for _, o := range news.orders {
				f.obey(ctx, o)
			}
		}
	}
}

// settled begins anew with the file as it is now.
func (f *file) settled(ctx context.Context, seen sight) {
	f.backoff.reset()
	f.timer.Stop()
	f.pending, f.next, f.refusal, f.lone, f.spoiled = nil, nil, trouble{}, false, 0
	if seen.fault != "" {
		f.refusal = trouble{reason: seen.fault, permanent: true}
		f.plugins.log.Warn("plugin file rejected", "file", f.name, "reason", seen.fault)
	} else {
		f.pending = &seen
	}
	f.setTrouble(f.refusal)
	f.attempt(ctx)
	f.workedOff()
}

// poked claims again what another plugin had.
func (f *file) poked(ctx context.Context) {
	switch {
	case f.refusal.taken:
		f.attempt(ctx)
	case f.active != nil && len(f.active.refused) > 0:
		if err := f.plugins.claim(ctx, f, f.active); err != nil {
			f.plugins.log.Warn("plugin groups not claimed", "file", f.name, "error", err)
		}
	}
}

// crashed clears away a process that ended by itself, or was killed because it
// did not answer.
func (f *file) crashed(ctx context.Context) {
	r := f.active
	exit := r.process.Exit()
	p := f.plugins
	p.mu.Lock()
	f.active = nil
	f.restarts++
	f.exit = ended(exit)
	p.mu.Unlock()
	p.retire(ctx, f, r)
	uptime := time.Since(r.process.Started())
	if uptime >= p.config.Stable {
		f.backoff.reset()
	}
	if f.next != nil {
		f.spoiled++
	}
	if f.spoiled > 1 { // its successor, which may mend it, does not wait for it again
		f.lone = true
		f.backoff.reset()
	}
	t := trouble{reason: exit.String()}
	if why := f.trial.crash(r.version); why != "" {
		if err := f.rollBack(ctx, why+": "+exit.String()); err == nil {
			return
		}
	}
	f.retry(&t)
	log := p.log
	if len(exit.Stderr) > 0 {
		log = log.With("stderr", exit.Stderr)
	}
	log.Warn("plugin ended", "file", f.name, "reason", t.reason,
		"uptime", uptime.Round(time.Millisecond).String(), "retry_in", time.Until(t.again).Round(time.Millisecond).String())
}

// leave ends the process and gives up the plugin's name.
func (f *file) leave(ctx context.Context) {
	p := f.plugins
	p.mu.Lock()
	r := f.active
	f.active = nil
	p.mu.Unlock()
	if r != nil {
		if err := r.retire(ctx, p.stopping, p.config.CallTimeout); err != nil {
			p.log.Error("plugin process left", "file", f.name, "error", err)
		}
		p.log.Info("plugin stopped", "file", f.name, "plugin", r.description.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range f.history.Versions {
		_ = p.images.Forget(v.Digest)
	}
	p.release(f, "")
}

// arrive reports the outcome of the first attempt of a file of the first scan,
// once. It returns where the answer to a claim will come, or nil.
func (f *file) arrive(ctx context.Context, r *running) <-chan error {
	if !f.first || f.arrived {
		return nil
	}
	f.arrived = true
	return f.plugins.arrive(ctx, f, r)
}

// workedOff says that a file of the first scan is active, rejected, backing off
// or gone.
func (f *file) workedOff() {
	if !f.first {
		return
	}
	f.first = false
	if f.plugins.scan.worked() {
		f.plugins.workedOff()
	}
}
