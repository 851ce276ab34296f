package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/check"
	"github.com/restante/restante/host/formatter/sandbox"
	"github.com/restante/restante/host/scaffold"
)

// CheckConfig says which plugin CheckPlugin checks and how.
type CheckConfig struct {
	// Path is the plugin's file.
	Path string
	// Samples are files with NDJSON messages, by group.
	Samples map[host.GroupName]string
	// Settings are values of the plugin's settings, as JSON, by their names.
	Settings map[string]json.RawMessage
	// Repeats is how often a batch is formatted: check.DefaultRepeats if 0.
	Repeats int
	// CallTimeout bounds each call: 30 seconds if 0.
	CallTimeout time.Duration
	// Sandbox is enforce, best-effort or off; empty is enforce.
	Sandbox string
	// Version is this program's version, which the plugin is told.
	Version string
	// Progress is called before each step with a few words that name it.
	Progress func(step string)
}

// DefaultRepeats is the default of CheckConfig.Repeats.
const DefaultRepeats = check.DefaultRepeats

// CheckPlugin checks a plugin from the outside. What is wrong with it is in the
// report; the error is about what kept it from being looked at.
func CheckPlugin(ctx context.Context, c CheckConfig) (check.Report, error) {
	samples := make(map[host.GroupName][]json.RawMessage, len(c.Samples))
	for g, path := range c.Samples {
		data, err := readSamples(path)
		if err != nil {
			return check.Report{}, err
		}
		samples[g] = data
	}
	mode, err := sandbox.ParseMode(c.Sandbox)
	if err != nil {
		return check.Report{}, err
	}
	return check.Run(ctx, check.Config{
		Path:        c.Path,
		Samples:     samples,
		Settings:    c.Settings,
		Sandbox:     mode,
		Repeats:     c.Repeats,
		CallTimeout: c.CallTimeout,
		HostVersion: c.Version,
		Progress:    c.Progress,
	})
}

// maxSampleBytes is the largest file of samples, as each batch is made in
// memory.
const maxSampleBytes = 64 << 20

func readSamples(path string) ([]json.RawMessage, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSampleBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read samples: %w", err)
	}
	if len(text) > maxSampleBytes {
		return nil, &HintError{
			Err:  fmt.Errorf("%s has more than %d bytes", path, maxSampleBytes),
			Hint: "a dozen messages that show all that the producer may send are enough",
		}
	}
	data, err := host.CheckLines(text)
	if err != nil {
		return nil, &HintError{
			Err:  fmt.Errorf("read samples %s: %w", path, err),
			Hint: "samples are NDJSON: one JSON value on each line",
		}
	}
	return data, nil
}

// PluginConfig says what repository NewPlugin writes.
type PluginConfig struct {
	// Language is "go", "python" or "node", Name the plugin's name, Dir the
	// folder (Name if empty), Module the Go module's path and Group the plugin's
	// group: see scaffold.Config.
	Language, Name, Dir, Module, Group string
	// Version is this program's version.
	Version string
	// Progress is called before each step with a few words that name it.
	Progress func(step string)
}

// NewPlugin writes the repository of a new plugin and, for Go, has the go command
// complete it. A repository that is written but could not be completed is
// returned with Incomplete set, and no error.
func NewPlugin(ctx context.Context, c PluginConfig) (NewRepository, error) {
	working, err := os.Getwd()
	if err != nil {
		return NewRepository{}, fmt.Errorf("make plugin: %w", err)
	}
	checkout, err := scaffold.FindCheckout(working)
	if err != nil {
		return NewRepository{}, fmt.Errorf("make plugin: %w", err)
	}
	written, err := scaffold.Write(scaffold.Config{
		Language: scaffold.Language(c.Language), Name: c.Name, Dir: c.Dir, Module: c.Module, Group: c.Group, Checkout: checkout, Version: c.Version,
	})
	if errors.Is(err, scaffold.ErrNotEmpty) {
		return NewRepository{}, &HintError{Err: err, Hint: "name a folder that is new or empty with --dir; nothing is overwritten"}
	}
	if err != nil {
		return NewRepository{}, err
	}
	r := NewRepository{Dir: written.Dir, Language: string(written.Language), Name: written.Name, Group: written.Group, Files: written.Files}
	if written.Language == scaffold.Go {
		c.Progress("go mod tidy")
		r.Incomplete = tidy(ctx, r.Dir)
	}
	return r, ctx.Err()
}

// NewRepository is what NewPlugin wrote.
type NewRepository struct {
	Dir      string   `json:"dir"`
	Language string   `json:"language"`
	Name     string   `json:"name"`
	Group    string   `json:"group"`
	Files    []string `json:"files"`
	// Incomplete says why "go mod tidy" is still to be run, or is empty.
	Incomplete string `json:"incomplete,omitempty"`
}

// tidy runs "go mod tidy" and says why it did not work.
func tidy(ctx context.Context, dir string) string {
	program, err := exec.LookPath("go")
	if err != nil {
		return "there is no go command on the PATH"
	}
	cmd := exec.CommandContext(ctx, program, "mod", "tidy")
	cmd.Dir = filepath.Clean(dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return ""
}
