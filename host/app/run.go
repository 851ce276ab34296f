package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/term"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/api"
	"github.com/restante/restante/host/control"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/sandbox"
	"github.com/restante/restante/host/metrics"
	"github.com/restante/restante/host/sender"
)

const (
	// stopGrace is how long calls in flight may take when the daemon stops.
	stopGrace = 10 * time.Second
	// flushEvery is how exactly the store knows when a key was last used.
	flushEvery = time.Minute
)

// Run runs a daemon until ctx ends, and then stops it: calls in flight are
// answered, plugins end, the store is closed. It returns nil after such a stop.
// Its settings are read at the start, and again on SIGHUP and by command.
// The log goes to w.
func Run(ctx context.Context, read Load, version string, w io.Writer) error {
	c, err := load(read)
	if err != nil {
		return err
	}
	log := newLogger(c, w)
	var p *parts
	p, err = openParts(ctx, c, log, func(d host.Delivery, err error) { p.lost(context.WithoutCancel(ctx), log, d, err) })
	if errors.Is(err, host.ErrInUse) {
		return &HintError{
			Err:  fmt.Errorf("the data folder %s is in use by another daemon", c.Data),
			Hint: "stop that one, or give this one a folder of its own with --data",
		}
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // told to stop before it had begun
	}
	if err != nil {
		return err
	}
	d := &daemon{
		load: read, settled: &settled{config: c}, config: c, version: version, log: log, parts: p,
		started: time.Now(), reloaded: make(chan struct{}, 1),
	}
	err = d.run(ctx)
	return errors.Join(err, p.close(ctx))
}

func newLogger(c Config, w io.Writer) hclog.Logger {
	asJSON := c.LogFormat == "json"
	if f, ok := w.(*os.File); c.LogFormat == "auto" {
		asJSON = !ok || !term.IsTerminal(int(f.Fd()))
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:       "restante",
		Level:      hclog.LevelFromString(c.LogLevel),
		Output:     w,
		JSONFormat: asJSON,
		Color:      hclog.AutoColor,
	})
}

type daemon struct {
	load    Load
	settled *settled
	config  Config // as it was at the start
	version string
	log     hclog.Logger
	parts   *parts
	plugins *formatter.Plugins
	metrics *metrics.Metrics
	outlets outlets
	sender  *sender.Sender
	leases  *host.Leases
	machine string // its host name
	name    string // see daemonName
	started time.Time
	url     string
	// reloaded gets a value, if it has none, when the configuration took effect.
	reloaded chan struct{}
}

