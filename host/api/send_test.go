package api_test

import (
	"testing"

	"github.com/restante/restante/host"
)

func TestSend(t *testing.T) {
	s := start(t)
	s.fill(t, "push", `{"a":1}`, `{"a":2}`)
	send := call{method: "POST", path: "/send/push", key: s.all}
	// What the receiver said is for the operator alone.
	if a := s.do(t, send); a.status != 202 || a.body != `{"outstanding":2,"state":"gave up"}` {
		t.Errorf("send = %d %s", a.status, a.body)
	}
	send.path = "/send/student"
	check(t, s.do(t, send), 409, "not-a-send-queue")
	send.key = s.key(t, host.Grant{Groups: []host.GroupName{host.EveryGroup}, Allow: []host.Permission{host.MayAdd}})
	check(t, s.do(t, send), 403, "forbidden")
}
