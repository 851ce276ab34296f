package app

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/cluster"
)

// TestInviteFirst has two daemons on one store say how the first admin signs in.
func TestInviteFirst(t *testing.T) {
	c := Config{Data: filepath.Join(t.TempDir(), "data"), Store: StoreConfig{
		Kind: clusterKind, Replicas: 1, Cluster: &cluster.Config{Name: "n1"},
	}}
	p, err := openParts(t.Context(), c, hclog.NewNullLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	invite := func(holder string) string {
		t.Helper()
		var log bytes.Buffer
		d := &daemon{
			config: c, settled: &settled{config: c}, parts: p, log: hclog.New(&hclog.LoggerOptions{Output: &log}),
			leases: host.NewLeases(p.store, holder, time.Now),
		}
		if err := d.inviteFirst(t.Context()); err != nil {
			t.Fatal(err)
		}
		return log.String()
	}
	token := func(log string) string {
		_, token, _ := strings.Cut(log, "token=")
		return strings.TrimSpace(token)
	}
	first := invite("a:/data")
	if first = token(first); first == "" {
		t.Error("there is no link")
	}
	if log := invite("b:/data"); token(log) != "" || !strings.Contains(log, "daemon=a:/data") {
		t.Errorf("the log of the second is %q", log)
	}
	if _, err := p.users.Invitation(t.Context(), first); err != nil {
		t.Errorf("the link that was logged does not work: %v", err)
	}
	again := token(invite("a:/data"))
	if _, _, err := p.users.Accept(t.Context(), again, "a long enough pass phrase", host.SignInFrom{}); err != nil {
		t.Fatalf("the link of the same daemon when it is started again: %v", err)
	}
	for _, holder := range []string{"a:/data", "b:/data"} {
		if log := invite(holder); log != "" {
			t.Errorf("the log of %s is %q when there is an admin", holder, log)
		}
	}
}
