package natsstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/restante/restante/host"
)

// TestFragmentedState reads every second message of a million, and a random half of
// four million, which is more than one message of a server takes. Only the state of
// such a group matters, so there are no messages.
func TestFragmentedState(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		all  host.ID
		read func(id host.ID) bool
	}{
		"every second": {1_000_000, func(id host.ID) bool { return id%2 == 0 }},
		"random":       {4_000_000, func(host.ID) bool { return r.IntN(2) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			all, read := c.all, c.read
			conf := config(t, sharedCluster(t, 1))
			a, b := open(t, conf), open(t, conf)
			if err := a.PretendLast(t.Context(), "g", all); err != nil {
				t.Fatal(err)
			}
			var ids host.Ranges
			for id := host.ID(1); id <= all; id++ {
				if read(id) {
					ids.Add(host.Range{First: id, Last: id})
				}
			}
			start := time.Now()
			n, after, err := a.Move(t.Context(), "g", ids, host.Read)
			want := host.Counts{Last: all, Read: ids.Count(), Unread: uint64(all) - ids.Count()}
			if err != nil || n != ids.Count() || after != want {
				t.Fatalf("Move = %d, %+v, %v, want %d", n, after, err, ids.Count())
			}
			first := time.Since(start)
			wantCounts(t, b, want)
			start = time.Now()
			n, _, err = b.Move(t.Context(), "g", host.NewRanges(1, 2, 3, 500_000, 500_001), host.Held)
			if err != nil || n != 5 {
				t.Fatalf("Move = %d, %v, want 5", n, err)
			}
			t.Logf("moving %d took %v, moving 5 took %v", ids.Count(), first, time.Since(start))
			got, err := a.Counts(t.Context(), "g")
			if err != nil || got.Held != 5 || got.Read+got.Unread != uint64(all)-5 {
				t.Errorf("Counts = %+v, %v", got, err)
			}
		})
	}
}

// TestFull fills the space that a server has.
func TestFull(t *testing.T) {
	c := testCluster(t, 1, func(o *server.Options) { o.JetStreamMaxStore = 3 << 20 })
	s := open(t, config(t, c))
	a := host.Addition{Group: "g", Data: messages(`"` + strings.Repeat("x", 100_000) + `"`)}
	added := uint64(0)
	var err error
	for err == nil && added < 100 {
		if _, err = s.Append(t.Context(), a); err == nil {
			added++
		}
	}
	if !errors.Is(err, host.ErrStoreFull) {
		t.Fatalf("Append to a full store = %v", err)
	}
	t.Log(err)
	wantCounts(t, s, host.Counts{Last: host.ID(added), Unread: added})
	if _, err := s.Unread(t.Context(), "g", 100, host.MaxBatchBytes); err != nil {
		t.Error(err)
	}
}

