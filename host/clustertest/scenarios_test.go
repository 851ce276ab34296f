//go:build linux

package clustertest

import (
	"flag"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

var standstill = flag.Duration("standstill", 3*time.Second, "how long a daemon is stopped with SIGSTOP, or cut off")

// short tells that this is one test among many: each scenario is done once and at the
// same time as others, which is no way to measure anything.
func short(t *testing.T) bool {
	t.Helper()
	if *rounds > 1 {
		return false
	}
	t.Parallel()
	return true
}

// TestOne does to a daemon alone what can be done to it.
func TestOne(t *testing.T) {
	short(t)
	s := newScenario(t, 1, nil)
	d := s.daemons[0]
	s.under(func() {
		for range *rounds {
			s.measure("one daemon: kill -9 and restart", func() { d.kill(); s.start(d) })
			s.measure("one daemon: stop and restart", func() { d.stop(); s.start(d) })
			s.measure("one daemon: SIGSTOP for 1 s", func() { s.pause(d, time.Second) })
		}
	})
	s.verify()
}

// TestKill kills the leader of a group, and then any daemon.
func TestKill(t *testing.T) {
	short := short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for i := range *rounds {
			d := s.leader(groups[i%len(groups)])
			s.measure("kill -9 of a leader", d.kill)
			s.measure("start after kill -9", func() { s.start(d) })
			if short {
				break
			}
			d = s.daemons[rand.N(len(s.daemons))]
			s.measure("kill -9 of any daemon", d.kill)
			s.measure("start after kill -9", func() { s.start(d) })
		}
	})
	s.verify()
}

// TestKillAll kills all daemons at once.
func TestKillAll(t *testing.T) {
	short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for range *rounds {
			s.measure("kill -9 of all daemons, and start", func() {
				for _, d := range s.daemons {
					d.signal(syscall.SIGKILL)
				}
				for _, d := range s.daemons {
					d.gone()
				}
				s.start(s.daemons...)
			})
		}
	})
	s.verify()
}

// TestPause has the leader of a group stand still, and go on as if nothing had been.
func TestPause(t *testing.T) {
	short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for i := range *rounds {
			d := s.leader(groups[i%len(groups)])
			s.measure("SIGSTOP of a leader", func() { s.pause(d, *standstill) })
		}
	})
	s.verify()
}

// TestReplace loses a daemon with its disk. The one that takes its place has the same
// name, and nothing else.
func TestReplace(t *testing.T) {
	short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for i := range *rounds {
			d := s.leader(groups[i%len(groups)])
			s.measure("loss of a leader with its disk", func() { d.kill(); d.lose() })
			s.measure("start with an empty disk", func() { s.start(d) })
		}
	})
	s.verify()
}

// TestRolling restarts one daemon after the other.
func TestRolling(t *testing.T) {
	short := short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for range *rounds {
			for _, d := range s.daemons {
				s.measure("stop of one daemon", d.stop)
				s.measure("start of one daemon", func() { s.start(d) })
				if short {
					break
				}
			}
		}
	})
	s.verify()
}

// TestPartition cuts a daemon off that leads a group, while it and the others still
// have clients. The long version has it lead everything: for a while it does not know
// that others lead now.
func TestPartition(t *testing.T) {
	short := short(t)
	w, err := newNetwork(3)
	if err != nil {
		t.Skipf("this machine can't give each daemon a network of its own, for which the test has to be root on Linux, with the program ip: %v", err)
	}
	s := newScenario(t, 3, w)
	s.under(func() {
		for i := range *rounds {
			at := i % len(s.daemons)
			if short {
				at = slices.Index(s.daemons, s.leader(groups[0]))
			} else {
				s.gather(s.daemons[at])
			}
			s.settle()
			s.measure("a leader is cut off", func() { do(t, w.cut(at)) })
			<-time.After(*standstill)
			s.measure("and back", func() { do(t, w.plug(at)) })
			for _, d := range s.daemons {
				d.ready()
			}
		}
	})
	s.verify()
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pause has a daemon stand still.
func (f *fleet) pause(d *daemon, how time.Duration) {
	f.t.Helper()
	d.signal(syscall.SIGSTOP)
	<-time.After(how)
	d.signal(syscall.SIGCONT)
}
