package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// sendingPage shows how sending is for a queue.
type sendingPage struct {
	queueFrame
	Status host.SendStatus
	// Advice says what to do, if anything.
	Advice string
	Last   attemptTable
	// Askable, Pausable and Resumable say what makes sense now.
	Askable, Pausable, Resumable bool
}

// attemptTable is a list of attempts, newest first.
type attemptTable struct {
	Group    host.GroupName
	Attempts []host.Attempt
	// Linked has each lead to its delivery, and Answers has what was answered, which
	// may quote messages.
	Linked, Answers bool
	// More says that there are older ones.
	More bool
}

// attemptTone is the colour of what has become of an attempt.
func attemptTone(o host.AttemptOutcome) string {
	switch o {
	case host.AttemptSent:
		return "ok"
	case host.AttemptRefused:
		return "bad"
	}
	return "warn"
}

// sendStatus says how sending is for the queue that is asked for.
func (v *visit) sendStatus() (host.SendStatus, error) {
	q, err := v.a.Exchange.SendQueue(host.GroupName(v.r.PathValue("group")))
	if err != nil {
		return host.SendStatus{}, err
	}
	return v.a.Sender.Status(v.ctx(), q.Group)
}

// sending answers GET /admin/queues/{group}/sending. With "answers" in the query it
// has what receivers answered, who quote what they got, and that is written down.
func (a *Admin) sending(v *visit) error {
	status, err := v.sendStatus()
	if err != nil {
		return err
	}
	answers := v.r.URL.Query().Has("answers")
	if answers {
		if err := v.audit("answers of the receiver looked at", status.Group, "", ""); err != nil {
			return err
		}
	}
	p := sendingPage{Status: status, Advice: advice(status), Last: attemptTable{Group: status.Group, Attempts: status.Last, Linked: true, Answers: answers}}
	p.Askable = sendActions["send"].refuse(status) == ""
	p.Resumable = status.State.Halted() && status.State != host.SendOff
	p.Pausable = !status.State.Halted()
	if err := v.queueFrame(&p.queueFrame, "sending"); err != nil {
		return err
	}
	p.Still = answers
	return v.show("sending", p)
}

// advice says what follows from a state, and what to do.
func advice(s host.SendStatus) string {
	switch s.State {
	case host.SendIdle:
		switch {
		case s.Outstanding == 0:
			return "Nothing is outstanding."
		case !s.NextRun.IsZero():
			return "What is outstanding is sent by the schedule, or when somebody asks."
		case s.OnAdd == 0:
			return "What is outstanding is sent when somebody asks, as there is no schedule."
		}
	case host.SendWaiting:
		return fmt.Sprintf("Nothing has to be done if it heals by itself. \"restante send %s\" tries at once.", s.Group)
	case host.SendPaused:
		return "Messages are accepted, and wait. Resume it when they may go."
	case host.SendBlocked:
		return "Look at what the receiver answered, mend what is wrong there, in the plugin or in the configuration, and resume. If a message is at fault, hold it first, so that the others go on."
	case host.SendGaveUp:
		return "See why the receiver could not be reached or did not accept the batch, and resume."
	}
	return ""
}

// sendAction is something that can be done about sending.
type sendAction struct {
	question, button, action string
	// about says what will happen, and did what has.
	about, did func(host.SendStatus) string
	// refuse says why it can't be done now, or nothing.
	refuse func(host.SendStatus) string
	do     func(*visit, host.GroupName) error
}

// sendActions are what can be done about sending.
var sendActions = map[string]sendAction{
	"send": {
		question: "Send what is outstanding of %s now?", button: "Send", action: "sending asked for",
		about: func(s host.SendStatus) string {
			text := fmt.Sprintf("%s outstanding, and will be sent to %s, in order and batch by batch.", areMessages(s.Outstanding), s.URL)
			switch {
			case s.State == host.SendWaiting:
				text += " The last attempt failed, so the next one is made when its time has come; asking does not bring it forward."
			case s.State == host.SendSending:
				text += " They are being sent already."
			case s.Outstanding == 0:
				text += " A batch of no messages is sent, as send_empty says."
			}
			return text
		},
		did: func(s host.SendStatus) string {
			if s.State == host.SendWaiting {
				return "Asked for. It is sent when the time of the next attempt has come."
			}
			return fmt.Sprintf("Asked for: %s outstanding and sent now.", areMessages(s.Outstanding))
		},
		refuse: func(s host.SendStatus) string {
			switch {
			case s.State == host.SendOff:
				return cmp.Or(s.Reason, "Nothing is sent from here.")
			case s.State.Halted():
				return "Sending is " + strings.Replace(string(s.State), "gave up", "given up", 1) + ". Resume it first."
			case s.Outstanding == 0 && !s.SendEmpty:
				return "Nothing is outstanding."
			}
			return ""
		},
		do: func(v *visit, g host.GroupName) error { _, err := v.a.Sender.Trigger(v.ctx(), g); return err },
	},
	"pause": {
		question: "Pause sending of %s?", button: "Pause", action: "sending paused",
		about: func(host.SendStatus) string {
			return "Nothing more of it is sent until somebody resumes it. Messages are still accepted. An attempt that is being made is finished."
		},
		did: func(host.SendStatus) string { return "Paused." },
		refuse: func(s host.SendStatus) string {
			if s.State == host.SendBlocked || s.State == host.SendGaveUp {
				return "Nothing is sent until it is resumed anyway."
			}
			return ""
		},
		do: func(v *visit, g host.GroupName) error { return v.a.Sender.Pause(v.ctx(), g, v.user.Name) },
	},
	"resume": {
		question: "Resume sending of %s?", button: "Resume", action: "sending resumed",
		about: func(s host.SendStatus) string {
			text := fmt.Sprintf("%s outstanding, for %s.", areMessages(s.Outstanding), cmp.Or(s.URL, "an endpoint that is not configured"))
			if s.Delivery != "" {
				text += " The batch that was on its way is sent again as it was, unless it is certain that the receiver has not got it: then it is formatted anew."
			}
			return text
		},
		did:    func(host.SendStatus) string { return "Resumed." },
		refuse: func(host.SendStatus) string { return "" },
		do:     func(v *visit, g host.GroupName) error { return v.a.Sender.Resume(v.ctx(), g) },
	},
}

