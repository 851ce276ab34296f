package archive_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/restante/restante/host/archive"
	"github.com/restante/restante/host/natsstore"
	"github.com/restante/restante/host/storetest"
)

// TestBetweenKinds moves a file's content to NATS, and back.
func TestBetweenKinds(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	file, middle, back := open(t), (*natsstore.Store)(nil), open(t)
	if middle, err = natsstore.Open(t.Context(), natsstore.Config{URLs: []string{s.ClientURL()}, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	defer middle.Close()
	storetest.Fill(t, file)
	first := export(t, file)
	if _, err := archive.Import(t.Context(), middle, bytes.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	if err := middle.Check(); err != nil {
		t.Error(err)
	}
	second := export(t, middle)
	if _, err := archive.Import(t.Context(), back, bytes.NewReader(second), nil); err != nil {
		t.Fatal(err)
	}
	if err := back.Check(); err != nil {
		t.Error(err)
	}
	if third := export(t, back); lines(third) != lines(first) {
		t.Errorf("what came back differs:\n%s\nwant\n%s", lines(third), lines(first))
	}
}
