//go:build linux

package clustertest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// TestUpgrade replaces the program of one daemon after the other, by the script that
// operators use.
func TestUpgrade(t *testing.T) {
	if *rounds > 1 {
		t.Skip("once is enough")
	}
	t.Parallel()
	var programs []string
	for _, version := range []string{"before", "after"} {
		path, err := build(version)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, path)
	}
	f := newFleet(t, 3, queueBlocks(groups), nil)
	for _, d := range f.daemons {
		d.program = filepath.Join(d.dir, "restante")
		do(t, os.Link(programs[0], d.program))
	}
	s := beginScenario(t, f)
	upgrade := func(d *daemon, program string) (string, error) {
		again := make(chan struct{})
		go func() { // what starts a daemon again that has ended
			defer close(again)
			<-d.process.ended
			d.begin()
		}()
		cmd := exec.Command("../../examples/cluster/upgrade.sh", program, d.program, d.data())
		cmd.Env = append(os.Environ(), fmt.Sprintf("RESTART=kill %d", d.process.cmd.Process.Pid), "WAIT=1m")
		out, err := cmd.CombinedOutput()
		if err == nil {
			<-again
		}
		return string(out), err
	}
	s.under(func() {
		for _, d := range s.daemons {
			s.measure("upgrade of one daemon", func() {
				if out, err := upgrade(d, programs[1]); err != nil {
					t.Fatalf("upgrade of %s: %v\n%s", d.name, err, out)
				}
				d.ready()
			})
			if out, err := exec.Command(d.program, "version").Output(); err != nil || string(out) != "restante after\n" {
				t.Errorf("the program of %s is %q, %v", d.name, out, err)
			}
		}
	})
	s.verify()

	// While a node is down nothing is touched.
	s.daemons[2].kill()
	cmd := exec.Command("../../examples/cluster/upgrade.sh", programs[0], s.daemons[0].program, s.daemons[0].data())
	cmd.Env = append(os.Environ(), "RESTART=false", "WAIT=2s")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "node c is down") || !strings.Contains(string(out), "Nothing was changed.") {
		t.Errorf("upgrade.sh with a node down: %v\n%s", err, out)
	}
	if out, err := exec.Command(s.daemons[0].program, "version").Output(); err != nil || string(out) != "restante after\n" {
		t.Errorf("the program is %q, %v", out, err)
	}
}

// TestReplaceByOther has a node leave for good, and another one come with a name and an
// address of its own, before or after the first is removed.
func TestReplaceByOther(t *testing.T) {
	short(t)
	s := newScenario(t, 3, nil)
	s.under(func() {
		for i := range max(*rounds, 2) {
			d := s.leader(groups[i%len(groups)])
			other := s.others(d)[0]
			left := d.node
			s.measure("loss of a leader with its disk", func() { d.kill(); d.lose() })
			d.node, d.route = fmt.Sprint("n", i), freeAddress(t)
			s.configure(s.queues)
			remove := func() {
				eventually(t, "node "+left+" is removed", func() error {
					_, err := other.run("cluster", "remove", left)
					return err
				})
			}
			s.measure("another one comes in its place", func() {
				if i%2 == 0 {
					s.start(d)
					remove()
				} else {
					remove()
					s.start(d)
				}
				if out, err := other.run("cluster", "status", "--wait", "1m"); err != nil {
					t.Fatal(out, err)
				}
			})
			out, err := other.run("cluster", "status")
			if err != nil || strings.Contains(out, "\n"+left+" ") || strings.Contains(out, "missing") {
				t.Fatalf("%s has taken the place of %s: %v\n%s", d.node, left, err, out)
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
