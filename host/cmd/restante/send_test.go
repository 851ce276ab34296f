package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/restante/restante/host"
)

// arrival is a request that a receiver got.
type arrival struct {
	key, body string
	lease     uint64
	ids       []host.ID
}

// receiver is an external system that messages are sent to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	all    []arrival
	answer func(n int, w http.ResponseWriter) // to the n-th request, from 1
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{answer: func(int, http.ResponseWriter) {}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // cut off in the middle: it has not got this
	}
	var d defaultDocument
	if err := json.Unmarshal(body, &d); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := arrival{key: q.Header.Get("Idempotency-Key"), body: string(body)}
	a.lease, _ = strconv.ParseUint(q.Header.Get("Restante-Lease"), 10, 64)
	for _, m := range d.Messages {
		a.ids = append(a.ids, m.ID)
	}
	r.mu.Lock()
	r.all = append(r.all, a)
	n, answer := len(r.all), r.answer
	r.mu.Unlock()
	answer(n, w)
}

func (r *receiver) got() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.all...)
}

func (r *receiver) script(answer func(n int, w http.ResponseWriter)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// sendTo configures that the queue "pushed" is sent to a receiver.
func (d *daemon) sendTo(r *receiver, sendFrom, more string) {
	d.t.Helper()
	text := fmt.Sprintf(`send_from = %q
queue "plain" {}
queue "pushed" {
  method = "send"
  endpoint {
    url           = "%s/in"
    allow_private = ["127.0.0.1"]
    %s
  }
}
`, sendFrom, r.URL, more)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func machine(t testing.TB) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSend(t *testing.T) {
	d, r := newDaemon(t), newReceiver(t)
	d.sendTo(r, "elsewhere", "limit = 2")
	d.start()
	data := []string{"--data", d.data}
	with := func(args ...string) []string { return append(args, data...) }
	must(t, "1\n2\n3\n", with("add", "pushed")...)

	// Nothing leaves a clone.
	_, errs, err := run(t, "", with("send", "pushed")...)
	if err == nil || !strings.Contains(errs, `send_from is "elsewhere"`) || len(r.got()) != 0 {
		t.Errorf("send from a clone: %v\n%s", err, errs)
	}
	if out := must(t, "", with("queues")...); !strings.Contains(out, "off") || !strings.Contains(out, "send_from is") {
		t.Errorf("queues prints\n%s", out)
	}
	d.sendTo(r, machine(t), "limit = 2")
	must(t, "", with("reload")...)
	if out := must(t, "", with("send", "pushed", "--test", r.URL)...); !strings.Contains(out, "sent (200)") {
		t.Errorf("send --test prints %s", out)
	}
	if out := must(t, "", with("send", "pushed")...); out != "Sent 3 messages in 2 batches.\n" {
		t.Errorf("send prints %q", out)
	}
	all := r.got()
	if len(all) != 3 || !strings.HasPrefix(all[0].key, "test-") || fmt.Sprint(all[1].ids, all[2].ids) != "[1 2] [3]" {
		t.Fatalf("received %+v", all)
	}

	// What is refused waits for somebody.
	r.script(func(_ int, w http.ResponseWriter) { http.Error(w, "who is that?", http.StatusUnprocessableEntity) })
	must(t, "4\n", with("add", "pushed")...)
	_, errs, err = run(t, "", with("send", "pushed")...)
	if err == nil || !strings.Contains(errs, "it is blocked") || !strings.Contains(errs, "restante send resume pushed") {
		t.Errorf("send of what is refused: %v\n%s", err, errs)
	}
	refused := r.got()[3]
	if out := must(t, "", with("deliveries", "show", "pushed", refused.key)...); !strings.Contains(out, "refused (422)") || !strings.Contains(out, "who is that?") {
		t.Errorf("deliveries show prints\n%s", out)
	}
	r.script(func(int, http.ResponseWriter) {})
	must(t, "", with("send", "resume", "pushed")...)
	eventually(t, "it is sent after all", func() error {
		if n := len(r.got()); n != 5 {
			return fmt.Errorf("%d requests", n)
		}
		return nil
	})

	// A trigger over HTTP.
	must(t, "", with("send", "pause", "pushed")...)
	must(t, "5\n", with("add", "pushed")...)
	key := d.key("pushed,plain", "send")
	a, err := d.call(t.Context(), "POST", "send/pushed", key, "", nil)
	if err != nil || a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"outstanding":1`) {
		t.Errorf("POST send = %d %s, %v", a.status, a.body, err)
	}
	if a, err := d.call(t.Context(), "POST", "send/plain", key, "", nil); err != nil || a.status != http.StatusConflict {
		t.Errorf("POST send of a poll queue = %d %s, %v", a.status, a.body, err)
	}
	must(t, "", with("send", "resume", "pushed")...)
	if out := must(t, "", with("send", "pushed")...); len(r.got()) != 6 {
		t.Errorf("send after resume prints %q, %d requests", out, len(r.got()))
	}
	if out := must(t, "", with("send", "status", "pushed")...); !strings.Contains(out, "idle") {
		t.Errorf("send status prints %s", out)
	}
}
