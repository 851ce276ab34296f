package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter"
	"github.com/restante/restante/host/formatter/sandbox"
	"github.com/restante/restante/host/oidc"
	"github.com/restante/restante/host/sender"
	"github.com/restante/restante/host/sender/endpoint"
)

// Defaults of the settings.
const (
	DefaultListen   = "127.0.0.1:8089"
	DefaultData     = "restante-data"
	DefaultLogLevel = "info"
	DefaultSample   = 0.001
)

// Config holds the settings of a daemon.
type Config struct {
	// Listen is the address and port of the API. Port 0 takes a free one.
	Listen string
	// Data is the folder for everything that the daemon keeps. It is made if
	// it does not exist, for its owner alone.
	Data string
	// Store says where messages are kept.
	Store StoreConfig
	// Plugins is the folder that formatter plugins are dropped into; empty is
	// "plugins" in the data folder.
	Plugins string
	// LogLevel is trace, debug, info, warn or error.
	LogLevel string
	// LogFormat is text, json, or auto: text on a terminal and json otherwise.
	LogFormat string
	// PluginsLock is enforce, require, warn or off; see formatter.LockMode.
	// Empty is enforce.
	PluginsLock string
	// Sandbox is how much of a sandbox plugins must run in: enforce, best-effort
	// or off; empty is enforce on Linux, and best-effort elsewhere, where there
	// is none. Readable are paths that plugins may read; see formatter.Config.
	Sandbox  string
	Readable []string
	// Sample is how many of the batches that leave are formatted once more to
	// see that plugins are pure, from 0 to 1; nil is DefaultSample. Samples has
	// what is set for single plugins.
	Sample  *float64
	Samples map[string]float64
	// Retention is how long deliveries are kept, and Retentions how long those of
	// single groups.
	Retention  host.Retention
	Retentions map[host.GroupName]host.Retention
	// OnFault is what becomes of messages that a plugin can't format: host.FaultBlock
	// if empty. OnFaults has what is set for single groups.
	OnFault  host.FaultPolicy
	OnFaults map[host.GroupName]host.FaultPolicy
	// Alerts are beyond what something is reported as wrong, and AlertsOf what is
	// set for single groups. Free is below how many free bytes the disk of the data
	// folder is nearly full: host.DefaultFree if 0, and never if negative.
	Alerts   host.AlertLimits
	AlertsOf map[host.GroupName]host.AlertLimits
	Free     int64
	// AuditAge is for how long the audit log is kept: ten years if 0.
	AuditAge time.Duration
	// Reattach is JSON that names plugins which run under a debugger, as the SDK
	// prints it; see formatter.Config.Attach. It may be empty.
	Reattach string
	// PluginOptions is what is decided about plugins, by their names.
	PluginOptions map[string]formatter.Options
	// Queues are declared without a plugin, or change what a plugin says of
	// its own.
	Queues []host.Queue
	// Endpoints are where the batches of send queues go, and Sends when they do, and
	// how many messages at a time.
	Endpoints map[host.GroupName]endpoint.Config
	Sends     map[host.GroupName]sender.Settings
	// Signers sign the documents of poll queues.
	Signers map[host.GroupName]*host.Signer
	// SendFrom is the name of the machine that sends; on others, and if it is empty,
	// nothing is sent.
	SendFrom string
	// URL is where people reach the daemon, such as "https://restante.example.edu",
	// without a slash at its end; empty is where it listens.
	URL string
	// SignIn is how people sign in by OpenID Connect; nil if they don't. Its
	// RedirectURL may be empty, and then there is a URL that it can be made of.
	SignIn *oidc.Config
}

// file is the configuration file, as HCL.
type file struct {
	Listen    *string  `hcl:"listen"`
	Data      *string  `hcl:"data"`
	Plugins   *string  `hcl:"plugins"`
	LogLevel  *string  `hcl:"log_level"`
	LogFormat *string  `hcl:"log_format"`
	Lock      *string  `hcl:"plugins_lock"`
	Sandbox   *string  `hcl:"sandbox"`
	Readable  []string `hcl:"readable,optional"`
	Sample    *float64 `hcl:"sample"`
	Queues    []struct {
		Name        string         `hcl:"name,label"`
		Method      *string        `hcl:"method"`
		Title       *string        `hcl:"title"`
		Description *string        `hcl:"description"`
		OnFault     *hcl.Attribute `hcl:"on_fault,optional"`
		Deliveries  *keepBlock     `hcl:"deliveries,block"`
		Alerts      *alertBlock    `hcl:"alerts,block"`
		Secrets     *hcl.Attribute `hcl:"secrets,optional"`
		Endpoint    *sendBlock     `hcl:"endpoint,block"`
		Body        hcl.Body       `hcl:",body"`
		Rest        hcl.Body       `hcl:",remain"`
	} `hcl:"queue,block"`
	Stores       []storeBlock   `hcl:"store,block"`
	OnFault      *hcl.Attribute `hcl:"on_fault,optional"`
	Deliveries   *keepBlock     `hcl:"deliveries,block"`
	Alerts       *alertBlock    `hcl:"alerts,block"`
	Audit        *hcl.Attribute `hcl:"audit,optional"`
	PluginBlocks []pluginBlock  `hcl:"plugin,block"`
	URL          *hcl.Attribute `hcl:"url,optional"`
	SendFrom     *string        `hcl:"send_from"`
	SignIn       []signInBlock  `hcl:"sign_in,block"`
}

