//go:build unix

package formatter_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

// TestHostileIsReplaced puts a good version in the place of a hostile one that
// serves, as an operator would, while its own group is polled without pause. The
// good one must take over, although the two can't be compared properly.
func TestHostileIsReplaced(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ name, mode string }{
		{"dies over every call", "exit:5"},
		{"hangs", "hang"},
		{"stops itself", "stop"},
		{"hangs up", "hang-up"},
		{"answers too much", "large:1000000000"},
		{"breaks the contract", "neither"},
		{"closes the connection when it is old", "goes-away:500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.TB = t
			r.during(c.name)
			before := r.quiet()
			file := "replaced-" + strings.ReplaceAll(c.name, " ", "-")
			group := host.GroupName(file)
			r.install(file, "", c.mode)
			t.Cleanup(func() { _ = os.Remove(filepath.Join(r.folder, file)) }) // if it fails on the way
			r.await(file, active, "")
			if _, err := r.exchange.Add(t.Context(), host.AddRequest{Group: group, Body: []byte(`"x"`)}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var poller sync.WaitGroup
			defer poller.Wait()
			defer cancel()
			poller.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for ctx.Err() == nil {
					_, _ = r.exchange.Fetch(context.WithoutCancel(ctx), group, 100, host.Caller{}) // whatever comes of it
					<-tick.C
				}
			})
			begun := time.Now()
			r.install(file, "", "", "extra")
			r.eventually("the good version serves", func() bool {
				st := r.status(file)
				return st.State == active && len(st.Groups)+len(st.Refused) == 2 && r.fetch(group) == "served"
			})
			t.Logf("it took %s", time.Since(begun).Round(time.Millisecond))
			cancel()
			poller.Wait()
			r.goesOn()
			r.remove(file)
			r.freed(before)
		})
	}
}
