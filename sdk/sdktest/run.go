package sdktest

import (
	"encoding/json"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/restante/restante/sdk"
)

// The sizes of the batches that Run makes.
const (
	manyMessages = 1000
	hugeBytes    = 16 << 20
	hugeMessages = 50_000 // fifty times what a daemon asks for
	repeats      = 32
)

// callTimeout bounds one call, so that a formatter that hangs fails its test
// rather than the whole run.
const callTimeout = 2 * time.Minute

// Options says what Run works with.
type Options struct {
	// Samples are messages for each group that has a WriteMessages or a
	// FormatHTTPRequest, by the name of the group: at least one, better a dozen
	// that show all that the producer may send. The formatter must accept them
	// all.
	Samples map[string][]json.RawMessage

	// Settings are values of the plugin's settings, by their names: strings,
	// numbers and bools. The others have their defaults.
	Settings map[string]any

	// Golden is the folder with the golden files, usually "testdata". Empty
	// means that documents are not compared with files.
	Golden string

	// HugeBytes is the size of the messages in the largest batch, which has at
	// most 50,000 messages however small they are. Zero means 16 MiB. Lower it
	// for a format that grows beyond sdk.MaxMessageBytes.
	HugeBytes int

	// Check, if set, is called with the document of every batch but those that
	// only repeat another, for example to validate it against a schema or to
	// read it back and compare it with the messages. It may be called
	// concurrently for several groups.
	Check func(t *testing.T, b sdk.Batch, d sdk.Document)
}

// Run tests the plugin with a subtest for each group. For a group that formats
// it checks that
//
//   - batches of no message, one, all samples, 1000 and 16 MiB give a document
//     with a valid content type and file name;
//   - strings of all kinds in the place of the samples' own give a valid
//     document or rejections, but no other error and no panic;
//   - 32 repeated and several concurrent runs give the same bytes, and so does
//     a run in the next second (not with -short);
//   - a cancelled call returns at once and leaves the plugin working;
//   - documents are the same as the golden files.
//
// It also checks that Discover always gives the same answer.
func Run(t *testing.T, p sdk.Plugin, o Options) {
	t.Helper()
	c := start(t, p, o.Settings)
	if o.HugeBytes == 0 {
		o.HugeBytes = hugeBytes
	}

	t.Run("discover", func(t *testing.T) {
		first, err := c.Discover(t.Context())
		if err != nil {
			t.Fatalf("Discover: %v", err)
		}
		second, err := c.Discover(t.Context())
		if err != nil {
			t.Fatalf("Discover, the second time: %v", err)
		}
		if !proto.Equal(first, second) {
			t.Errorf("Discover gave two answers:\n%v\n%v", first, second)
		}
	})

	for _, g := range p.Groups {
		t.Run(g.Name, func(t *testing.T) {
			if g.WriteMessages == nil && g.FormatHTTPRequest == nil {
				return // nothing of the author's to test
			}
			samples := o.Samples[g.Name]
			if len(samples) == 0 {
				t.Fatalf("there are no samples: give at least one message in Options.Samples[%q]", g.Name)
			}
			r := &run{client: c, plugin: p, group: g, samples: samples, options: o}
			if g.WriteMessages != nil {
				r.formatter(t)
			}
			if g.FormatHTTPRequest != nil {
				t.Run("http_request", r.httpRequest)
			}
		})
	}
	for name := range o.Samples {
		if !hasGroup(p, name) {
			t.Errorf("there are samples for the group %q, which the plugin does not have", name)
		}
	}
}

// start starts the plugin with these settings.
func start(t *testing.T, p sdk.Plugin, settings map[string]any) *Client {
	t.Helper()
	c := Start(t, p)
	if settings != nil {
		if err := c.Configure(t.Context(), settings); err != nil {
			t.Fatalf("the plugin refuses the settings: %v", err)
		}
	}
	return c
}

func hasGroup(p sdk.Plugin, name string) bool {
	for _, g := range p.Groups {
		if g.Name == name {
			return true
		}
	}
	return false
}

// run is the test of one group.
type run struct {
	client  *Client
	plugin  sdk.Plugin
	group   sdk.Group
	samples []json.RawMessage
	options Options
}

// formatter tests WriteMessages.
func (r *run) formatter(t *testing.T) {
	t.Run("empty", r.batch())
	t.Run("one", r.batch(r.samples[0]))
	t.Run("samples", r.batch(r.samples...))
	t.Run("many", r.batch(r.many()...))
	t.Run("huge", r.batch(filled(r.samples, hugeMessages, r.options.HugeBytes)...))
	t.Run("unicode", r.unicode)
	t.Run("concurrent", r.concurrent)
	t.Run("cancelled", r.cancelled)
	if r.options.Golden != "" {
		t.Run("golden", r.golden)
	}
	t.Run("deterministic", r.deterministic)
}

// many returns as many messages as a daemon asks for at the most.
func (r *run) many() []json.RawMessage { return filled(r.samples, manyMessages, hugeBytes) }
