package app

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/oidc"
)

func TestReadSignIn(t *testing.T) {
	t.Setenv("RESTANTE_TEST_CLIENT", "restante")
	path := writeConfig(t, `
url = "https://restante.example.edu/"

sign_in "oidc" {
  issuer        = "https://id.example.edu/realms/campus"
  client_id     = env("RESTANTE_TEST_CLIENT")
  client_secret = file("secret")
  scopes        = ["openid", "groups"]
  role_claim    = "groups"
  roles = {
    "restante-admins" = "admin"
    "staff"           = "viewer"
  }
  title = "Campus ID"
}
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "secret"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var c Config
	var out strings.Builder
	if err := ReadConfig(path, &c, &out); err != nil {
		t.Fatalf("ReadConfig = %v\n%s", err, &out)
	}
	want := &oidc.Config{
		Issuer: "https://id.example.edu/realms/campus", ClientID: "restante", ClientSecret: "hush",
		Scopes: []string{"openid", "groups"}, RoleClaim: "groups",
		Roles: map[string]host.Role{"restante-admins": host.Admin, "staff": host.Viewer}, Title: "Campus ID",
	}
	if c.URL != "https://restante.example.edu" || !reflect.DeepEqual(c.SignIn, want) {
		t.Errorf("ReadConfig gives %q, %+v, want %+v", c.URL, c.SignIn, want)
	}

	other := c
	other.SignIn, other.URL = &oidc.Config{}, ""
	if changed := keepFixed(&other, c); strings.Join(changed, " ") != "url sign_in" || !reflect.DeepEqual(other, c) {
		t.Errorf("keepFixed = %q and leaves %+v", changed, other)
	}
}

func TestReadSignInPointsAtTheLine(t *testing.T) {
	const good = "issuer = \"https://id.example.edu\"\n client_id = \"c\"\n default_role = \"viewer\"\n redirect_url = \"https://restante.example.edu/x\"\n"
	for name, c := range map[string]struct{ text, want, line string }{
		"a path in url":      {"\nurl = \"https://restante.example.edu/x\"\n", "without a path", "line 2"},
		"no scheme in url":   {"\nurl = \"restante.example.edu\"\n", "without a path", "line 2"},
		"url is no text":     {"\nurl = [1]\n", "string", "line 2"},
		"another kind":       {"sign_in \"saml\" {\n" + good + "}\n", "no sign_in \"saml\"", "line 1"},
		"no kind":            {"sign_in {\n" + good + "}\n", "kind", "line 1"},
		"two":                {"sign_in \"oidc\" {\n" + good + "}\nsign_in \"oidc\" {\n" + good + "}\n", "another sign_in", "line 7"},
		"no issuer":          {"\nsign_in \"oidc\" {\n client_id = \"c\"\n}\n", `"issuer"`, "line 2"},
		"an unknown setting": {"sign_in \"oidc\" {\n" + good + " secret = \"x\"\n}\n", `"secret"`, "line 6"},
		"an open issuer":     {"\nsign_in \"oidc\" {\n issuer = \"http://id.example.edu\"\n client_id = \"c\"\n default_role = \"viewer\"\n}\n", "https://", "line 2"},
		"no role":            {"\nsign_in \"oidc\" {\n issuer = \"https://id.example.edu\"\n client_id = \"c\"\n}\n", "nobody would have a role", "line 2"},
		"nowhere to go back": {"\nsign_in \"oidc\" {\n issuer = \"https://id.example.edu\"\n client_id = \"c\"\n default_role = \"viewer\"\n}\n", "set url", "line 2"},
		"a bad way back":     {"\nsign_in \"oidc\" {\n issuer = \"https://id.example.edu\"\n client_id = \"c\"\n default_role = \"viewer\"\n redirect_url = \"/x\"\n}\n", "redirect_url is", "line 2"},
		"an unknown role":    {"\nsign_in \"oidc\" {\n" + good + " role_claim = \"g\"\n roles = { a = \"root\" }\n}\n", `unknown role "root"`, "line 2"},
		"a missing variable": {"sign_in \"oidc\" {\n" + good + " client_secret = env(\"RESTANTE_TEST_NONE\")\n}\n", "RESTANTE_TEST_NONE", "line 6"},
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
