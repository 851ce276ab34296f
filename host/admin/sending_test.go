package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

const push = "/admin/queues/push"

// attackSending has a receiver, a plugin and a configuration say what they can.
func attackSending(t *testing.T, s *site, v *visitor) {
	t.Helper()
	now := time.Now()
	attempt := host.Attempt{
		Time: now, Delivery: attack, Number: 1, Messages: attack, Method: attack, URL: attack, Address: attack, Status: 500,
		Headers: []host.HTTPHeader{{Name: attack, Value: attack}}, Answer: attack, Outcome: host.AttemptOutcome(attack), Error: attack,
	}
	s.sender.put(host.SendStatus{
		State: host.SendBlocked, Reason: attack, URL: attack, Outstanding: 1, Delivery: attack, Schedule: attack, TimeZone: attack, NextRun: now,
		Breaker: attack, BreakerUntil: now, Last: []host.Attempt{attempt},
	})
	s.sender.attempts, s.sender.tested = []host.Attempt{attempt}, attempt
	s.report(t, host.ErrorReport{Kind: host.ErrorSend, Group: "push", Title: attack, Details: attack})
	s.fill(t, "push", "1")
	f, err := s.exchange.Take(t.Context(), "push", 1, 1, attack)
	if err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"/admin/": "xss", push: "xss", push + "/connect": "xss", push + "/deliveries": "xss", push + "/deliveries/" + f.Delivery: "attempt&nbsp;1",
		push + "/sending": "xss", push + "/sending?answers=1": "xss", push + "/sending/resume": "xss", push + "/sending/test": "xss",
		push + "/sending/send": "Resume it first", push + "/sending/" + url.PathEscape(strings.ReplaceAll(attack, "/", "")): "no such page",
	} {
		a := v.get(path)
		if !strings.Contains(a.body, says) || a.status >= 500 {
			t.Errorf("%s = %d and does not say %q: %.3000s", path, a.status, says, a.body)
		}
		harmless(t, path, a)
	}
	tested := v.post(push+"/sending/test", url.Values{"url": {attack}})
	check(t, "a test", tested, http.StatusOK, "&lt;xss")
	harmless(t, "a test", tested)
	s.sender.err = fmt.Errorf("%w: %s", host.ErrNotTested, attack)
	refused := v.post(push+"/sending/test", url.Values{"url": {attack}})
	check(t, "a test that is refused", refused, http.StatusUnprocessableEntity, "no test batch can be sent")
	harmless(t, "a test that is refused", refused)
	s.sender.put(host.SendStatus{State: host.SendState(attack), Reason: attack, URL: attack, Outstanding: 1})
	for _, path := range []string{"/admin/", push + "/sending", push + "/sending/send"} {
		harmless(t, path, v.get(path))
	}
}

// TestSending goes through the states of sending, and what can be done in them.
func TestSending(t *testing.T) {
	s := start(t)
	v := s.visit(t, "operator")
	now := time.Now()
	const to = "https://receiver.example/in"
	for _, c := range []struct {
		status host.SendStatus
		says   string
		can    []string
		tag    string // on the overview
	}{
		{host.SendStatus{State: host.SendIdle, URL: to}, "Nothing is outstanding.", []string{"pause"}, `<span class="tag ok">ok</span>`},
		{host.SendStatus{State: host.SendIdle, URL: to, SendEmpty: true}, "Nothing is outstanding.", []string{"send", "pause"}, `<span class="tag ok">ok</span>`},
		{host.SendStatus{State: host.SendIdle, URL: to, Outstanding: 2}, "there is no schedule", []string{"send", "pause"}, `<span class="tag ok">ok</span>`},
		{host.SendStatus{State: host.SendIdle, URL: to, Outstanding: 2, Schedule: "30 6 * * *", TimeZone: "UTC", NextRun: now.Add(90 * time.Minute)},
			"by the schedule, or when somebody asks", []string{"send", "pause"}, "in 1 h"},
		{host.SendStatus{State: host.SendIdle, URL: to, Outstanding: 2, OnAdd: 2 * time.Second}, "2 seconds after a message was added", []string{"send", "pause"}, "ok"},
		{host.SendStatus{State: host.SendSending, Reason: "Delivery x is on its way.", URL: to, Outstanding: 2, Delivery: "d1", Count: 2}, `deliveries/d1">a batch of 2 messages</a>`,
			[]string{"send", "pause"}, `<span class="tag ok">ok</span>`},
		{host.SendStatus{State: host.SendWaiting, Reason: "It failed.", URL: to, Outstanding: 2, Delivery: "d1", Attempts: 3, First: now, Next: now.Add(10*time.Minute + time.Second)},
			"3 failed attempts", []string{"send", "pause"}, `<span class="tag warn">waiting</span>`},
		{host.SendStatus{State: host.SendPaused, Reason: "Paused by ann.", URL: to, Outstanding: 2}, "Paused by ann.", []string{"resume"}, `<span class="tag warn">paused</span>`},
		{host.SendStatus{State: host.SendBlocked, Reason: "It answered 422.", URL: to, Outstanding: 2}, "It answered 422.", []string{"resume"}, `<span class="tag bad">blocked</span>`},
		{host.SendStatus{State: host.SendGaveUp, Reason: "For a day.", URL: to, Outstanding: 2, Breaker: "open", BreakerUntil: now.Add(time.Minute)}, "is left alone, until",
			[]string{"resume"}, `<span class="tag bad">gave up</span>`},
		{host.SendStatus{State: host.SendOff, Reason: "No endpoint.", Outstanding: 2}, "nowhere: no endpoint is configured", nil, `<span class="tag warn">off</span>`},
	} {
		s.sender.put(c.status)
		page := v.get(push + "/sending")
		name := fmt.Sprintf("%s, %d outstanding", c.status.State, c.status.Outstanding)
		check(t, name, page, http.StatusOK, c.says, `sending/test"`)
		for action := range map[string]bool{"send": true, "pause": true, "resume": true} {
			if can := slices.Contains(c.can, action); strings.Contains(page.body, push+"/sending/"+action+`"`) != can {
				t.Errorf("%s: a link to %s is %v", name, action, !can)
			}
		}
		check(t, name+", overview", s.visit(t, "viewer").get("/admin/"), http.StatusOK, c.tag)
		if viewer := s.visit(t, "viewer").get(push + "/sending"); strings.Contains(viewer.body, push+"/sending/") {
			t.Errorf("%s: a viewer sees what operators can do", name)
		}
	}
}

