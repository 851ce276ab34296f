package natsstore_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/natsstore"
)

func TestStatus(t *testing.T) {
	c := sharedCluster(t, 3)
	s := open(t, config(t, c))
	if _, err := s.Append(t.Context(), host.Addition{Group: "Group:1", Data: messages("1", "2")}); err != nil {
		t.Fatal(err)
	}
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Streams) != 6 || len(status.Servers) != 3 || status.Connected == "" {
		t.Errorf("Status = %+v", status)
	}
	for _, stream := range status.Streams {
		if stream.Leader == "" || len(stream.Replicas) != 2 {
			t.Errorf("stream %+v has no leader, or not two others", stream)
		}
		if stream.Group == "Group:1" && stream.Messages != 2 {
			t.Errorf("stream %+v has not 2 messages", stream)
		}
	}
	if status.Durability != natsstore.Unknown || status.Advice == "" {
		t.Errorf("the durability is %q, %q; clients are not told", status.Durability, status.Advice)
	}
}

// TestDurability lets the account see what servers tell their system account.
func TestDurability(t *testing.T) {
	for want, always := range map[natsstore.Durability]bool{natsstore.Always: true, natsstore.Interval: false} {
		c := testCluster(t, 1, func(o *server.Options) {
			o.SyncAlways = always
			system, ours := server.NewAccount("SYS"), server.NewAccount("RESTANTE")
			o.Accounts, o.SystemAccount = []*server.Account{system, ours}, "SYS"
			o.Users = []*server.User{{Username: "restante", Password: "p", Account: ours}}
		})
		s0 := c.servers[0]
		system, err := s0.LookupAccount("SYS")
		if err != nil {
			t.Fatal(err)
		}
		ours, err := s0.LookupAccount("RESTANTE")
		if err != nil {
			t.Fatal(err)
		}
		const subject = "$SYS.REQ.SERVER.PING.JSZ"
		if err := ours.EnableJetStream(nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := system.AddServiceExportWithResponse(subject, server.Streamed, nil); err != nil {
			t.Fatal(err)
		}
		if err := ours.AddServiceImport(system, subject, subject); err != nil {
			t.Fatal(err)
		}
		conf := config(t, c)
		conf.Options = []nats.Option{nats.UserInfo("restante", "p")}
		status, err := open(t, conf).Status(t.Context())
		if err != nil || status.Durability != want {
			t.Errorf("Status = %+v, %v, want %q", status, err, want)
		}
	}
}
