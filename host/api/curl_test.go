package api_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The two calls as Haplo documents them, but for the scheme.
const (
	curlFetch = `curl -X GET --user haplo:${API_KEY} http://${SERVER}/api/haplo-integration-messages/poll/QUEUE/fetch`
	curlMark  = `curl -X POST --data-urlencode "token=${TOKEN}" --user haplo:${API_KEY} http://${SERVER}/api/haplo-integration-messages/poll/QUEUE/mark`
)

func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	s := start(t)
	s.fill(t, "student", `{"name":"Ada"}`, `{"name":"Grace"}`)
	run := func(line, token string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(strings.ReplaceAll(line, "QUEUE", "student"), "curl", "curl --silent --show-error", 1))
		cmd.Env = append(cmd.Environ(), "API_KEY="+s.student, "SERVER="+s.address, "TOKEN="+token, "NO_PROXY=*", "no_proxy=*")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	document := run(curlFetch, "")
	match := regexp.MustCompile(`"token": "([^"]+)"`).FindStringSubmatch(document)
	if match == nil || !strings.Contains(document, `"name": "Grace"`) {
		t.Fatalf("fetch = %s", document)
	}
	for _, want := range []string{"Marked: 2, Unread: 0", "Marked: 0, Unread: 0"} {
		if got := run(curlMark, match[1]); got != want {
			t.Errorf("mark = %q, want %q", got, want)
		}
	}
	if got := run(curlFetch, ""); !strings.Contains(got, `"messages": []`) {
		t.Errorf("fetch from an empty queue = %s", got)
	}
	// curl's own type of a body is not JSON's, and the answer says what to do.
	add := `curl -d '{"name":"Ada"}' --user haplo:${API_KEY} http://${SERVER}/api/haplo-integration-messages/add/QUEUE`
	if got := run(add, ""); !strings.Contains(got, "-H 'Content-Type: application/json'") {
		t.Errorf("add = %s", got)
	}
	if got := run(add+` -H 'Content-Type: application/json'`, ""); got != `{"id":3}` {
		t.Errorf("add = %s", got)
	}
}
