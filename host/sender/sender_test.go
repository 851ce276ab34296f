package sender_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

func TestSendNowSendsAllInOrder(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit = 4
		o.add(1, 10)
		o.open()
		r, err := o.sender.SendNow(o.Context(), "out")
		if err != nil || r.Messages != 10 || r.Batches != 3 || r.State != host.SendIdle {
			o.Fatalf("SendNow = %+v, %v", r, err)
		}
		all := o.got()
		if ranges(all) != "1-4 5-8 9-10" {
			o.Errorf("received %s", ranges(all))
		}
		if all[0].key == all[1].key || all[0].lease != "1" || all[0].method != "POST" || all[0].header.Get("Content-Type") != "application/json" {
			o.Errorf("the first request is %+v", all[0])
		}
		deliveries, err := o.exchange.Deliveries.List(o.Context(), "out", 0, 10)
		if err != nil || len(deliveries) != 3 {
			o.Fatalf("%d deliveries, %v", len(deliveries), err)
		}
		for i, d := range deliveries {
			sent := all[2-i]
			body, err := o.exchange.Deliveries.Body(o.Context(), d.Delivery)
			if err != nil || d.ID != sent.key || string(body) != sent.body || d.Marked.IsZero() {
				o.Errorf("delivery %+v, %v is not what was sent", d, err)
			}
			attempts, err := o.sender.Attempts(o.Context(), "out", d.ID)
			if err != nil || len(attempts) != 1 || attempts[0].Status != 200 || attempts[0].Outcome != host.AttemptSent || attempts[0].Messages != d.IDs {
				o.Errorf("the attempts are %+v, %v", attempts, err)
			}
		}
		if s := o.status(); s.State != host.SendIdle || s.Outstanding != 0 || len(s.Last) != 3 || s.Delivery != "" {
			o.Errorf("the status is %+v", s)
		}
		if r, err := o.sender.SendNow(o.Context(), "out"); err != nil || r.Batches != 0 || r.State != host.SendIdle {
			o.Errorf("SendNow of nothing = %+v, %v", r, err)
		}
		if n := len(o.got()); n != 3 {
			o.Errorf("%d requests", n)
		}
	})
}

func TestSendNowIsForSendQueues(t *testing.T) {
	synthetic(t, func(o *office) {
		o.open()
		if _, err := o.sender.SendNow(o.Context(), "polled"); !errors.Is(err, host.ErrNotSent) {
			o.Errorf("SendNow of a poll queue = %v", err)
		}
		if _, err := o.sender.Trigger(o.Context(), "nobody"); !errors.Is(err, host.ErrUnknownGroup) {
			o.Errorf("Trigger of no queue = %v", err)
		}
	})
}

