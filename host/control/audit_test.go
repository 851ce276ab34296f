package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/boltstore"
	"github.com/restante/restante/host/control"
)

// fullStore has no space left for the audit log.
type fullStore struct {
	host.Store
	full bool
}

func (s *fullStore) AppendEntry(ctx context.Context, journal string, e host.Entry, once bool) (uint64, error) {
	if s.full && journal == "audit" {
		return 0, host.ErrStoreFull
	}
	return s.Store.AppendEntry(ctx, journal, e, once)
}

// plugins notes what is done with plugins.
type plugins struct{ done []string }

func (p *plugins) do(what string) error {
	p.done = append(p.done, what)
	if strings.HasSuffix(what, "broken") {
		return errors.New("it is broken")
	}
	return nil
}

func (p *plugins) List() []host.PluginStatus                     { return nil }
func (p *plugins) Reclaim()                                      {}
func (p *plugins) Approve(_ context.Context, name string) error  { return p.do("approve " + name) }
func (p *plugins) RollBack(_ context.Context, name string) error { return p.do("rollback " + name) }
func (p *plugins) Restart(_ context.Context, name string) error  { return p.do("restart " + name) }
func (p *plugins) WriteLock() (map[string]string, error)         { return nil, p.do("lock") }
func (p *plugins) Preview(context.Context, string) (host.Comparison, error) {
	return host.Comparison{}, p.do("preview")
}

