package sender_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/sender"
)

func TestBlockAndResume(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit = 2
		o.add(1, 4)
		o.script(func(_ int, w http.ResponseWriter, _ received) {
			http.Error(w, "no such student", http.StatusUnprocessableEntity)
		})
		o.open()
		r, err := o.sender.SendNow(o.Context(), "out")
		if err != nil || r.State != host.SendBlocked || !strings.Contains(r.Reason, "422") {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
		all := o.reports()
		if len(all) != 1 || all[0].Kind != host.ErrorSend || !strings.Contains(all[0].Details, "no such student") {
			o.Errorf("the inbox has %+v", all)
		}
		o.wait(48 * time.Hour)
		if r, err := o.sender.SendNow(o.Context(), "out"); err != nil || r.State != host.SendBlocked || len(o.got()) != 1 {
			o.Errorf("SendNow of a blocked queue = %+v, %v, after %d attempts", r, err, len(o.got()))
		}
		// The receiver has not got it, so it may be another batch then.
		if _, _, err := o.exchange.Hold(o.Context(), "out", host.NewRanges(1)); err != nil {
			o.Fatal(err)
		}
		o.script(nil)
		if err := o.sender.Resume(o.Context(), "out"); err != nil {
			o.Fatal(err)
		}
		if s := o.status(); s.State.Halted() {
			o.Errorf("right after it was resumed it is %s: %s", s.State, s.Reason)
		}
		o.wait(time.Second)
		if got := ranges(o.got()[1:]); got != "2-3 4-4" {
			o.Errorf("after it was resumed came %s", got)
		}
		if all := o.reports(); len(all) != 0 {
			o.Errorf("the report is not over: %+v", all)
		}
	})
}

func TestBlockEndsWithTheConfiguration(t *testing.T) {
	synthetic(t, func(o *office) {
		o.add(1, 2)
		o.script(status(401))
		o.open()
		o.sender.Trigger(o.Context(), "out")
		o.wait(time.Second)
		o.open() // a restart is no change
		o.sender.Reconfigure()
		o.wait(time.Hour)
		if n := len(o.got()); n != 1 || o.status().State != host.SendBlocked {
			o.Fatalf("%d attempts, %+v", n, o.status())
		}
		o.script(nil)
		o.set(func(s *sender.Settings) { s.Fingerprint = "2" })
		o.wait(time.Second)
		if n := len(o.got()); n != 2 || o.status().State != host.SendIdle {
			o.Errorf("%d attempts, %+v", n, o.status())
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit, o.settings.OnAdd = 1, time.Second
		o.add(1, 3)
		o.script(func(n int, _ http.ResponseWriter, _ received) {
			if n == 1 {
				time.Sleep(10 * time.Second)
			}
		})
		o.open()
		o.wait(5 * time.Second)
		if s := o.status(); s.State != host.SendSending || s.Count != 1 {
			o.Errorf("the status is %+v", s)
		}
		if err := o.sender.Pause(o.Context(), "out", "ada"); err != nil {
			o.Fatal(err)
		}
		o.wait(time.Hour)
		if s := o.status(); s.State != host.SendPaused || !strings.Contains(s.Reason, "ada") || s.Outstanding != 2 || ranges(o.got()) != "1-1" {
			o.Errorf("the status is %+v after %s", s, ranges(o.got()))
		}
		o.open().wait(time.Hour)
		if n := len(o.got()); n != 1 {
			o.Errorf("after a restart there were %d attempts", n)
		}
		if err := o.sender.Resume(o.Context(), "out"); err != nil {
			o.Fatal(err)
		}
		o.wait(time.Minute)
		if ranges(o.got()) != "1-1 2-2 3-3" {
			o.Errorf("received %s", ranges(o.got()))
		}
	})
}

func TestNothingLeavesAClone(t *testing.T) {
	synthetic(t, func(o *office) {
		o.place.Off, o.settings.OnAdd = "this is another machine", time.Second
		o.add(1, 2)
		o.open().wait(time.Hour)
		r, err := o.sender.SendNow(o.Context(), "out")
		if err != nil || r.State != host.SendOff || r.Reason != o.place.Off {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
		for _, test := range []func(context.Context, host.GroupName, string) (host.Attempt, error){o.sender.Test, o.sender.TestLocally} {
			if _, err := test(o.Context(), "out", "http://test.example"); !errors.Is(err, host.ErrNotTested) || !strings.Contains(err.Error(), o.place.Off) {
				o.Errorf("a test left a clone: %v", err)
			}
		}
		if all := o.reports(); len(all) != 1 || all[0].Times != 1 || !strings.Contains(all[0].Title, o.place.Off) {
			o.Errorf("the inbox has %+v", all)
		}
		if n := len(o.got()); n != 0 {
			o.Fatalf("%d requests left a clone", n)
		}
		o.mu.Lock()
		o.place = sender.Place{}
		o.mu.Unlock()
		o.sender.Reconfigure()
		o.wait(5 * time.Second)
		if ranges(o.got()) != "1-2" || len(o.reports()) != 0 {
			o.Errorf("received %s, the inbox has %+v", ranges(o.got()), o.reports())
		}
	})
}

func TestTestBatch(t *testing.T) {
	synthetic(t, func(o *office) {
		o.add(1, 2)
		o.open()
		a, err := o.sender.Test(o.Context(), "out", "http://test.example")
		if err != nil || a.Status != 200 || ranges(o.got()) != "1-2" || !strings.HasPrefix(o.got()[0].key, "test-") {
			o.Errorf("Test = %+v, %v", a, err)
		}
		const inside = "http://localhost"
		if _, err := o.sender.Test(o.Context(), "out", inside); !errors.Is(err, host.ErrNotTested) || len(o.got()) != 1 {
			o.Errorf("Test to this machine = %v, %d requests", err, len(o.got()))
		}
		o.script(func(_ int, w http.ResponseWriter, _ received) { fmt.Fprint(w, strings.Repeat("x", 3000)) })
		if a, err := o.sender.TestLocally(o.Context(), "out", inside); err != nil || len(o.got()) != 2 || len(a.Answer) > 2100 {
			o.Errorf("TestLocally = %+v, %v, %d requests", a, err, len(o.got()))
		}
		if s := o.status(); s.Outstanding != 2 || len(s.Last) != 0 {
			o.Errorf("a test changed the status to %+v", s)
		}
	})
}
