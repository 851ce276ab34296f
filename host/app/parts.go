package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/password"
)

// parts are what every command works with, whether a daemon runs or not.
type parts struct {
	*opened
	exchange   *host.Exchange
	keys       *host.Keys
	users      *host.Users
	inbox      *host.Inbox
	outbox     *host.Outbox
	audit      *host.Audit
	activities *host.Activities
	log        hclog.Logger
}

// openParts opens the data folder, which no other process may have open, and the
// store. Lost is told of deliveries that could not be recorded; it may be nil.
func openParts(ctx context.Context, c Config, log hclog.Logger, lost func(host.Delivery, error)) (_ *parts, err error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if err := checkPrivate(c.Data); err != nil {
		return nil, err
	}
	o, err := openStore(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	store := o.store
	known, err := host.OpenQueues(ctx, store, c.Queues)
	if err != nil {
		return nil, err
	}
	tokens, err := host.OpenTokens(ctx, store)
	if err != nil {
		return nil, err
	}
	keys, err := host.OpenKeys(ctx, store, time.Now)
	if err != nil {
		return nil, err
	}
	users, err := host.OpenUsers(ctx, store, password.New(), time.Now)
	if err != nil {
		return nil, err
	}
	activities, err := host.OpenActivities(ctx, store, time.Now)
	if err != nil {
		return nil, err
	}
	return &parts{
		opened: o, log: log,
		exchange: &host.Exchange{
			Store: store, Queues: known, Tokens: tokens, Formatters: noFormatters{},
			Deliveries: host.NewDeliveries(store, time.Now, lost),
			Observer:   activities,
		},
		keys: keys, users: users, inbox: host.NewInbox(store, time.Now), outbox: host.NewOutbox(store), audit: host.NewAudit(store), activities: activities,
	}, nil
}

// recent returns the newest messages of a group that are not damaged, oldest first.
func (p *parts) recent(ctx context.Context, g host.GroupName, limit int) (messages []host.Message, err error) {
	listed, err := p.store.List(ctx, g, 0, limit)
	for _, m := range slices.Backward(listed) {
		if !m.Damaged {
			messages = append(messages, m.Message)
		}
	}
	return messages, err
}

// close writes what is left to write, within a bound, and closes the store. That
// how often and when something happened is not written is no failure: servers that
// keep the store may be gone already.
func (p *parts) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := p.inbox.Flush(ctx)
	if lost := errors.Join(p.exchange.Deliveries.Close(ctx), p.keys.Flush(ctx), p.activities.Flush(ctx)); lost != nil {
		p.log.Warn("what was counted within the last minute is not written", "error", lost)
	}
	return errors.Join(err, p.opened.close())
}

// checkPrivate refuses a data folder that others can look into, as it holds
// messages and the control socket.
func checkPrivate(data string) error {
	info, err := os.Stat(data)
	if err != nil {
		return fmt.Errorf("open the data folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the data folder %s is not a folder", data)
	}
	if mode := info.Mode().Perm(); modesWork && mode&0o077 != 0 {
		return &HintError{
			Err:  fmt.Errorf("the data folder %s is open to other users (mode %04o)", data, mode),
			Hint: fmt.Sprintf("run: chmod 700 %s", data),
		}
	}
	return nil
}

// noFormatters stands in where no plugin runs.
type noFormatters struct{}

func (noFormatters) WriteMessages(_ context.Context, plugin string, _ host.Batch) (host.Document, error) {
	return host.Document{}, noPlugins(plugin)
}

func (noFormatters) FormatHTTPRequest(_ context.Context, plugin string, _ host.Batch, _ host.Document) (host.HTTPRequest, error) {
	return host.HTTPRequest{}, noPlugins(plugin)
}

func (noFormatters) Edition(string) host.Edition { return host.Edition{} }

func (noFormatters) Understudy(_ context.Context, plugin string, _ host.GroupName) (host.Understudy, error) {
	return nil, noPlugins(plugin)
}

func noPlugins(plugin string) error {
	return &host.UnavailableError{Plugin: plugin, Reason: "plugins run only within the daemon; start it with \"restante serve\""}
}

// HintError is an error with the remedy.
type HintError struct {
	Err  error
	Hint string
}

func (e *HintError) Error() string { return e.Err.Error() }

func (e *HintError) Unwrap() error { return e.Err }
