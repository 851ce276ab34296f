package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender"
	"github.com/restante/restante/host/sender/endpoint"
)

// outlets are the endpoints of all groups. An endpoint stays as long as its own
// settings do.
type outlets struct {
	mu  sync.RWMutex
	all map[host.GroupName]outlet
}

type outlet struct {
	config      endpoint.Config
	endpoint    *endpoint.Endpoint
	url         string
	fingerprint string
}

// prepare makes the endpoints of a configuration, and returns what has them take
// effect.
func (o *outlets) prepare(configs map[host.GroupName]endpoint.Config) (apply func(), err error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	next := make(map[host.GroupName]outlet, len(configs))
	for g, c := range configs {
		if known, ok := o.all[g]; ok && reflect.DeepEqual(known.config, c) {
			next[g] = known
			continue
		}
		made := outlet{config: c, url: withoutQuery(c.URL), fingerprint: fingerprint(c)}
		if made.endpoint, err = endpoint.New(c); err != nil {
			return nil, fmt.Errorf("endpoint of %q: %w", g, err)
		}
		next[g] = made
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for g, old := range o.all {
			if next[g].endpoint != old.endpoint {
				old.endpoint.Close()
			}
		}
		o.all = next
	}, nil
}

func (o *outlets) of(g host.GroupName) (outlet, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	found, ok := o.all[g]
	return found, ok
}

func (o *outlets) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, old := range o.all {
		old.endpoint.Close()
	}
}

// withoutQuery is what may be shown of a URL.
func withoutQuery(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}

// fingerprint tells configurations apart. It is kept in the store, so it is too short
// to find a password by.
func fingerprint(c endpoint.Config) string {
	text, _ := json.Marshal(c) // always marshals
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// once is an endpoint for one request.
type once struct{ *endpoint.Endpoint }

func (o once) Send(ctx context.Context, r endpoint.Request) endpoint.Answer {
	defer o.Close()
	return o.Endpoint.Send(ctx, r)
}

// thisMachine are the addresses of the machine itself.
var thisMachine = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// elsewhere is an endpoint for tests of a group: of the public network, of what the
// endpoint of the group may connect to, and of this very machine if local is set.
// There is no proxy on the way, which would look names up itself.
func (o *outlets) elsewhere(g host.GroupName, url string, local bool) (sender.Endpoint, error) {
	own, _ := o.of(g)
	allowed := slices.Clone(own.config.AllowPrivate)
	if local {
		allowed = append(allowed, thisMachine...)
	}
	e, err := endpoint.New(endpoint.Config{URL: url, AllowPrivate: allowed})
	if err != nil {
		return nil, err
	}
	return once{e}, nil
}

// sending returns what holds for sending a group.
func (d *daemon) sending(g host.GroupName) sender.Settings {
	s := d.settled.current().Sends[g]
	if o, ok := d.outlets.of(g); ok {
		s.Endpoint, s.URL, s.Fingerprint = o.endpoint, o.url, o.fingerprint
	}
	return s
}

// newSender makes what sends.
func (d *daemon) newSender() (*sender.Sender, error) {
	apply, err := d.outlets.prepare(d.config.Endpoints)
	if err != nil {
		return nil, err
	}
	apply()
	holder, err := machineAndFolder(d.machine, d.config.Data)
	if err != nil {
		return nil, err
	}
	d.leases = host.NewLeases(d.parts.store, holder, time.Now)
	return sender.New(sender.Config{
		Exchange: d.parts.exchange, Outbox: d.parts.outbox, Inbox: d.parts.inbox, Log: d.log.Named("sender"),
		Leases: d.leases, Settings: d.sending, Elsewhere: d.outlets.elsewhere, Observe: d.metrics.Attempted, Place: d.place,
	})
}

// place says whether anything is to be sent from this machine.
func (d *daemon) place() sender.Place {
	return place(d.settled.current().SendFrom, d.machine, d.config.Store.shared())
}

// place says whether anything is to be sent from a machine. A data file that was
// copied elsewhere must not send what the first one sends already.
func place(sendFrom, machine string, shared bool) sender.Place {
	switch {
	case sendFrom == "":
		return sender.Place{Off: fmt.Sprintf("send_from is not set. If this machine is the one that is to send, set send_from = %q in the configuration, and restante reload.", machine)}
	case strings.EqualFold(sendFrom, machine):
		return sender.Place{}
	case shared:
		return sender.Place{Off: fmt.Sprintf("Another daemon sends it, on the machine %q that send_from names; this one is called %q.", sendFrom, machine), Elsewhere: true}
	}
	return sender.Place{Off: fmt.Sprintf("send_from is %q, and this machine is called %q.", sendFrom, machine)}
}

// notice is what every page says.
func (d *daemon) notice() string {
	if p := d.place(); p.Off != "" && !p.Elsewhere && len(d.settled.current().Endpoints) > 0 {
		return "Nothing is sent from here: " + p.Off
	}
	return ""
}

// pruneAttempts deletes attempts that are as old as the deliveries that are deleted.
func (d *daemon) pruneAttempts(ctx context.Context, g host.GroupName, r host.Retention) {
	pruned, err := d.parts.outbox.Prune(ctx, g, time.Now().Add(-cmp.Or(r.Records, host.DefaultRecords)))
	if pruned > 0 {
		d.log.Info("attempts pruned", "group", string(g), "entries", pruned)
	}
	if err != nil && ctx.Err() == nil {
		d.log.Warn("attempts not pruned", "group", string(g), "error", err)
	}
}