// TestSendingActions confirms and does what can be done.
func TestSendingActions(t *testing.T) {
	s := start(t)
	v := s.visit(t, "operator")
	s.sender.put(host.SendStatus{URL: "https://receiver.example/in", Outstanding: 1234})
	check(t, "the question", v.get(push+"/sending/send"), http.StatusOK, "1,234 messages are outstanding", "https://receiver.example/in", "in order")
	for action, says := range map[string]string{"send": "Asked for: 1,234 messages", "pause": "Paused.", "resume": "Resumed."} {
		a := v.post(push+"/sending/"+action, nil)
		if a.status != http.StatusSeeOther || a.location() != push+"/sending" {
			t.Errorf("%s = %d to %s", action, a.status, a.location())
		}
		check(t, action, v.get(push+"/sending"), http.StatusOK, says)
	}
	slices.Sort(s.sender.done)
	if want := []string{"pause push by operator", "resume push", "send push"}; !slices.Equal(s.sender.done, want) {
		t.Errorf("done are %q, want %q", s.sender.done, want)
	}
	log := strings.Join(s.audited(t), ", ")
	for _, action := range []string{"sending asked for", "sending paused", "sending resumed"} {
		if strings.Count(log, action) != 1 {
			t.Errorf("the audit log has %s, want %q once", log, action)
		}
	}

	// What can't be done is not done.
	s.sender.put(host.SendStatus{State: host.SendPaused, Outstanding: 1})
	check(t, "sending while paused", v.post(push+"/sending/send", nil), http.StatusBadRequest, "Sending is paused. Resume it first.")
	s.sender.put(host.SendStatus{State: host.SendBlocked, Outstanding: 1})
	check(t, "pausing what is blocked", v.get(push+"/sending/pause"), http.StatusBadRequest, "anyway")
	s.sender.put(host.SendStatus{})
	check(t, "sending nothing", v.get(push+"/sending/send"), http.StatusBadRequest, "Nothing is outstanding.")
	if len(s.sender.done) != 3 {
		t.Errorf("done are %q", s.sender.done)
	}
}