// pluginBlock is what is decided about one plugin.
type pluginBlock struct {
	Name     string   `hcl:"name,label"`
	Swap     *string  `hcl:"swap"`
	Sandbox  *string  `hcl:"sandbox"`
	Memory   *string  `hcl:"memory"`
	Files    *int     `hcl:"files"`
	Threads  *int     `hcl:"threads"`
	Readable []string `hcl:"readable,optional"`
	Pure     *bool    `hcl:"pure"`
	Impure   *string  `hcl:"impure"`
	Sample   *float64 `hcl:"sample"`
	Settings *struct {
		Body hcl.Body `hcl:",remain"`
	} `hcl:"settings,block"`
	Body hcl.Body `hcl:",body"`
	Rest hcl.Body `hcl:",remain"`
}

// ErrConfig says that the configuration file can't be used. What is wrong with
// it was written out line by line.
var ErrConfig = errors.New("the configuration can't be used")

// ReadConfig reads a configuration file into c; what the file does not set
// stays as it is. Faults are written to w with the lines that they are in, and
// then the error wraps ErrConfig.
func ReadConfig(path string, c *Config, w io.Writer) error {
	if _, err := os.Stat(path); err != nil {
		return &HintError{Err: fmt.Errorf("read the configuration: %w", err), Hint: "name the file with --config or RESTANTE_CONFIG"}
	}
	parser := hclparse.NewParser()
	parsed, faults := parser.ParseHCLFile(path)
	var f file
	if !faults.HasErrors() {
		scope := functions(filepath.Dir(path))
		if faults = append(faults, gohcl.DecodeBody(parsed.Body, scope, &f)...); !faults.HasErrors() {
			faults = append(faults, f.apply(c, filepath.Dir(path), scope)...)
		}
	}
	if !faults.HasErrors() {
		return nil
	}
	if err := hcl.NewDiagnosticTextWriter(w, parser.Files(), 100, false).WriteDiagnostics(faults); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrConfig, path)
}

