package app

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host/sender/endpoint"
)

func TestReadEndpoint(t *testing.T) {
	t.Setenv("RESTANTE_TEST_PASSWORD", "hushhush")
	path := writeConfig(t, `
queue "student" {
  method = "send"
  title  = "Students"
  endpoint {
    url           = "https://receiver.example/api"
    method        = "PUT"
    headers       = { "X-Tenant" = "school" }
    bearer        = file("token")
    secrets       = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
    proxy         = "environment"
    timeout       = "90s"
    allow_private = ["10.0.0.0/8", "192.168.1.7", "fd00::/8"]
  }
}
queue "basic" {
  endpoint {
    url = "https://receiver.example"
    basic {
      user     = "restante"
      password = env("RESTANTE_TEST_PASSWORD")
    }
  }
}
queue "tokens" {
  endpoint {
    url = "https://receiver.example"
    oauth2 {
      token_url     = "https://id.example/token"
      client_id     = "restante"
      client_secret = env("RESTANTE_TEST_PASSWORD")
      scopes        = ["write"]
      audience      = "receiver"
    }
  }
}
queue "plain" {}
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Config
	var out strings.Builder
	if err := ReadConfig(path, &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	want := endpoint.Config{
		URL: "https://receiver.example/api", Method: "PUT", Header: map[string]string{"X-Tenant": "school"}, Bearer: "hush",
		Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, Proxy: "environment", Timeout: 90 * time.Second,
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.7/32"), netip.MustParsePrefix("fd00::/8")},
	}
	if got := c.Endpoints["student"]; !reflect.DeepEqual(got, want) {
		t.Errorf("ReadConfig gives another endpoint of student: %s", reflect.ValueOf(got))
	}
	if got := c.Endpoints["basic"].Basic; got == nil || *got != (endpoint.Basic{User: "restante", Password: "hushhush"}) {
		t.Errorf("ReadConfig gives basic %+v", got)
	}
	if got := c.Endpoints["tokens"].OAuth2; !reflect.DeepEqual(got, &endpoint.OAuth2{
		TokenURL: "https://id.example/token", ClientID: "restante", ClientSecret: "hushhush", Scopes: []string{"write"}, Audience: "receiver",
	}) {
		t.Errorf("ReadConfig gives oauth2 %+v", got)
	}
	if len(c.Endpoints) != 3 || len(c.Queues) != 4 {
		t.Errorf("ReadConfig gives %d endpoints of %d queues", len(c.Endpoints), len(c.Queues))
	}
}

func TestReadEndpointPointsAtTheLine(t *testing.T) {
	const url = "  url = \"https://receiver.example\"\n"
	for name, c := range map[string]struct{ text, want, line string }{
		"no URL":               {"queue \"a\" {\n endpoint {\n }\n}\n", `"url"`, "line 2"},
		"two":                  {"queue \"a\" {\n endpoint {\n" + url + " }\n endpoint {\n" + url + " }\n}\n", "endpoint", "line 5"},
		"an unknown setting":   {"queue \"a\" {\n endpoint {\n" + url + "  uri = \"x\"\n }\n}\n", `"uri"`, "line 4"},
		"a bad URL":            {"queue \"a\" {\n endpoint {\n\n  url = \"receiver.example\"\n }\n}\n", "must be a URL", "line 4"},
		"a private address":    {"queue \"a\" {\n endpoint {\n  timeout = \"5s\"\n  url = \"https://10.0.0.5\"\n }\n}\n", "allow it with allow_private in the endpoint", "line 4"},
		"a poll queue":         {"queue \"a\" {\n method = \"poll\"\n endpoint {\n" + url + " }\n}\n", "and nothing is sent", "line 3"},
		"a method":             {"queue \"a\" {\n endpoint {\n" + url + "  method = \"GET\"\n }\n}\n", "POST, PUT", "line 4"},
		"a header":             {"queue \"a\" {\n endpoint {\n" + url + "  headers = { Host = \"x\" }\n }\n}\n", "belongs to the connection", "line 4"},
		"an empty bearer":      {"queue \"a\" {\n endpoint {\n" + url + "  bearer = \"\"\n }\n}\n", "bearer is empty", "line 4"},
		"two credentials":      {"queue \"a\" {\n endpoint {\n" + url + "  bearer = \"x\"\n  basic {\n   user = \"u\"\n   password = \"p\"\n  }\n }\n}\n", "exclude one another", "line 4"},
		"a bad user":           {"queue \"a\" {\n endpoint {\n" + url + "  basic {\n   user = \"a:b\"\n   password = \"p\"\n  }\n }\n}\n", "user without", "line 4"},
		"no password":          {"queue \"a\" {\n endpoint {\n" + url + "  basic {\n   user = \"u\"\n  }\n }\n}\n", `"password"`, "line 4"},
		"a token URL":          {"queue \"a\" {\n endpoint {\n" + url + "  oauth2 {\n   client_id = \"c\"\n   client_secret = \"s\"\n   token_url = \"x\"\n  }\n }\n}\n", "token_url must be a URL", "line 7"},
		"a secret":             {"queue \"a\" {\n endpoint {\n" + url + "  secrets = [\"whsec_x\"]\n }\n}\n", "openssl rand", "line 4"},
		"a missing file":       {"queue \"a\" {\n endpoint {\n" + url + "  ca = \"none.pem\"\n }\n}\n", "none.pem", "line 4"},
		"a lone key":           {"queue \"a\" {\n endpoint {\n" + url + "  certificate = \"c\"\n }\n}\n", "belong together", "line 4"},
		"a timeout":            {"queue \"a\" {\n endpoint {\n" + url + "  timeout = \"60\"\n }\n}\n", "not a time", "line 4"},
		"no timeout":           {"queue \"a\" {\n endpoint {\n" + url + "  timeout = \"0s\"\n }\n}\n", "not a time", "line 4"},
		"a long timeout":       {"queue \"a\" {\n endpoint {\n" + url + "  timeout = \"2h\"\n }\n}\n", "at most 1h", "line 4"},
		"a range":              {"queue \"a\" {\n endpoint {\n" + url + "  allow_private = [\"10.0.0.0/33\"]\n }\n}\n", "10.0.0.0/33", "line 4"},
		"a variable":           {"queue \"a\" {\n endpoint {\n" + url + "  bearer = env(\"RESTANTE_TEST_NONE\")\n }\n}\n", "RESTANTE_TEST_NONE", "line 4"},
		"a name for a proxy":   {"queue \"a\" {\n endpoint {\n" + url + "  proxy = \"proxy:3128\"\n }\n}\n", "http://proxy.example:3128", "line 4"},
		"localhost by a proxy": {"queue \"a\" {\n endpoint {\n  proxy = \"http://proxy:3128\"\n  url = \"https://localhost\"\n }\n}\n", "the proxy itself", "line 4"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := ReadConfig(writeConfig(t, c.text), &Config{}, &out)
			if !errors.Is(err, ErrConfig) || !strings.Contains(out.String(), c.want) || !strings.Contains(out.String(), c.line) {
				t.Errorf("ReadConfig = %v and wrote %s, want %q and %q", err, &out, c.want, c.line)
			}
		})
	}
}
