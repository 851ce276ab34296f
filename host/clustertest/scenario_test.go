//go:build linux

package clustertest

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
)

var rounds = flag.Int("rounds", 1, "how often each scenario does what it does")

// scenario is a fleet under load, and what was seen while something was done to it.
type scenario struct {
	*fleet
	load   *workload
	stalls map[string][]time.Duration
	names  []string // of stalls, in the order in which they came
}

// groups are the queues of every scenario.
var groups = []host.GroupName{"first", "second", "third"}

func queueBlocks(names []host.GroupName) string {
	var b strings.Builder
	for _, g := range names {
		fmt.Fprintf(&b, "queue %q {}\n", g)
	}
	return b.String()
}

// newScenario starts n daemons.
func newScenario(t *testing.T, n int, w *network) *scenario {
	t.Helper()
	return beginScenario(t, newFleet(t, n, queueBlocks(groups), w))
}

// beginScenario starts daemons.
func beginScenario(t *testing.T, f *fleet) *scenario {
	t.Helper()
	s := &scenario{fleet: f, stalls: map[string][]time.Duration{}}
	s.start(s.daemons...)
	c := s.daemons[0].client()
	defer c.Close()
	key, err := c.CreateKey(t.Context(), host.Grant{Groups: groups, Allow: []host.Permission{host.MayPoll, host.MayAdd}})
	if err != nil {
		t.Fatal(err)
	}
	s.load = &workload{t: t, fleet: s.fleet, key: key.Text, groups: groups, pace: 100 * time.Millisecond}
	for _, d := range s.daemons {
		for _, g := range groups {
			eventually(t, fmt.Sprintf("daemon %s knows the key", d.name), func() error {
				_, err := s.unread(d, g)
				return err
			})
		}
	}
	return s
}

// unread asks a daemon how many messages are unread.
func (s *scenario) unread(d *daemon, g host.GroupName) (uint64, error) {
	r, err := http.NewRequest("GET", "http://"+d.api+"/api/haplo-integration-messages/poll/"+string(g)+"/fetch?limit=1", nil)
	if err != nil {
		return 0, err
	}
	r.SetBasicAuth("haplo", s.load.key)
	a, err := d.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("fetch answers %s", a.Status)
	}
	return strconv.ParseUint(a.Header.Get("Restante-Unread"), 10, 64)
}

// under runs the load, before, while and after something is done to the fleet, and
// checks all that was answered. It may be called again: a queue goes on from where it
// was.
func (s *scenario) under(do func()) {
	s.t.Helper()
	s.load.history = newHistory()
	s.load.start()
	s.settle()
	do()
	s.settle()
	s.load.end()
}

// settle waits until every group had answers from every client for a moment.
func (s *scenario) settle() {
	s.t.Helper()
	from := s.load.history.now()
	eventually(s.t, "messages are added to every group again", func() error {
		for _, g := range groups {
			n := 0
			for _, o := range s.load.history.operations() {
				if o.Group == g && o.Call == add && !o.Unknown && o.Start > from {
					n++
				}
			}
			if n < 2*adders {
				return fmt.Errorf("%d were, to %s", n, g)
			}
		}
		return nil
	})
}

// measure runs part of a scenario, and notes the longest time in it, and until the
// load has settled, without an answer to an addition, for each group.
func (s *scenario) measure(what string, do func()) {
	s.t.Helper()
	from := s.load.history.now()
	do()
	s.settle()
	to := s.load.history.now()
	if !slices.Contains(s.names, what) {
		s.names = append(s.names, what)
	}
	for _, all := range byGroup(s.load.history.operations()) {
		s.stalls[what] = append(s.stalls[what], stall(all, from, to))
	}
}

// verify checks the history against what every daemon has in the end.
func (s *scenario) verify() {
	t := s.t
	t.Helper()
	all := s.load.history.operations()
	end := map[host.GroupName]map[string]stored{}
	// An addition without an answer may still be on its way, in a connection that was
	// cut, and come as long as nothing has told the daemons otherwise.
	for range 10 {
		same := true
		for _, g := range groups {
			end[g] = map[string]stored{}
			for _, d := range s.daemons {
				end[g][d.name] = s.stored(d, g)
			}
			agree(end[g], daemonsOf(end[g]), func(string, ...any) { same = false })
		}
		if same {
			break
		}
		time.Sleep(time.Second)
	}
	verify(t, all, end)
	counts := map[string]int{}
	for _, o := range all {
		name := string(o.Call)
		if o.Unknown {
			name += " without an answer"
		}
		counts[name]++
	}
	t.Logf("%d calls in %d groups on %d daemons: %v", len(all), len(groups), len(s.daemons), counts)
	for _, name := range s.names {
		durations := slices.Sorted(slices.Values(s.stalls[name]))
		t.Logf("%s: at most %.1f s without an answered addition (p50 %.1f s) in %d measurements",
			name, durations[len(durations)-1].Seconds(), durations[len(durations)/2].Seconds(), len(durations))
	}
}

// stored returns what a daemon has of a group.
func (s *scenario) stored(d *daemon, g host.GroupName) stored {
	s.t.Helper()
	c := d.client()
	defer c.Close()
	got := stored{Values: map[host.ID]string{}}
	for before := host.ID(0); ; {
		page, err := c.Messages(s.t.Context(), g, before, host.MaxFetch)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got.Values[m.ID] = string(m.Data)
			if m.Status == host.Read.String() {
				got.Read.Add(host.Range{First: m.ID, Last: m.ID})
			}
		}
		before = page[len(page)-1].ID
	}
	var err error
	if got.Unread, err = s.unread(d, g); err != nil {
		s.t.Fatal(err)
	}
	return got
}