// apply takes over the settings of the file. Folders in it are relative to the
// file's own.
func (f *file) apply(c *Config, dir string, scope *hcl.EvalContext) (faults hcl.Diagnostics) {
	folder := func(to *string, from *string) {
		if from != nil {
			*to = *from
			if !filepath.IsAbs(*from) {
				*to = filepath.Join(dir, *from)
			}
		}
	}
	text := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	text(&c.Listen, f.Listen)
	folder(&c.Data, f.Data)
	folder(&c.Plugins, f.Plugins)
	text(&c.LogLevel, f.LogLevel)
	text(&c.LogFormat, f.LogFormat)
	text(&c.PluginsLock, f.Lock)
	text(&c.Sandbox, f.Sandbox)
	text(&c.SendFrom, f.SendFrom)
	c.Readable = f.Readable
	if f.Sample != nil {
		c.Sample = f.Sample
	}
	faults = append(f.applyPlugins(c, scope), f.applySignIn(c, scope)...)
	faults = append(faults, f.applyStore(c, dir, scope)...)
	var wrong hcl.Diagnostics
	c.Retention, wrong = f.Deliveries.retention(host.Retention{})
	faults = append(faults, wrong...)
	c.OnFault, wrong = onFault(f.OnFault, host.FaultBlock, scope)
	faults = append(faults, wrong...)
	c.OnFaults = map[host.GroupName]host.FaultPolicy{}
	faults = append(faults, f.applyAlerts(c, scope)...)
	c.Retentions = map[host.GroupName]host.Retention{}
	c.Signers = map[host.GroupName]*host.Signer{}
	c.Endpoints, c.Sends = map[host.GroupName]endpoint.Config{}, map[host.GroupName]sender.Settings{}
	seen := map[string]bool{}
	for _, b := range f.Queues {
		place := b.Body.MissingItemRange()
		bad := func(summary string, err error) { faults = append(faults, fault(place, summary, err.Error()+".")) }
		q := host.Queue{Group: host.GroupName(b.Name)}
		if err := host.CheckGroupName(q.Group); err != nil {
			bad("Bad queue name", err)
		}
		if seen[b.Name] {
			bad("Duplicate queue", fmt.Errorf("there is another queue block named %q", b.Name))
		}
		seen[b.Name] = true
		_, unknown := b.Rest.Content(&hcl.BodySchema{})
		faults = append(faults, unknown...)
		keep, wrong := b.Deliveries.retention(c.Retention)
		faults = append(faults, wrong...)
		c.Retentions[q.Group] = keep
		c.OnFaults[q.Group], wrong = onFault(b.OnFault, c.OnFault, scope)
		faults = append(faults, wrong...)
		c.AlertsOf[q.Group], wrong = b.Alerts.limits(c.Alerts, scope)
		faults = append(append(faults, wrong...), b.Alerts.ofQueue()...)
		if b.Method != nil {
			m, err := host.ParseMethod(*b.Method)
			if err != nil {
				bad("Bad method", err)
			}
			q.Method = m
		}
		if b.Endpoint != nil {
			c.Endpoints[q.Group], c.Sends[q.Group], wrong = b.Endpoint.read(q, dir, scope)
			faults = append(faults, wrong...)
		}
		c.Signers[q.Group], wrong = signer(b.Secrets, q, scope)
		faults = append(faults, wrong...)
		text(&q.Title, b.Title)
		text(&q.Description, b.Description)
		c.Queues = append(c.Queues, q)
	}
	return faults
}

// attachments reads Reattach.
func (c *Config) attachments() (map[string]formatter.Attachment, error) {
	all := map[string]formatter.Attachment{}
	if c.Reattach == "" {
		return all, nil
	}
	if err := json.Unmarshal([]byte(c.Reattach), &all); err != nil {
		return nil, &HintError{
			Err:  fmt.Errorf("RESTANTE_REATTACH is malformed: %w", err),
			Hint: "copy it as the plugin prints it when it is started with RESTANTE_DEBUG=1",
		}
	}
	for plugin, a := range all {
		if !filepath.IsAbs(a.Address) || a.Version < 1 {
			return nil, fmt.Errorf("RESTANTE_REATTACH: plugin %q needs an address, the path of its socket, and the version of the protocol", plugin)
		}
	}
	return all, nil
}

func checkSample(share float64) error {
	if !(share >= 0 && share <= 1) {
		return fmt.Errorf("sample is %v; it must be from 0, no batch, to 1, every one", share)
	}
	return nil
}

// complete fills in defaults and refuses what can't be.
func (c *Config) complete() error {
	orDefault := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	orDefault(&c.Listen, DefaultListen)
	orDefault(&c.Data, DefaultData)
	orDefault(&c.Store.Kind, boltKind)
	orDefault(&c.Plugins, filepath.Join(c.Data, "plugins"))
	orDefault(&c.LogLevel, DefaultLogLevel)
	orDefault(&c.LogFormat, "auto")
	orDefault(&c.PluginsLock, string(formatter.LockEnforce))
	c.OnFault = cmp.Or(c.OnFault, host.FaultBlock)
	if orDefault(&c.Sandbox, "enforce"); runtime.GOOS != "linux" && c.Sandbox == "enforce" {
		c.Sandbox = "best-effort" // there is none
	}
	if _, err := sandbox.ParseMode(c.Sandbox); err != nil {
		return err
	}
	if c.Sample == nil {
		few := DefaultSample
		c.Sample = &few
	}
	if err := checkSample(*c.Sample); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(c.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("the listen address %q is not of the form ADDRESS:PORT, such as %s", c.Listen, DefaultListen)
	}
	if hclog.LevelFromString(c.LogLevel) == hclog.NoLevel {
		return fmt.Errorf("unknown log level %q: use trace, debug, info, warn or error", c.LogLevel)
	}
	switch c.LogFormat {
	case "auto", "text", "json":
	default:
		return fmt.Errorf("unknown log format %q: use auto, text or json", c.LogFormat)
	}
	if _, err := c.attachments(); err != nil {
		return err
	}
	if _, err := formatter.ParseLockMode(c.PluginsLock); err != nil {
		return fmt.Errorf("plugins_lock: %w", err)
	}
	return nil
}
