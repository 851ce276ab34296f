package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/restante/restante/host/api"
)

// check fails unless an answer is a problem of this kind whose detail has all
// of these texts, and that tells nothing of the insides.
func check(t *testing.T, a answer, status int, name string, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status = %d, want %d: %s", a.status, status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q, want application/problem+json", got)
	}
	p := a.problem(t)
	if p.Type != api.ProblemTypes+name || p.Status != status || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("problem = %+v, want the type %s, status %d and the request id %s", p, name, status, a.header.Get("X-Request-Id"))
	}
	if !strings.HasSuffix(p.Detail, ".") {
		t.Errorf("detail %q is no sentence", p.Detail)
	}
	for _, text := range texts {
		if !strings.Contains(p.Detail, text) {
			t.Errorf("detail = %q, want %q in it", p.Detail, text)
		}
	}
	for _, inside := range []string{"goroutine", ".go:", "/tmp", "github.com", "%!", "<nil>"} {
		if strings.Contains(a.body, inside) {
			t.Errorf("the answer says %q: %s", inside, a.body)
		}
	}
	if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != (status == http.StatusUnauthorized) {
		t.Errorf("WWW-Authenticate = %q with status %d", challenge, status)
	}
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}
