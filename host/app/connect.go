package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/control"
)

// modesWork is false where files have no Unix permissions.
const modesWork = runtime.GOOS != "windows"

// Connect returns a client of the daemon that has the data folder open; if
// none has, of the folder itself, which close gives free again. The folder must
// hold a store already.
func Connect(ctx context.Context, data string) (client *control.Client, close func() error, err error) {
	if err := hasStore(data); err != nil {
		return nil, nil, err
	}
	client = control.Dial(data)
	_, err = client.Status(ctx)
	if err == nil {
		return client, func() error { client.Close(); return nil }, nil
	}
	client.Close()
	if !control.Absent(err) {
		return nil, nil, err
	}
	if err := openable(data); err != nil {
		return nil, nil, err
	}
	p, err := openParts(ctx, Config{Data: data}, hclog.NewNullLogger(), nil)
	if errors.Is(err, host.ErrInUse) {
		return nil, nil, &HintError{
			Err:  fmt.Errorf("a process has the data folder %s open, but does not answer on its control socket", data),
			Hint: "the daemon may just be starting or stopping; try again in a moment",
		}
	}
	if err != nil {
		return nil, nil, err
	}
	server := control.Server{
		Exchange: p.exchange, Keys: p.keys, Users: p.users, Inbox: p.inbox, Audit: p.audit, Outbox: p.outbox,
		Log: hclog.NewNullLogger(), Check: p.store.Check,
	}
	return control.Direct(server.Handler()), func() error { return p.close(ctx) }, nil
}

func hasStore(data string) error {
	if kind := storeOf(data); kind != boltKind {
		return nil
	}
	if _, err := os.Stat(filepath.Join(data, StoreName)); err != nil {
		return &HintError{
			Err:  fmt.Errorf("there is no store in the data folder %s", data),
			Hint: "name the folder of the daemon with --data or RESTANTE_DATA; \"restante serve\" makes a new one",
		}
	}
	return nil
}
