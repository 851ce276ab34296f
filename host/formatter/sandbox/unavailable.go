//go:build !linux || !(amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
)

// Probe returns a Support without layers: there is no sandbox on this system.
// It does not fail.
func Probe(context.Context) (Support, error) {
	var s Support
	for _, name := range []LayerName{Namespaces, FileRules, CallFilter, ResourceLimits} {
		s.layers = append(s.layers, Layer{
			Name:   name,
			Reason: "there is no sandbox on " + runtime.GOOS + "/" + runtime.GOARCH,
			Remedy: "run the daemon on Linux, on amd64 or arm64",
		})
	}
	return s, nil
}

func (s *Sandbox) command(Program) (*exec.Cmd, error) {
	return nil, errors.ErrUnsupported
}
