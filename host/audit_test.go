package host_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestAudit(t *testing.T) {
	c := newClock()
	store := &failingStore{Store: openStoreAt(t, c.Now)}
	audit := host.NewAudit(store)
	record := func(e host.AuditEntry) {
		t.Helper()
		if err := audit.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	list := func(g host.GroupName, before uint64, limit int) (actions []string, last uint64) {
		t.Helper()
		all, err := audit.List(t.Context(), g, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			actions, last = append(actions, e.Action), e.Number
		}
		return actions, last
	}
	if all, _ := list("", 0, 10); all != nil {
		t.Errorf("a new log has %q", all)
	}
	for n := range 250 {
		record(host.AuditEntry{Time: time.Now(), Who: host.LocalOperator, Action: fmt.Sprint("action ", n), Group: host.GroupName(fmt.Sprint("g", n%50))})
		c.move(time.Minute)
	}
	all, err := audit.List(t.Context(), "", 0, 1)
	if err != nil || len(all) != 1 || all[0].Action != "action 249" || !all[0].Time.Equal(c.Now().Add(-time.Minute)) {
		t.Errorf("the newest is %+v, %v", all, err)
	}
	got, last := list("g7", 0, 3)
	if want := "[action 207 action 157 action 107]"; fmt.Sprint(got) != want {
		t.Errorf("those of g7 are %v, want %s", got, want)
	}
	if got, _ := list("g7", last, 3); fmt.Sprint(got) != "[action 57 action 7]" {
		t.Errorf("the others of g7 are %v", got)
	}
	seen := 0
	for before := uint64(0); ; {
		page, last := list("", before, 7)
		if seen += len(page); len(page) < 7 {
			break
		}
		before = last
	}
	if seen != 250 {
		t.Errorf("in pages there are %d", seen)
	}

	if n, err := audit.Prune(t.Context(), c.Now().Add(-100*time.Minute)); err != nil || n != 150 {
		t.Errorf("Prune = %d, %v", n, err)
	}
	record(host.AuditEntry{Who: strings.Repeat("ä", 1000), Subject: strings.Repeat("\xff", 10), Details: strings.Repeat("x", 10_000)})
	if all, err := audit.List(t.Context(), "", 0, 1); err != nil || len(all[0].Who) > 200 || len(all[0].Details) != 4000 || all[0].Subject != "\uFFFD" {
		t.Errorf("a long entry is %+v, %v", all, err)
	}
	store.appending = host.ErrStoreFull
	if err := audit.Record(context.WithoutCancel(t.Context()), host.AuditEntry{}); !errors.Is(err, host.ErrStoreFull) {
		t.Errorf("Record on a full disk = %v", err)
	}
}