func (d *daemon) run(ctx context.Context) error {
	d.metrics = metrics.New(ctx, metrics.Config{
		Version: d.version,
		Queues:  d.parts.exchange.Queues,
		Store:   d.parts.store,
		Plugins: func() []host.PluginStatus { return d.plugins.List() },
		Errors:  d.parts.inbox.Open,
		Sending: func() map[host.GroupName]host.SendState { return d.sender.All() },
	})
	attach, err := d.config.attachments()
	if err != nil {
		return err
	}
	if d.machine, err = os.Hostname(); err != nil {
		return fmt.Errorf("find out the name of this machine: %w", err)
	}
	if d.name, err = d.config.daemonName(d.machine); err != nil {
		return err
	}
	d.plugins, err = formatter.New(formatter.Config{
		Folder:      d.config.Plugins,
		Private:     filepath.Join(d.config.Data, "private"),
		Queues:      d.parts.exchange.Queues,
		Records:     ownRecords{d.parts.store, d.name},
		Recent:      d.parts.recent,
		Lock:        formatter.LockMode(d.config.PluginsLock),
		Options:     d.settled.plugin,
		Attach:      attach,
		Sandbox:     sandbox.Mode(d.config.Sandbox),
		Readable:    d.config.Readable,
		Observe:     d.metrics.Called,
		HostVersion: d.version,
		Log:         d.log.Named("plugins"),
	})
	if err != nil {
		return err
	}
	d.parts.exchange.Formatters = d.plugins
	blocked, err := d.newStillBlocked(ctx)
	if err != nil {
		return err
	}
	d.parts.exchange.Observer = observers{d.metrics, d.parts.activities, blocked}
	d.parts.exchange.Refused = func(r host.Refusal) { d.refused(ctx, r) }
	if d.parts.exchange.Faults, err = d.newFaults(ctx); err != nil {
		return err
	}
	if d.sender, err = d.newSender(); err != nil {
		return err
	}
	defer d.outlets.close()
	stopping := make(chan struct{})
	machines, err := api.New(api.Config{
		Exchange: d.parts.exchange,
		Send:     d.sender.Trigger,
		Signer:   func(g host.GroupName) *host.Signer { return d.settled.current().Signers[g] },
		Keys:     d.parts.keys,
		Log:      d.log.Named("api"),
		Metrics:  d.metrics.Handler(),
		Ready:    func() error { return d.ready(stopping) },
		Stopping: stopping,
	})
	if err != nil {
		return err
	}
	listener, err := listen(d.config.Listen)
	if err != nil {
		return err
	}
	d.url = "http://" + listener.Addr().String()
	socket, err := control.Listen(d.config.Data)
	if err != nil {
		listener.Close()
		return err
	}
	defer control.Remove(d.config.Data)
	d.warnOpen(listener.Addr())

	commands := control.Server{
		Exchange: d.parts.exchange, Keys: d.parts.keys, Users: d.parts.users, URL: d.outside(), Log: d.log.Named("control"),
		Inbox: d.parts.inbox, Audit: d.parts.audit, Sender: d.sender, Outbox: d.parts.outbox,
		Plugins: d.plugins, Status: func() control.Status { return d.status(stopping) },
		Reload: d.reload, Check: d.parts.store.CheckData, Export: d.export, Import: d.importShared,
	}
	if d.parts.servers != nil {
		commands.Cluster = d.parts.servers
	}
	pages, err := d.newPages()
	if err != nil {
		return err
	}
	public := api.NewServer(site(machines, pages), d.log.Named("http"))
	private := &http.Server{
		Handler: commands.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 10 * time.Minute, // a large queue takes a while to prune
		IdleTimeout:  time.Minute,
		ConnContext:  control.ConnContext,
	}

	// Plugins stop last of all, so that fetches in flight can be formatted.
	pluginsCtx, stopPlugins := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPlugins()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var plugins, rest sync.WaitGroup
	plugins.Go(func() { fail(d.plugins.Run(pluginsCtx)) })
	rest.Go(func() { fail(serve(public, listener)) })
	rest.Go(func() { fail(serve(private, socket)) })
	rest.Go(func() { fail(d.sender.Run(ctx)) })
	rest.Go(func() { d.flush(ctx) })
	rest.Go(func() { d.follow(ctx) })
	rest.Go(func() { d.prune(ctx) })
	rest.Go(func() { d.reloadOnHangup(ctx) })
	rest.Go(func() { d.watch(ctx) })
	if err := d.inviteFirst(ctx); err != nil {
		fail(err)
	}
	d.log.Info("started", "version", d.version, "url", d.url, "data", d.config.Data, "plugins", d.config.Plugins, "pid", os.Getpid())

	<-ctx.Done()
	d.log.Info("stopping")
	close(stopping)
	d.parts.exchange.Faults.Close()
	graceCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	for _, s := range []*http.Server{public, private} {
		if err := s.Shutdown(graceCtx); err != nil {
			d.log.Warn("calls in flight were cut off", "after", stopGrace.String())
			s.Close()
		}
	}
	rest.Wait()
	pages.Close()
	stopPlugins()
	plugins.Wait()
	d.log.Info("stopped")
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &HintError{
			Err:  fmt.Errorf("the address %s is in use by another program", address),
			Hint: "stop that program, or listen elsewhere with --listen ADDRESS:PORT",
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// serve returns nil when the server was told to stop.
func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// ready returns why the daemon can't serve all that it is there for.
func (d *daemon) ready(stopping <-chan struct{}) error {
	select {
	case <-stopping:
		return errors.New("the daemon is stopping")
	default:
	}
	if d.parts.failure() != nil {
		return host.ErrFailed
	}
	select {
	case <-d.plugins.Ready():
		return nil
	default:
		return errors.New("plugins are still being started")
	}
}

func (d *daemon) status(stopping <-chan struct{}) control.Status {
	s := control.Status{Version: d.version, PID: os.Getpid(), Started: d.started, URL: d.url, Plugins: d.plugins.Folder()}
	if err := d.ready(stopping); err != nil {
		s.NotReady = err.Error()
	}
	return s
}

func (d *daemon) flush(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.flushParts(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// pruneEvery is how often what is too old is deleted.
const pruneEvery = time.Hour

func (d *daemon) prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		for _, q := range d.parts.exchange.Queues.All() {
			c := d.settled.current()
			r, ok := c.Retentions[q.Group]
			if !ok {
				r = c.Retention
			}
			d.pruneAttempts(ctx, q.Group, r)
			entries, bodies, err := d.parts.exchange.Deliveries.Prune(ctx, q.Group, r)
			if entries > 0 || bodies > 0 {
				d.log.Info("deliveries pruned", "group", string(q.Group), "entries", entries, "bodies", bodies)
			}
			if err != nil && ctx.Err() == nil {
				d.log.Warn("deliveries not pruned", "group", string(q.Group), "error", err)
			}
		}
		d.pruneHistory(ctx)
		d.pruneAccounts(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// warnOpen warns where API keys would cross a network in the clear.
func (d *daemon) warnOpen(a net.Addr) {
	if tcp, ok := a.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		d.log.Warn("the API is served without TLS beyond this machine: put a TLS proxy in front, or API keys can be read on the way", "address", a)
	}
}
