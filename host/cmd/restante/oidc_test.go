package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// TestPagesByOpenIDConnect signs in at a real provider, in a real browser.
func TestPagesByOpenIDConnect(t *testing.T) {
	d := newDaemon(t)
	var handler http.Handler
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(provider.Close)
	site := "http://" + d.address
	handler = exampleop.SetupServer(provider.URL, storage.NewStorageWithClients(storage.NewUserStore(provider.URL), map[string]*storage.Client{
		"restante": storage.WebClient("restante", "hush", site+"/admin/sign-in/callback"),
	}), slog.New(slog.DiscardHandler), false)
	// The claim is one that this provider makes up of the id of the client.
	if err := os.WriteFile(d.config, fmt.Appendf(nil, `
url = %q
queue "plain" {}
sign_in "oidc" {
  issuer        = %q
  client_id     = "restante"
  client_secret = "hush"
  scopes        = ["profile", "email", "custom_scope"]
  role_claim    = "custom_claim.client"
  roles         = { restante = "operator" }
  title         = "Campus ID"
}
`, site, provider.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	b := newBrowser(t, site)
	b.open("/admin/")
	b.look("sign-in-elsewhere")
	elsewhere := func() {
		t.Helper()
		eval[bool](b, `document.querySelector("a.button").click(); true`)
		b.do(chromedp.WaitReady(chromedp.CSS("input[name=username]")))
	}
	elsewhere()
	b.fill("input[name=username]", "test-user@127.0.0.1")
	b.fill("input[name=password]", "verysecure")
	eval[bool](b, `document.querySelector("form").submit(); true`)
	b.do(chromedp.WaitReady(chromedp.CSS("footer")))
	b.says("Overview")
	if text := b.text("header"); strings.Contains(text, "Users") {
		t.Errorf("an operator sees %s", text)
	}
	b.open("/admin/account")
	b.says("test-user@127.0.0.1 · operator · signs in by OpenID Connect")
	b.open("/admin/queues/plain/add")
	b.fill("textarea", "1")
	b.submit("form.stack")
	b.says("by hand, by test-user@127.0.0.1")
	b.press("Sign out")
	b.open("/admin/queues/plain")
	b.says("Sign in")

	// Whoever comes back without having left is not let in.
	b.open("/admin/sign-in/callback?code=x&state=y")
	b.says("in another browser")

	// The provider is gone: people read so, and can use a password.
	provider.Close()
	if out := must(t, "", "users", "list", "--data", d.data); !strings.Contains(out, "test-user@127.0.0.1") {
		t.Errorf("users list prints\n%s", out)
	}
	if !strings.Contains(d.log.String(), "nobody can sign in yet") {
		t.Error("the log has no link for the first admin")
	}
	b.quiet()
}
