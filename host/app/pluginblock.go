package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/sandbox"
)

func (f *file) applyPlugins(c *Config, scope *hcl.EvalContext) (faults hcl.Diagnostics) {
	c.PluginOptions, c.Samples = map[string]formatter.Options{}, map[string]float64{}
	for _, b := range f.PluginBlocks {
		place := b.Body.MissingItemRange()
		if _, twice := c.PluginOptions[b.Name]; twice {
			faults = append(faults, fault(place, "Duplicate plugin", fmt.Sprintf("There is another plugin block named %q.", b.Name)))
		}
		_, unknown := b.Rest.Content(&hcl.BodySchema{})
		for _, u := range unknown {
			u.Detail += " A plugin's own settings go into a block settings {}."
		}
		faults = append(faults, unknown...)
		var o formatter.Options
		if b.Swap != nil {
			switch *b.Swap {
			case "auto":
			case "approve":
				o.Approval = true
			default:
				faults = append(faults, fault(place, "Bad swap",
					fmt.Sprintf("swap is %q; use \"auto\", or \"approve\" to have a version that writes other documents wait for approval.", *b.Swap)))
			}
		}
		if err := b.confine(&o); err != nil {
			faults = append(faults, fault(place, "Bad sandbox", err.Error()+"."))
		}
		if err := b.purity(&o); err != nil {
			faults = append(faults, fault(place, "Bad argument", err.Error()+"."))
		}
		if b.Settings != nil {
			var wrong hcl.Diagnostics
			o.Settings, wrong = settings(b.Settings.Body, scope)
			faults = append(faults, wrong...)
		}
		c.PluginOptions[b.Name] = o
		if b.Sample != nil {
			c.Samples[b.Name] = *b.Sample
		}
	}
	return faults
}

// purity reads what is done to see that the plugin is a pure function.
func (b *pluginBlock) purity(o *formatter.Options) (err error) {
	o.Impure = b.Pure != nil && !*b.Pure
	if b.Impure != nil {
		if o.OnImpure, err = formatter.ParseImpure(*b.Impure); err != nil {
			return err
		}
	}
	if b.Sample != nil {
		return checkSample(*b.Sample)
	}
	return nil
}

// confine reads how the plugin is to be shut in.
func (b *pluginBlock) confine(o *formatter.Options) (err error) {
	if b.Sandbox != nil {
		if o.Sandbox, err = sandbox.ParseMode(*b.Sandbox); err != nil {
			return err
		}
	}
	if b.Memory != nil {
		if o.Limits.Memory, err = parseSize(*b.Memory); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	for _, n := range []struct {
		name string
		from *int
		to   *int
	}{{"files", b.Files, &o.Limits.Files}, {"threads", b.Threads, &o.Limits.Threads}} {
		if n.from == nil {
			continue
		}
		if *n.from < 1 {
			return fmt.Errorf("%s is %d; it must be 1 or more", n.name, *n.from)
		}
		*n.to = *n.from
	}
	o.Readable = b.Readable
	_, err = sandbox.New(sandbox.Config{Limits: o.Limits, Readable: o.Readable})
	return err
}

// parseSize reads a number of bytes such as "512MiB"; "unlimited" is no limit.
func parseSize(text string) (int64, error) {
	if text == "unlimited" {
		return sandbox.Unlimited, nil
	}
	number, factor := text, int64(1)
	for unit, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			number, factor = strings.TrimSpace(n), f
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is not a size such as \"512MiB\", \"2GiB\" or \"unlimited\"", text)
	}
	return n * factor, nil
}

// settings reads the values of a plugin's settings. Only the plugin knows which
// there are, so they are checked when it runs.
func settings(body hcl.Body, scope *hcl.EvalContext) (map[string]json.RawMessage, hcl.Diagnostics) {
	attributes, faults := body.JustAttributes()
	values := make(map[string]json.RawMessage, len(attributes))
	for name, a := range attributes {
		v, wrong := a.Expr.Value(scope)
		if faults = append(faults, wrong...); wrong.HasErrors() {
			continue
		}
		if t := v.Type(); v.IsNull() || t != cty.String && t != cty.Number && t != cty.Bool {
			faults = append(faults, fault(a.Expr.Range(), "Bad setting", fmt.Sprintf("The setting %q must be a string, a number or a bool.", name)))
			continue
		}
		text, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			faults = append(faults, fault(a.Expr.Range(), "Bad setting", err.Error()))
		}
		values[name] = text
	}
	return values, faults
}

func fault(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// functions are what a configuration can call, so that secrets need not stand in
// it: env("NAME") is an environment variable of the daemon, and file("PATH") the
// text of a file without the line end; the path is relative to dir.
func functions(dir string) *hcl.EvalContext {
	text := func(parameter string, read func(string) (string, error)) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: parameter, Type: cty.String}},
			Type:   function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				s, err := read(args[0].AsString())
				return cty.StringVal(s), err
			},
		})
	}
	return &hcl.EvalContext{Functions: map[string]function.Function{
		"env": text("name", func(name string) (string, error) {
			if v, ok := os.LookupEnv(name); ok {
				return v, nil
			}
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}),
		"file": text("path", func(path string) (string, error) {
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			return readText(path)
		}),
	}}
}

// maxTextBytes is the largest file that file() reads: 64 KiB.
const maxTextBytes = 64 << 10

func readText(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxTextBytes {
		return "", fmt.Errorf("%s is no file of at most %d bytes", path, maxTextBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(string(text), 0) {
		return "", errors.New(path + " is no text file")
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
