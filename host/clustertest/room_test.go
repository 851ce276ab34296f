//go:build linux

package clustertest

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// room is a thread of its own, in which functions are called one after the other.
// Processes that it starts can be told to end with it, and it can be in a network
// namespace, which ends with the last thread or process in it: nothing is left behind,
// however the test ends.
type room struct {
	calls chan func()
	ended chan struct{}
	id    int // of the thread
}

// newRoom opens a room, in a network of its own or in everybody's.
func newRoom(ownNetwork bool) (*room, error) {
	r := &room{calls: make(chan func()), ended: make(chan struct{})}
	opened := make(chan error)
	go func() {
		// The thread ends with the goroutine, as it is never unlocked.
		runtime.LockOSThread()
		defer close(r.ended)
		r.id = unix.Gettid()
		if ownNetwork {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				opened <- fmt.Errorf("make a network namespace: %w", err)
				return
			}
		}
		opened <- nil
		for call := range r.calls {
			call()
		}
	}()
	return r, <-opened
}

// do calls a function in the room.
func (r *room) do(call func()) {
	done := make(chan struct{})
	r.calls <- func() { defer close(done); call() }
	<-done
}

// close is called once.
func (r *room) close() { close(r.calls); <-r.ended }

// ip runs commands of ip(8) in the room.
func (r *room) ip(commands ...string) (err error) {
	r.do(func() {
		for _, command := range commands {
			if out, failure := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); failure != nil {
				err = fmt.Errorf("ip %s: %w: %s", command, failure, out)
				return
			}
		}
	})
	return err
}

// network connects rooms, each with an address of its own, as a switch does.
type network struct {
	hub   *room
	rooms []*room
}

// newNetwork makes a network of n rooms.
func newNetwork(n int) (_ *network, err error) {
	w := &network{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.hub, err = newRoom(true); err != nil {
		w.hub = nil
		return w, err
	}
	if err := w.hub.ip("link add hub type bridge", "link set hub up"); err != nil {
		return w, err
	}
	for i := range n {
		r, err := newRoom(true)
		if err != nil {
			return w, err
		}
		w.rooms = append(w.rooms, r)
		port := portOf(i)
		if err := w.hub.ip(
			fmt.Sprintf("link add %s type veth peer name cable netns %d", port, r.id),
			"link set "+port+" master hub up",
		); err != nil {
			return w, err
		}
		if err := r.ip("link set lo up", "addr add "+w.address(i)+"/24 dev cable", "link set cable up"); err != nil {
			return w, err
		}
	}
	return w, nil
}

func portOf(i int) string { return fmt.Sprintf("port%d", i) }

func (w *network) address(i int) string { return fmt.Sprintf("10.77.0.%d", i+1) }

// cut takes a room's cable out, and plug puts it back.
func (w *network) cut(i int) error  { return w.hub.ip("link set " + portOf(i) + " down") }
func (w *network) plug(i int) error { return w.hub.ip("link set " + portOf(i) + " up") }

func (w *network) close() {
	for _, r := range w.rooms {
		r.close()
	}
	if w.hub != nil {
		w.hub.close()
	}
}
