package endpoint

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// checkSetting sees that New refuses a configuration because of this setting.
func checkSetting(t *testing.T, name string, c Config, setting, text string) {
	t.Helper()
	e, err := New(c)
	if err == nil {
		e.Close()
	}
	s, ok := errors.AsType[*SettingError](err)
	if !ok || s.Setting != setting || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: New = %v, want an error of %q with %q", name, err, setting, text)
	}
}

func secret(n int) string {
	return host.SecretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", n)))
}

func TestCheckRefuses(t *testing.T) {
	const url = "https://receiver.example/api"
	for name, c := range map[string]struct {
		config        Config
		setting, text string
	}{
		"nothing":                  {Config{}, "url", "must be a URL"},
		"no host":                  {Config{URL: "https:///x"}, "url", "must be a URL"},
		"another scheme":           {Config{URL: "ftp://receiver.example"}, "url", "must be a URL"},
		"a user":                   {Config{URL: "https://u:hush@receiver.example"}, "url", "basic {}"},
		"a fragment":               {Config{URL: url + "#x"}, "url", "never sent"},
		"a line break":             {Config{URL: url + "\n"}, "url", "must be a URL"},
		"a private address":        {Config{URL: "https://10.0.0.5/x"}, "url", "the address 10.0.0.5 is private: allow it with allow_private in the endpoint block if that is meant"},
		"metadata":                 {Config{URL: "https://169.254.169.254", AllowPrivate: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, "url", "metadata"},
		"loopback, IPv6":           {Config{URL: "https://[::1]:8080/"}, "url", "of this machine"},
		"loopback, mapped":         {Config{URL: "https://[::ffff:127.0.0.1]/"}, "url", "of this machine"},
		"loopback, as a number":    {Config{URL: "https://2130706433/"}, "url", "neither an address nor a name"},
		"loopback, hexadecimal":    {Config{URL: "https://0x7f000001/"}, "url", "neither an address nor a name"},
		"loopback, short":          {Config{URL: "https://127.1/"}, "url", "neither an address nor a name"},
		"loopback, with a dot":     {Config{URL: "https://127.0.0.1./"}, "url", "neither an address nor a name"},
		"plain HTTP":               {Config{URL: "http://1.1.1.1/"}, "url", "use https://"},
		"the method":               {Config{URL: url, Method: "GET"}, "method", "POST, PUT, PATCH or DELETE"},
		"a header's name":          {Config{URL: url, Header: map[string]string{"a b": ""}}, "headers", `"a b"`},
		"a header's value":         {Config{URL: url, Header: map[string]string{"a": "hush\r\nb: c"}}, "headers", "can't be sent"},
		"the host":                 {Config{URL: url, Header: map[string]string{"host": "x"}}, "headers", "belongs to the connection"},
		"the length":               {Config{URL: url, Header: map[string]string{"Content_Length": "1"}}, "headers", "belongs to the connection"},
		"a signature":              {Config{URL: url, Header: map[string]string{"Webhook-Signature": "x"}}, "headers", "signs the delivery"},
		"two credentials":          {Config{URL: url, Bearer: "hush", Basic: &Basic{"u", "p"}}, "bearer", "exclude one another"},
		"a header and credentials": {Config{URL: url, Bearer: "hush", Header: map[string]string{"authorization": "hush"}}, "bearer", "exclude one another"},
		"a bad bearer":             {Config{URL: url, Bearer: "hush\n"}, "bearer", "can't be sent"},
		"a bad user":               {Config{URL: url, Basic: &Basic{"a:b", "p"}}, "basic", "user"},
		"no token URL":             {Config{URL: url, OAuth2: &OAuth2{ClientID: "c"}}, "oauth2.token_url", "must be a URL"},
		"a private token URL":      {Config{URL: url, OAuth2: &OAuth2{TokenURL: "https://192.168.0.1", ClientID: "c"}}, "oauth2.token_url", "private"},
		"no client":                {Config{URL: url, OAuth2: &OAuth2{TokenURL: url}}, "oauth2.client_id", "empty"},
		"no client secret":         {Config{URL: url, OAuth2: &OAuth2{TokenURL: url, ClientID: "c"}}, "oauth2.client_secret", "empty"},
		"three secrets":            {Config{URL: url, Secrets: []string{secret(24), secret(25), secret(26)}}, "secrets", "at most two"},
		"a secret without prefix":  {Config{URL: url, Secrets: []string{strings.TrimPrefix(secret(32), host.SecretPrefix)}}, "secrets", "whsec_"},
		"a short secret":           {Config{URL: url, Secrets: []string{secret(23)}}, "secrets", "24 to 64"},
		"a long secret":            {Config{URL: url, Secrets: []string{secret(65)}}, "secrets", "24 to 64"},
		"a secret in other base64": {Config{URL: url, Secrets: []string{secret(32) + "\n"}}, "secrets", "base64"},
		"a certificate alone":      {Config{URL: url, CertFile: "x"}, "certificate", "belong together"},
		"a proxy":                  {Config{URL: url, Proxy: "proxy:3128"}, "proxy", "must be a URL"},
		"a negative timeout":       {Config{URL: url, Timeout: -1}, "timeout", "at most 1h"},
		"a long timeout":           {Config{URL: url, Timeout: 2 * time.Hour}, "timeout", "at most 1h"},
		"a long answer":            {Config{URL: url, MaxAnswer: 2 << 20}, "max_answer", "bytes"},
		"no range":                 {Config{URL: url, AllowPrivate: []netip.Prefix{{}}}, "allow_private", "range"},
		"localhost by a proxy":     {Config{URL: "https://LocalHost.:8080", Proxy: "http://10.0.0.1:3128"}, "url", "is the proxy itself"},
	} {
		checkSetting(t, name, c.config, c.setting, c.text)
		if _, err := New(c.config); err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error %q tells a secret", name, err)
		}
	}
	for _, c := range []Config{
		{URL: url}, {URL: "https://receiver.example:8443/a?b=c"}, {URL: "http://receiver.example"}, {URL: "https://[2606:4700::1111]/"},
		{URL: "http://10.0.0.5", AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{URL: "https://müller.example"}, {URL: url, Secrets: []string{secret(24), secret(64)}}, {URL: url, Timeout: time.Hour, Method: "PUT"},
	} {
		if err := c.Check(); err != nil {
			t.Errorf("Check(%s) = %v", c.URL, err)
		}
	}
}
