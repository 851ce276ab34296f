//go:build unix

package formatter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func TestFormatHTTPRequest(t *testing.T) {
	s := newShop(t)
	s.put("student", plugintest.Spec{Name: "student-plugin", Version: "1", Groups: []string{"request:student", "send:letters"}})
	s.open().ready().await("student", host.PluginActive)
	if q, err := s.queues.Queue("student"); err != nil || !q.FormatsRequest || q.Method != host.Send {
		t.Errorf("the queue is %+v, %v", q, err)
	}
	document := host.Document{ContentType: "text/plain", Body: []byte("hello")}
	r, err := s.FormatHTTPRequest(t.Context(), "student-plugin", batch("student", "1"), document)
	if err != nil || r.Method != "PUT" || r.URL != "/student?count=1" || len(r.Headers) != 2 {
		t.Errorf("FormatHTTPRequest = %+v, %v", r, err)
	}
	for _, c := range []struct{ plugin, group, data, want string }{
		{"student-plugin", "letters", "1", "does not say any more how the group"},
		{"student-plugin", "student", `{"do":"request-error","text":"no address"}`, "no address"},
		{"nobody", "student", "1", "nobody"},
	} {
		_, err := s.FormatHTTPRequest(t.Context(), c.plugin, batch(c.group, c.data), document)
		if _, ok := errors.AsType[*host.UnavailableError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("FormatHTTPRequest(%s, %s) = %v, want %q", c.plugin, c.group, err, c.want)
		}
	}
}