// TestDamage has other bytes in the stream than were added.
func TestDamage(t *testing.T) {
	c := sharedCluster(t, 1)
	conf := config(t, c)
	s := open(t, conf)
	if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages("1", "2")}); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(c.urls()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), conf.Prefix+"_m_g")
	if err != nil {
		t.Fatal(err)
	}
	good, err := stream.GetMsg(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*nats.Msg{
		{Subject: good.Subject, Header: good.Header, Data: []byte("2")}, // another's place
		{Subject: good.Subject, Data: []byte("4")},
	} {
		m.Header.Del("Nats-Batch-Id")
		m.Header.Del("Nats-Batch-Sequence")
		m.Header.Del("Nats-Batch-Commit")
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages("5", "6")}); err != nil || ids[0] != 5 {
		t.Fatalf("Append after damaged ones = %v, %v", ids, err)
	}
	if err := stream.DeleteMsg(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	unread, err := s.Unread(t.Context(), "g", 10, 1000)
	if err != nil || len(unread) != 2 {
		t.Errorf("Unread = %v, %v, want those before the damaged one", unread, err)
	}
	if n, _, err := s.Move(t.Context(), "g", upTo(2), host.Read); n != 2 || err != nil {
		t.Errorf("Move = %d, %v", n, err)
	}
	if _, err := s.Unread(t.Context(), "g", 10, 1000); !errors.Is(err, host.ErrDamaged) || !strings.Contains(err.Error(), "message 3") {
		t.Errorf("Unread = %v, want ErrDamaged for message 3", err)
	}
	listed, err := s.List(t.Context(), "g", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range listed {
		got += fmt.Sprintf(" %d", m.ID)
		if m.Damaged {
			got += "!"
		}
	}
	if got != " 6! 5 4! 3! 2 1" {
		t.Errorf("List = %s", got)
	}
	if n, _, err := s.Move(t.Context(), "g", host.NewRanges(3, 4, 6), host.Held); n != 3 || err != nil {
		t.Errorf("Move = %d, %v", n, err)
	}
	if unread, err := s.Unread(t.Context(), "g", 10, 1000); err != nil || len(unread) != 1 || unread[0].ID != 5 {
		t.Errorf("Unread = %v, %v, want message 5", unread, err)
	}
	if _, _, err := s.Move(t.Context(), "g", upTo(6), host.Read); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Prune(t.Context(), "g", time.Now().Add(time.Hour), 10); n != 3 || err != nil {
		t.Errorf("Prune = %d, %v, want 3", n, err)
	}
	err = s.Check()
	for _, want := range []string{"message 3 of", "message 4 of", "message 6 of"} {
		if !errors.Is(err, host.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want it to name %s", err, want)
		}
	}
}

// TestDamagedCells has other bytes in the tables than were written.
func TestDamagedCells(t *testing.T) {
	c := sharedCluster(t, 1)
	conf := config(t, c)
	s := open(t, conf)
	ctx := t.Context()
	if _, err := s.PutRecord(ctx, "b", host.Record{Key: "k", Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AppendEntry(ctx, "j", host.Entry{Key: "k", Value: []byte("1")}, false); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(c.urls()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range 4 {
		stream, err := js.Stream(ctx, fmt.Sprintf("%s_t%d", conf.Prefix, i))
		if err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for subject := range info.State.Subjects {
			if strings.Contains(subject, ".h.") {
				continue
			}
			m, err := stream.GetLastMsgForSubject(ctx, subject)
			if err != nil {
				t.Fatal(err)
			}
			h := nats.Header{"Restante": m.Header["Restante"]}
			if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: h, Data: append(m.Data, 'x')}); err != nil {
				t.Fatal(err)
			}
			changed++
		}
	}
	if changed != 2 {
		t.Fatalf("%d cells were changed, want 2", changed)
	}
	_, record := open(t, conf).Record(ctx, "b", "k")
	_, records := s.Records(ctx, "b")
	_, entries := s.Entries(ctx, "j", 0, 10)
	for what, err := range map[string]error{"Record": record, "Records": records, "Entries": entries, "Check": s.Check()} {
		if !errors.Is(err, host.ErrDamaged) {
			t.Errorf("%s = %v, want ErrDamaged", what, err)
		}
	}
}

// TestOrphanedDeletes has pruning end before anything is deleted.
func TestOrphanedDeletes(t *testing.T) {
	conf := config(t, sharedCluster(t, 3))
	s := open(t, conf)
	if _, err := s.Append(t.Context(), large(100, "x")); err != nil {
		t.Fatal(err)
	}
	var ids host.Ranges
	ids.Add(host.Range{First: 1, Last: 50})
	ids.Add(host.Range{First: 60, Last: 70})
	if err := s.ForgetOnly(t.Context(), "g", ids); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, host.Counts{Last: 100, Unread: 39})
	if n, err := s.Prune(t.Context(), "g", time.Now(), 10); n != 0 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	status, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range status.Streams {
		if stream.Group == "g" && stream.Messages != 39 {
			t.Errorf("the stream has %d messages, want 39", stream.Messages)
		}
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// TestLostStream has somebody delete the stream of a group. Its messages must not
// seem never to have been, and its numbers must not begin anew: they would be those
// of messages that were read.
func TestLostStream(t *testing.T) {
	c := sharedCluster(t, 1)
	conf := config(t, c)
	a := open(t, conf)
	if _, err := a.Append(t.Context(), host.Addition{Group: "g", Data: messages("1")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Move(t.Context(), "g", upTo(1), host.Read); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(c.urls()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), conf.Prefix+"_m_g"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Counts(t.Context(), "g"); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("Counts without the stream = %v", err)
	}
	for name, s := range map[string]host.Store{"the same": a, "another": open(t, conf)} {
		if _, err := s.Append(t.Context(), host.Addition{Group: "g", Data: messages("2")}); err == nil || !strings.Contains(err.Error(), "restore it") {
			t.Errorf("Append by %s daemon without the stream = %v", name, err)
		}
	}
}
