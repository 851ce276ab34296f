package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/go-plugin"
)

// Attachment says where a plugin listens that was not started by us.
type Attachment struct {
	// PID is only shown.
	PID int `json:"pid"`
	// Address is the absolute path of its unix socket, and Version the version
	// of the protocol that it speaks.
	Address string `json:"address"`
	Version int    `json:"version"`
}

// attach stands in for launching a process: it announces the socket, and ends
// when the process is let go of.
func (r *runner) attach(launched chan<- error) {
	a := r.config.Attach
	r.output.mu.Lock()
	r.output.announced = true
	r.output.mu.Unlock()
	go func() {
		_, _ = fmt.Fprintf(r.output.pass, "%d|%d|unix|%s|%s|\n", plugin.CoreProtocolVersion, a.Version, a.Address, plugin.ProtocolGRPC)
		r.output.none()
	}()
	launched <- nil
	<-r.released
	r.mu.Lock()
	r.reaped = true
	r.mu.Unlock()
	close(r.exited)
}

// id is only for go-plugin to see that there is a process.
func (a *Attachment) id() string { return strconv.Itoa(a.PID) }

// letGo ends our use of an attached process, and waits until nothing of it is
// left.
func (p *Process) letGo(ctx context.Context) error {
	p.run.end("the daemon let go of it")
	limit := time.NewTimer(deathLimit)
	defer limit.Stop()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return errors.New("the connection to the attached process does not end")
	}
}
