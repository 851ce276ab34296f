package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

// withSettings is a plugin whose documents are its settings.
func withSettings() sdk.Plugin {
	p := pluginWith(func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
		s := b.Settings
		body := fmt.Sprintf("%s %g %t %s", s.String("url"), s.Number("limit"), s.Bool("indent"), s.String("note"))
		return sdk.Document{ContentType: "text/plain", Body: []byte(body)}, nil
	})
	p.Settings = []sdk.Setting{
		{Name: "url", Type: sdk.String, Required: true},
		{Name: "limit", Type: sdk.Number, Default: 5},
		{Name: "indent", Type: sdk.Bool, Default: true},
		{Name: "note", Type: sdk.String, Secret: true},
	}
	return p
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		given map[string]any
		want  string
	}{
		"defaults": {map[string]any{"url": "u"}, "u 5 true "},
		"given":    {map[string]any{"url": "u", "limit": 2.5, "indent": false, "note": "n"}, "u 2.5 false n"},
	} {
		t.Run(name, func(t *testing.T) {
			client := sdktest.Start(t, withSettings())
			if err := client.Configure(t.Context(), c.given); err != nil {
				t.Fatal(err)
			}
			d, err := client.WriteMessages(t.Context(), sdktest.Batch("g"))
			if err != nil || string(d.Body) != c.want {
				t.Errorf("WriteMessages = %q, %v, want %q", d.Body, err, c.want)
			}
			if err := client.Configure(t.Context(), c.given); err != nil {
				t.Errorf("the same again: %v", err)
			}
			if err := client.Configure(t.Context(), map[string]any{"url": "other"}); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("a second Configure: %v", err)
			}
		})
	}
}

func TestSettingsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		given map[string]any
		want  string
	}{
		"missing":         {map[string]any{}, `"url" has no value`},
		"unknown":         {map[string]any{"url": "u", "ulr": "u"}, `no setting "ulr"`},
		"of a wrong type": {map[string]any{"url": 1}, `"url": a float64`},
		"by the author":   {map[string]any{"url": "bad"}, "no good"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withSettings()
			p.Configure = func(s sdk.Settings) error {
				if s.String("url") == "bad" {
					return errors.New("this url is no good")
				}
				return nil
			}
			client := sdktest.Start(t, p)
			err := client.Configure(t.Context(), c.given)
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Configure = %v, want %q", err, c.want)
			}
			if _, err := client.WriteMessages(t.Context(), sdktest.Batch("g")); status.Code(err) != codes.InvalidArgument {
				t.Errorf("WriteMessages without settings: %v", err)
			}
		})
	}
}

func TestAnUndeclaredSettingIsAFault(t *testing.T) {
	client := sdktest.Start(t, pluginWith(func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
		b.Settings.Bool("typo")
		return sdk.Document{ContentType: "text/plain"}, nil
	}))
	if _, err := client.WriteMessages(t.Context(), sdktest.Batch("g")); err == nil || !strings.Contains(err.Error(), `declares no setting "typo"`) {
		t.Errorf("WriteMessages = %v", err)
	}
}

func TestSettingsAreValidated(t *testing.T) {
	for want, s := range map[string]sdk.Setting{
		"it is empty":               {Type: sdk.Bool},
		"lower-case letter":         {Name: "Url", Type: sdk.String},
		"not allowed":               {Name: "u-l", Type: sdk.String},
		"must be sdk.String":        {Name: "a"},
		"a string is not of its":    {Name: "a", Type: sdk.Number, Default: "1"},
		"always has a value":        {Name: "a", Type: sdk.Number, Default: 1, Required: true},
		"Description: it is 1001 b": {Name: "a", Type: sdk.Number, Description: strings.Repeat("x", 1001)},
	} {
		p := pluginWith(nil)
		p.Settings = []sdk.Setting{s}
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
	p := withSettings()
	p.Settings = append(p.Settings, p.Settings[0])
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "Settings[0] has the same name") {
		t.Errorf("Validate of a double = %v", err)
	}
}
