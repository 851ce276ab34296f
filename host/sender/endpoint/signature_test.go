package endpoint

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// received is what a receiver gets of a batch that is signed with the secrets.
func received(t *testing.T, body string, secrets ...string) (http.Header, []byte) {
	t.Helper()
	var header http.Header
	var got []byte
	url := receive(t, func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		got, _ = io.ReadAll(r.Body)
	})
	r := batch()
	r.Body = []byte(body)
	if a := open(t, Config{URL: url, AllowPrivate: loopback, Secrets: secrets}).Send(t.Context(), r); a.Outcome() != OK {
		t.Fatal(a.Err)
	}
	return header, got
}

func TestSignature(t *testing.T) {
	one, two, other := secret(24), secret(64), secret(32)
	for _, body := range []string{"", "[]", "Zoë \x00 \xff", strings.Repeat("x", 1<<20)} {
		header, got := received(t, body, one, two)
		if n := len(strings.Split(header.Get("Webhook-Signature"), " ")); n != 2 {
			t.Errorf("there are %d signatures, want 2", n)
		}
		for _, s := range []string{one, two, other} {
			w, err := standardwebhooks.NewWebhook(s)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Verify(got, header); (err == nil) != (s != other) {
				t.Errorf("Verify with %d bytes = %v", len(body), err)
			}
		}
	}
}

// TestSignatureInJavaScript verifies with the libraries that most receivers use.
func TestSignatureInJavaScript(t *testing.T) {
	folder, err := filepath.Abs("../../../run/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	one, two := secret(24), secret(64)
	header, body := received(t, `[{"name":"Zoë"}]`, one, two)
	input, err := json.Marshal(map[string]any{
		"secrets": []string{one, two}, "wrong": secret(32), "body": string(body),
		"headers": map[string]string{
			"webhook-id": header.Get("Webhook-Id"), "webhook-timestamp": header.Get("Webhook-Timestamp"), "webhook-signature": header.Get("Webhook-Signature"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range []string{"standardwebhooks", "svix"} {
		node := exec.CommandContext(t.Context(), "node", "testdata/verify.cjs", filepath.Join(folder, library))
		node.Stdin = strings.NewReader(string(input))
		out, err := node.CombinedOutput()
		if strings.Contains(string(out), "MODULE_NOT_FOUND") {
			t.Errorf("the npm package %s is missing, run \"make deps\"", library)
		} else if err != nil || strings.TrimSpace(string(out)) != "good good refused" {
			t.Errorf("%s, by node: %v\n%s", library, err, out)
		}
	}
}
