package sdktest_test

import (
	"encoding/json"
	"testing"

	"github.com/restante/restante/sdk"
	"github.com/restante/restante/sdk/sdktest"
)

// All that the test file of a plugin needs. "go test -update" writes the golden
// files.
func ExampleRun() {
	plugin := func() sdk.Plugin { return sdk.Plugin{ /* what main gives to sdk.Serve */ } }

	_ = func(t *testing.T) { // func TestPlugin(t *testing.T) {
		sdktest.Run(t, plugin(), sdktest.Options{
			Golden: "testdata",
			Samples: map[string][]json.RawMessage{
				"student": sdktest.ReadSamples(t, "testdata/student.ndjson"),
			},
		})
	}
}