func TestAnHourOf500(t *testing.T) {
	synthetic(t, func(o *office) {
		o.settings.Limit = 2
		o.add(1, 3)
		o.script(status(500))
		o.open()
		began := time.Now()
		if r, err := o.sender.SendNow(o.Context(), "out"); err != nil || r.State != host.SendWaiting || r.Messages != 0 || !strings.Contains(r.Reason, "500") {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
		o.add(4, 9) // what is on its way does not grow
		o.wait(time.Hour)
		failed := len(o.got())
		if failed < 8 || failed > 40 {
			o.Errorf("%d attempts within an hour", failed)
		}
		if s := o.status(); s.State != host.SendWaiting || s.Attempts != failed || s.Outstanding != 9 {
			o.Errorf("the status is %+v", s)
		}
		if all := o.reports(); len(all) != 0 {
			o.Errorf("it is reported already: %+v", all)
		}
		o.script(status(204))
		o.wait(30 * time.Minute)
		all := o.got()
		for _, r := range all[:failed+1] {
			if r.key != all[0].key || r.body != all[0].body {
				o.Errorf("%s was sent again as %s: %s", all[0].key, r.key, r.body)
			}
		}
		if got := ranges(all[failed:]); got != "1-2 3-4 5-6 7-8 9-9" {
			o.Errorf("after it was mended came %s", got)
		}
		if took := all[failed].at.Sub(began); took > 90*time.Minute {
			o.Errorf("it was sent after %s", took)
		}
	})
}

func TestGiveUp(t *testing.T) {
	synthetic(t, func(o *office) {
		o.add(1, 3)
		o.script(status(503))
		o.settings.GiveUp = 2 * time.Hour
		o.open()
		o.sender.Trigger(o.Context(), "out")
		o.wait(119 * time.Minute)
		if s := o.status(); s.State != host.SendWaiting {
			o.Errorf("before the end the status is %+v", s)
		}
		o.wait(30 * time.Minute)
		s := o.status()
		if s.State != host.SendGaveUp || !strings.Contains(s.Reason, "503") {
			o.Errorf("after the end the status is %+v", s)
		}
		all := o.reports()
		if len(all) != 1 || all[0].Kind != host.ErrorSend || all[0].Group != "out" || !strings.Contains(all[0].Title, "2 hours") {
			o.Errorf("the inbox has %+v", all)
		}
		n := len(o.got())
		o.open().wait(24 * time.Hour) // nor after a restart
		if more := len(o.got()) - n; more != 0 {
			o.Errorf("%d attempts after it gave up", more)
		}
		if r, err := o.sender.SendNow(o.Context(), "out"); err != nil || r.State != host.SendGaveUp {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
		o.script(nil)
		if err := o.sender.Resume(o.Context(), "out"); err != nil {
			o.Fatal(err)
		}
		o.wait(time.Second)
		last := o.got()[n:]
		if ranges(last) != "1-3" || last[0].key != o.got()[0].key {
			o.Errorf("after it was resumed came %s", ranges(last))
		}
		if all := o.reports(); len(all) != 0 {
			o.Errorf("the report is not over: %+v", all)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synthetic(t, func(o *office) {
		o.add(1, 1)
		o.script(func(n int, w http.ResponseWriter, _ received) {
			if n == 1 {
				w.Header().Set("Retry-After", "1800")
				w.WriteHeader(429)
			}
		})
		o.open()
		o.sender.Trigger(o.Context(), "out")
		o.wait(1799 * time.Second)
		if n := len(o.got()); n != 1 {
			o.Errorf("%d attempts before it wanted to be asked", n)
		}
		o.wait(2 * time.Second)
		if n := len(o.got()); n != 2 || o.status().State != host.SendIdle {
			o.Errorf("%d attempts after, %+v", n, o.status())
		}
		// Who asks in a hurry does not wait.
		o.add(2, 2)
		o.script(func(n int, w http.ResponseWriter, _ received) {
			if n == 3 {
				w.Header().Set("Retry-After", "1800")
				w.WriteHeader(429)
			}
		})
		o.sender.Trigger(o.Context(), "out")
		o.wait(time.Minute)
		o.sender.Trigger(o.Context(), "out")
		o.wait(time.Minute)
		if n := len(o.got()); n != 3 {
			o.Errorf("a trigger did not keep the pause: %d attempts", n)
		}
		if r, err := o.sender.SendNow(o.Context(), "out"); err != nil || r.Messages != 1 || r.State != host.SendIdle {
			o.Errorf("SendNow = %+v, %v", r, err)
		}
	})
}

func TestLostAnswers(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"before the answer": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"in the middle of the answer": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			w.Write(make([]byte, 10))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"never": func(http.ResponseWriter) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synthetic(t, func(o *office) {
				o.settings.Limit = 2
				o.add(1, 4)
				o.script(func(n int, w http.ResponseWriter, _ received) {
					if n == 2 {
						answer(w)
					}
				})
				o.open()
				o.sender.Trigger(o.Context(), "out")
				o.wait(5 * time.Minute)
				all := o.got()
				if ranges(all) != "1-2 3-4 3-4" || all[1].key != all[2].key || all[1].body != all[2].body {
					o.Errorf("received %s", ranges(all))
				}
				if s := o.status(); s.State != host.SendIdle || s.Outstanding != 0 {
					o.Errorf("the status is %+v", s)
				}
			})
		})
	}
}
