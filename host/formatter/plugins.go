package formatter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/sandbox"
)

// firstStarts is how many plugins are started at the same time at first.
const firstStarts = 4

// Plugins runs the plugins of a folder. It is safe for concurrent use.
type Plugins struct {
	config Config
	log    hclog.Logger
	copies *copies
	kernel kernel
	images sandbox.Images // of what runs
	ready  chan struct{}
	// stopping is closed when Run is to return.
	stopping chan struct{}
	begun    atomic.Bool

	starts chan struct{} // one for each plugin of the first scan that starts
	scan   firstScan

	lives    sync.WaitGroup // the goroutine of each file
	retiring sync.WaitGroup // processes on their way out

	claiming sync.Mutex // makes claims one after the other

	mu    sync.RWMutex
	phase phase
	files map[string]*file // what is in the folder, by file name
	names map[string]*file // who has a plugin name, until its process is gone
}

// phase is how far Run has come.
type phase int

const (
	unread  phase = iota // the folder was not looked at yet
	working              // it was
	ending               // Run is to return
)

var _ host.Formatters = (*Plugins)(nil)

// New checks the config and makes the two folders. Nothing runs before Run.
func New(config Config) (*Plugins, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Folder, 0o755); err != nil {
		return nil, fmt.Errorf("make plugin folder: %w", err)
	}
	if err := checkFolder(config.Folder); err != nil {
		return nil, err
	}
	private, err := openCopies(config.Private)
	if err != nil {
		return nil, err
	}
	return &Plugins{
		config:   config,
		log:      config.Log,
		copies:   private,
		ready:    make(chan struct{}),
		stopping: make(chan struct{}),
		starts:   make(chan struct{}, firstStarts),
		files:    map[string]*file{},
		names:    map[string]*file{},
	}, nil
}

// Folder returns the absolute path of the folder that plugins are dropped into.
func (p *Plugins) Folder() string { return p.config.Folder }

// Ready returns a channel that is closed when every file that was there at the
// start is active, rejected or backing off. A file that is still being written
// then is not waited for.
func (p *Plugins) Ready() <-chan struct{} { return p.ready }

// Run keeps the folder's plugins running until ctx is over, and returns when
// all of their processes are gone. It may be called once. It fails only if it
// can't begin.
func (p *Plugins) Run(ctx context.Context) error {
	if p.begun.Swap(true) {
		return errors.New("run plugins: Run was called before")
	}
	context.AfterFunc(ctx, func() { close(p.stopping) })
	if err := process.CloseOnExec(); err != nil {
		p.log.Warn("files that the daemon was started with are open in plugins, too", "error", err)
	}
	if err := process.SweepSockets(p.config.Sockets); err != nil {
		p.log.Warn("sockets of an earlier run remain", "error", err)
	}
	p.announceSandbox(ctx)
	p.attachAll(ctx)
	p.watch(ctx)
	p.mu.Lock()
	p.phase = ending
	p.mu.Unlock()
	p.lives.Wait()
	p.retiring.Wait()
	return p.images.Close()
}

// List returns the state of every file of the folder, sorted by file name.
func (p *Plugins) List() []host.PluginStatus {
	now := time.Now()
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := make([]host.PluginStatus, 0, len(p.files))
	for _, f := range p.files {
		list = append(list, f.describe(now))
	}
	slices.SortFunc(list, func(a, b host.PluginStatus) int { return cmp.Compare(a.File, b.File) })
	return list
}

// Reclaim has plugins claim again the groups that they were refused. Call it
// after a group was released.
func (p *Plugins) Reclaim() { p.poke(nil) }

// poke has every other file look again whether it now gets what it was refused.
func (p *Plugins) poke(except *file) {
	p.mu.RLock()
	others := slices.Collect(maps.Values(p.files))
	p.mu.RUnlock()
	for _, f := range others {
		if f != except {
			f.mail.put(func(l *letter) { l.poked = true })
		}
	}
}