// audited is a daemon that commands can be tried on.
type audited struct {
	*control.Client
	store   *fullStore
	audit   *host.Audit
	inbox   *host.Inbox
	x       *host.Exchange
	keys    *host.Keys
	plugins *plugins
	reloads int
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	bolt, err := boltstore.Open(boltstore.Config{Path: filepath.Join(t.TempDir(), "restante.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(bolt.Check(), bolt.Close()); err != nil {
			t.Error(err)
		}
	})
	a := &audited{store: &fullStore{Store: bolt}, plugins: &plugins{}}
	a.audit, a.inbox = host.NewAudit(a.store), host.NewInbox(a.store, time.Now)
	queues, err := host.OpenQueues(t.Context(), a.store, []host.Queue{{Group: "plain"}})
	if err == nil {
		err = queues.Declare(t.Context(), host.Queue{Group: "left", Method: host.Poll, Plugin: "gone"}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := host.OpenTokens(t.Context(), a.store)
	if err != nil {
		t.Fatal(err)
	}
	if a.keys, err = host.OpenKeys(t.Context(), a.store, time.Now); err != nil {
		t.Fatal(err)
	}
	a.x = &host.Exchange{Store: a.store, Queues: queues, Tokens: tokens, Deliveries: host.NewDeliveries(a.store, time.Now, nil)}
	server := control.Server{
		Exchange: a.x, Keys: a.keys, Inbox: a.inbox, Audit: a.audit, Log: hclog.NewNullLogger(), Plugins: a.plugins,
		Status: func() control.Status { return control.Status{} },
		Reload: func(context.Context) (control.Reloaded, error) { a.reloads++; return control.Reloaded{}, nil },
		Check:  func() error { return nil },
	}
	a.Client = control.Direct(server.Handler())
	return a
}

// newest returns the entries that a call has made, the newest first.
func (a *audited) newest(t *testing.T, call func()) []host.ListedAudit {
	t.Helper()
	before, err := a.audit.List(t.Context(), "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	call()
	after, err := a.audit.List(t.Context(), "", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return after[:len(after)-len(before)]
}

// TestAuditOfEveryCommand does everything that is to be told of, first with no
// space for the log, so that nothing may be done, and then with some.
func TestAuditOfEveryCommand(t *testing.T) {
	a := newAudited(t)
	ctx := t.Context()
	if _, err := a.x.Add(ctx, host.AddRequest{Group: "plain", Body: []byte("1\n2\n3"), Lines: true}); err != nil {
		t.Fatal(err)
	}
	f, err := a.x.Fetch(ctx, "plain", 1, host.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.x.Deliveries.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.inbox.Raise(ctx, host.ErrorReport{Kind: host.ErrorBlocked, Group: "plain", Title: "blocked"}); err != nil {
		t.Fatal(err)
	}
	_, key, err := a.keys.Create(ctx, host.Grant{Groups: []host.GroupName{"plain"}, Allow: []host.Permission{host.MayPoll}})
	if err != nil {
		t.Fatal(err)
	}
	open, err := a.inbox.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	report := open[0].ID
	ids := host.NewRanges(1, 2)
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	state := func() string {
		counts, err := a.x.Store.Counts(ctx, "plain")
		if err != nil {
			t.Fatal(err)
		}
		open, err := a.inbox.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		left, err := a.x.Queues.Queue("left")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(counts, open, left, a.keys.List(), a.plugins.done, a.reloads)
	}
	do := func(_ any, err error) error { return err }
	for _, c := range []struct {
		call func() error
		want string // action, group, subject
	}{
		{func() error { return do(a.Add(ctx, host.AddRequest{Group: "plain", Body: []byte("4"), Key: "k"})) }, "messages added|plain|"},
		{func() error { return do(a.Messages(ctx, "plain", 4, 2)) }, "messages listed|plain|2-3"},
		{func() error { return do(a.Message(ctx, "plain", 3)) }, "message looked at|plain|3"},
		{func() error { return do(a.Preview(ctx, "plain", ids)) }, "messages previewed|plain|1-2"},
		{func() error { return do(a.DeliveryBody(ctx, "plain", f.Delivery)) }, "delivery downloaded|plain|" + f.Delivery},
		{func() error { return do(a.Hold(ctx, "plain", ids)) }, "messages held|plain|1-2"},
		{func() error { return do(a.MakeUnread(ctx, "plain", ids)) }, "messages made unread|plain|1-2"},
		{func() error { return do(a.Prune(ctx, "plain", time.Unix(0, 0))) }, "read messages pruned|plain|1970-01-01T00:00:00Z"},
		{func() error { return do(a.Release(ctx, "left")) }, "group released|left|"},
		{func() error {
			return do(a.CreateKey(ctx, host.Grant{Groups: []host.GroupName{"plain"}, Allow: []host.Permission{host.MayAdd}}))
		}, "API key created||"},
		{func() error { return do(a.RevokeKey(ctx, key.ID)) }, "API key revoked||" + key.ID},
		{func() error { return a.RotateTokens(ctx) }, "token key rotated||"},
		{func() error { return a.Approve(ctx, "csv") }, "plugin approved||csv"},
		{func() error { return a.RollBack(ctx, "csv") }, "plugin rolled back||csv"},
		{func() error { return a.Restart(ctx, "csv") }, "plugin restarted||csv"},
		{func() error { return do(a.LockPlugins(ctx)) }, "plugins locked||"},
		{func() error { return do(a.Error(ctx, report)) }, "error looked at||" + report},
		{func() error { return do(a.AcknowledgeError(ctx, report)) }, "error acknowledged||" + report},
		{func() error { return do(a.ReopenError(ctx, report)) }, "error reopened||" + report},
		{func() error { return do(a.Reload(ctx)) }, "configuration reloaded||"},
	} {
		a.store.full = true
		before := state()
		refused, _ := errors.AsType[*control.Error](c.call())
		if refused == nil || refused.Status != 503 || !strings.Contains(refused.Message, "write the audit log: no space left") || refused.Hint == "" {
			t.Errorf("%s: with no space for the log the error is %+v", c.want, refused)
		}
		if after := state(); after != before {
			t.Errorf("%s: with no space for the log there is\n%s\nthere was\n%s", c.want, after, before)
		}
		a.store.full = false
		entries := a.newest(t, func() {
			if err := c.call(); err != nil {
				t.Errorf("%s: %v", c.want, err)
			}
		})
		if len(entries) != 1 {
			t.Errorf("%s: the entries are %+v", c.want, entries)
			continue
		}
		e := entries[0]
		if got := fmt.Sprintf("%s|%s|%s", e.Action, e.Group, e.Subject); got != c.want || e.Who != host.LocalOperator || e.From != own.Username {
			t.Errorf("the entry is %+v, want %s", e, c.want)
		}
		if strings.Contains(e.Action, "key created") && !json.Valid([]byte(e.Details)) {
			t.Errorf("the details are %q", e.Details)
		}
	}
}

func TestAuditOfWhatFails(t *testing.T) {
	a := newAudited(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		call func() error
		want []string
	}{
		"a change":  {func() error { return a.Approve(ctx, "broken") }, []string{"plugin approved: not done", "plugin approved"}},
		"a bad key": {func() error { _, err := a.CreateKey(ctx, host.Grant{}); return err }, []string{"API key created: not done", "API key created"}},
		"a look":    {func() error { _, err := a.Message(ctx, "plain", 9); return err }, nil},
		"a bad group": {func() error {
			_, err := a.Hold(ctx, host.GroupName(strings.Repeat("g", 300)), host.NewRanges(1, 1))
			return err
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var failure error
			entries := a.newest(t, func() { failure = c.call() })
			if failure == nil {
				t.Error("it succeeded")
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.Action)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the entries are %+v, want %q", entries, c.want)
			}
			if len(entries) > 1 && entries[0].Details != failure.Error() {
				t.Errorf("the details are %q, want %q", entries[0].Details, failure)
			}
		})
	}
}

// TestWithoutAudit: what shows no messages can be asked with no space for the log,
// and shows none.
func TestWithoutAudit(t *testing.T) {
	a := newAudited(t)
	ctx := t.Context()
	r := host.ErrorReport{Kind: host.ErrorHeld, Group: "plain", Title: "held", Details: "a secret", Messages: []host.Rejection{{ID: 1, Reason: "a secret"}}}
	if err := a.inbox.Raise(ctx, r); err != nil {
		t.Fatal(err)
	}
	a.store.full = true
	entries := a.newest(t, func() {
		all, err := a.Errors(ctx, true, 0, 20)
		if err != nil || len(all) != 1 || all[0].Details != "" || all[0].Messages != nil {
			t.Errorf("Errors = %+v, %v", all, err)
		}
		for name, call := range map[string]func() error{
			"queues":     func() error { _, err := a.Queues(ctx); return err },
			"deliveries": func() error { _, err := a.Deliveries(ctx, "plain", 0, 20); return err },
			"keys":       func() error { _, err := a.Keys(ctx); return err },
			"plugins":    func() error { _, err := a.Plugins(ctx); return err },
			"audit":      func() error { _, err := a.AuditLog(ctx, "plain", 0, 20); return err },
			"verify":     func() error { _, err := a.Verify(ctx); return err },
		} {
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if len(entries) != 0 {
		t.Errorf("the entries are %+v", entries)
	}
}