func areMessages(n uint64) string {
	if n == 1 {
		return "1 message is"
	}
	return number(n) + " messages are"
}

// sendAction returns what is asked for, unless it can't be done now, and how sending is.
func (v *visit) sendAction() (act sendAction, status host.SendStatus, err error) {
	act, known := sendActions[v.r.PathValue("action")]
	if !known {
		return act, status, errNotFound
	}
	if status, err = v.sendStatus(); err != nil {
		return act, status, err
	}
	if why := act.refuse(status); why != "" {
		err = badf("%s", why)
	}
	return act, status, err
}

// confirmSending answers GET /admin/queues/{group}/sending/{action}.
func (a *Admin) confirmSending(v *visit) error {
	act, status, err := v.sendAction()
	if err != nil {
		return err
	}
	p := confirmPage{
		Question: fmt.Sprintf(act.question, status.Group), Text: act.about(status),
		Action: v.r.URL.Path, Button: act.button, Back: queuePath(status.Group) + "/sending",
	}
	v.frame(&p.frame, p.Question, "overview")
	return v.show("confirm", p)
}

// changeSending answers POST /admin/queues/{group}/sending/{action}.
func (a *Admin) changeSending(v *visit) error {
	act, status, err := v.sendAction()
	if err != nil {
		return err
	}
	if err := v.audited(act.action, status.Group, "", func() error { return act.do(v, status.Group) }); err != nil {
		return err
	}
	return v.redirect(queuePath(status.Group)+"/sending", act.did(status))
}

// testPage is the form to send a test batch, and what has come of it.
type testPage struct {
	queueFrame
	// URL is what was written so far, and Err what is wrong with it.
	URL, Err string
	// Tested has the attempt, if one was made.
	Tested attemptTable
}

// testTime is how long a page waits for a test batch.
const testTime = 45 * time.Second

// testForm answers GET /admin/queues/{group}/sending/test.
func (a *Admin) testForm(v *visit) error {
	if _, err := v.sendStatus(); err != nil {
		return err
	}
	return v.testPage(testPage{})
}

func (v *visit) testPage(p testPage) error {
	if err := v.queueFrame(&p.queueFrame, "sending"); err != nil {
		return err
	}
	status := 200
	if p.Err != "" {
		status = 422
	}
	return v.render(status, "test", p)
}

// test answers POST /admin/queues/{group}/sending/test. The answer is the page
// itself, as nothing of a test is kept.
func (a *Admin) test(v *visit) error {
	q, err := a.Exchange.SendQueue(host.GroupName(v.r.PathValue("group")))
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	p := testPage{URL: strings.TrimSpace(v.r.PostForm.Get("url"))}
	ctx, cancel := context.WithTimeout(v.ctx(), testTime)
	defer cancel()
	var failed error
	err = v.audited("test batch sent", q.Group, p.URL, func() error {
		failed = within(ctx, a.testing, func() error {
			attempt, err := a.Sender.Test(ctx, q.Group, p.URL)
			if err == nil {
				p.Tested = attemptTable{Group: q.Group, Attempts: []host.Attempt{attempt}, Answers: true}
			}
			return err
		})
		return failed
	})
	switch {
	case errors.Is(failed, host.ErrNotTested):
		p.Err = strings.TrimSuffix(short(failed.Error(), maxReason), ".") + "."
	case failed != nil:
		p.Err = "The batch can't be formatted now: " + v.unformatted(ctx, testTime, failed)
	case err != nil:
		return err
	}
	return v.testPage(p)
}