// TestSendingTests sends test batches.
func TestSendingTests(t *testing.T) {
	s := start(t)
	v := s.visit(t, "operator")
	s.sender.tested = host.Attempt{
		Time: time.Now(), Method: "POST", URL: "https://test.example/in", Address: "192.0.2.7:443", Took: 120 * time.Millisecond, Status: 422,
		Answer: "no such student", Outcome: host.AttemptRefused, Error: "the receiver answered 422", Messages: "1-2",
	}
	a := v.post(push+"/sending/test", url.Values{"url": {" https://test.example/in?key=x "}})
	check(t, "a test", a, http.StatusOK, "refused 422", "192.0.2.7:443", "120.0 ms", "no such student", "the receiver answered 422", `value="https://test.example/in?key=x"`)
	if !slices.Equal(s.sender.done, []string{"test push https://test.example/in?key=x"}) {
		t.Errorf("done are %q", s.sender.done)
	}
	entries, err := s.audit.List(t.Context(), "push", 0, 1)
	if err != nil || entries[0].Action != "test batch sent" || entries[0].Subject != "https://test.example/in?key=x" || entries[0].Who != "operator" {
		t.Errorf("the audit log has %+v, %v", entries, err)
	}
	for err, says := range map[error]string{
		fmt.Errorf("%w: the address 127.0.0.1 is of this machine", host.ErrNotTested):       "the address 127.0.0.1 is of this machine.",
		fmt.Errorf("make it: %w", &host.UnavailableError{Plugin: "p", Reason: "it is out"}): "it is out",
		errSecret: "in the daemon&#39;s log",
	} {
		s.sender.err = err
		a := v.post(push+"/sending/test", url.Values{"url": {"https://127.0.0.1"}})
		check(t, err.Error(), a, http.StatusUnprocessableEntity, says)
		if strings.Contains(a.body, "/very/secret") || strings.Contains(a.body, "What came of it") {
			t.Errorf("%v: the page is %s", err, a.body)
		}
		if last := s.audited(t)[0]; last != "test batch sent: not done" {
			t.Errorf("%v: the audit log ends with %q", err, last)
		}
	}
}

// TestAnswersAreWrittenDown shows what receivers answered, who quote what they got,
// only to whom the audit log tells of.
func TestAnswersAreWrittenDown(t *testing.T) {
	s := start(t)
	s.fill(t, "push", "1")
	f, err := s.exchange.Take(t.Context(), "push", 1, 1, "https://receiver.example")
	if err != nil {
		t.Fatal(err)
	}
	for n := range maxShown + 1 {
		s.sender.attempts = append(s.sender.attempts, host.Attempt{Delivery: f.Delivery, Number: n + 1, Answer: fmt.Sprintf("sesame-%d.", n+1), Outcome: host.AttemptFailed})
	}
	s.sender.put(host.SendStatus{Last: s.sender.attempts[:1]})
	v := s.visit(t, "viewer")
	if a := v.get(push + "/sending"); a.status != http.StatusOK || strings.Contains(a.body, "sesame") || strings.Contains(a.body, "data-still") || len(s.audited(t)) != 0 {
		t.Errorf("the page = %d, %q are written down: %s", a.status, s.audited(t), a.body)
	}
	check(t, "the answers", v.get(push+"/sending?answers=1"), http.StatusOK, "sesame-1.", "data-still", "deliveries/"+f.Delivery)
	a := v.get(push + "/deliveries/" + f.Delivery)
	check(t, "the delivery", a, http.StatusOK, "sesame-2.", fmt.Sprintf("sesame-%d.", maxShown+1), "Only the newest are shown")
	if strings.Contains(a.body, "sesame-1.") {
		t.Error("the page of a delivery has no bound")
	}
	if got := s.audited(t); !slices.Equal(got, []string{"delivery looked at", "answers of the receiver looked at"}) {
		t.Errorf("the audit log has %q", got)
	}
	operator := s.visit(t, "operator")
	s.store.writes.Store(&errSecret)
	for _, path := range []string{push + "/sending?answers=1", push + "/deliveries/" + f.Delivery} {
		if a := v.get(path); a.status != http.StatusInternalServerError || strings.Contains(a.body, "sesame") {
			t.Errorf("%s = %d: %s", path, a.status, a.body)
		}
	}
	for _, action := range []string{"send", "pause", "resume", "test"} {
		s.sender.put(host.SendStatus{Outstanding: 1})
		if a := operator.post(push+"/sending/"+action, url.Values{"url": {"https://x.example"}}); a.status != http.StatusInternalServerError {
			t.Errorf("%s = %d", action, a.status)
		}
	}
	if len(s.sender.done) != 0 {
		t.Errorf("done are %q, though nothing could be written down", s.sender.done)
	}
}

// maxShown is how many attempts the page of a delivery has.
const maxShown = 100

// TestReportsOfSending lead to the page of sending.
func TestReportsOfSending(t *testing.T) {
	s := start(t)
	id := s.report(t, host.ErrorReport{Kind: host.ErrorSend, Group: "push", Title: "Refused."})
	nobody := s.report(t, host.ErrorReport{Kind: host.ErrorSend, Title: "Nothing is sent."})
	v := s.visit(t, "operator")
	for _, path := range []string{"/admin/", "/admin/errors", "/admin/errors/" + id, push, push + "/connect"} {
		check(t, path, v.get(path), http.StatusOK, "Not sent", push+`/sending"`)
	}
	check(t, "a report of no queue", v.get("/admin/errors/"+nobody), http.StatusOK, "Nothing is sent.")
	if _, err := s.inbox.Acknowledge(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.inbox.End(t.Context(), host.ErrorSend, "push", ""); err != nil {
		t.Fatal(err)
	}
	check(t, "what is done with", v.get("/admin/errors"), http.StatusOK, push+`/sending"`)
}
