package formatter

import (
	"debug/buildinfo"
	"slices"
	"sync"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

// keptTimes is how many of the last calls' durations are kept.
const keptTimes = 1000

// usage counts the calls of a plugin file, whatever process answered them. It is
// safe for concurrent use.
type usage struct {
	mu       sync.Mutex
	calls    uint64
	failed   uint64
	rejected uint64
	inFlight int
	again    uint64          // batches that were formatted once more
	impure   uint64          // and gave other bytes
	times    []time.Duration // a ring
}

func (u *usage) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inFlight++
}

func (u *usage) end(took time.Duration, outcome host.CallOutcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.inFlight--
	switch outcome {
	case host.CallFailed:
		u.failed++
	case host.CallRejected:
		u.rejected++
	}
	if len(u.times) < keptTimes {
		u.times = append(u.times, took)
	} else {
		u.times[u.calls%keptTimes] = took
	}
	u.calls++
}

func (u *usage) sampled(impure bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.again++
	if impure {
		u.impure++
	}
}

func (u *usage) describe() host.PluginUsage {
	u.mu.Lock()
	d := host.PluginUsage{Calls: u.calls, Failed: u.failed, Rejected: u.rejected, InFlight: u.inFlight, Sampled: u.again, Impure: u.impure}
	times := slices.Clone(u.times)
	u.mu.Unlock()
	if len(times) > 0 {
		slices.Sort(times)
		d.P50, d.P99 = times[len(times)/2].Seconds(), times[len(times)*99/100].Seconds()
	}
	return d
}

// ended says how a process ended.
func ended(e process.Exit) *host.PluginExit {
	return &host.PluginExit{
		Time: time.Now().UTC(), Reason: e.String(), Code: e.Code, Signal: e.Signal, Killed: e.Killed, Panic: e.Panic, Stderr: e.Stderr,
	}
}

// Modules that tell how a plugin speaks to the daemon.
const (
	sdkModule      = "github.com/restante/restante"
	goPluginModule = "github.com/hashicorp/go-plugin"
)

// builtFrom says what a version was built from: what is in the file if a Go
// toolchain made it, else what the plugin says of itself.
func builtFrom(v version, d process.Description) host.PluginBuild {
	b := host.PluginBuild{Language: d.Build.Language, SDK: d.Build.SDK, Module: d.Build.Module, Revision: d.Build.Revision}
	if v.path == "" {
		return b
	}
	info, err := buildinfo.ReadFile(v.path)
	if err != nil {
		return b
	}
	b = host.PluginBuild{Language: info.GoVersion, Module: moduleVersion(info.Main.Path, info.Main.Version)}
	if info.Main.Path == sdkModule {
		b.SDK = moduleVersion(sdkModule, info.Main.Version)
	}
	for _, m := range info.Deps {
		switch m.Path {
		case sdkModule:
			b.SDK = moduleVersion(m.Path, m.Version)
		case goPluginModule:
			if m.Replace != nil {
				m = m.Replace
			}
			b.GoPlugin = m.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func moduleVersion(path, version string) string {
	if version == "" {
		return path
	}
	return path + " " + version
}
