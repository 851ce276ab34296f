package main

import (
	"encoding/json"
	"testing"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

func TestLines(t *testing.T) {
	sdktest.Run(t, sdk.Plugin{Name: "lines", Version: "1.0.0", Groups: []sdk.Group{{
		Name: "lines", Method: sdk.Poll, WriteMessages: lines,
	}}}, sdktest.Options{
		Golden: "testdata",
		Samples: map[string][]json.RawMessage{"lines": {
			json.RawMessage(`{"name": "Zoë", "mark": 67.50}`), json.RawMessage("[\n  1,\n  2\n]"), json.RawMessage(`"text"`),
		}},
	})
}
