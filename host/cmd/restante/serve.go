package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host/app"
)

// environment returns a variable of ours, or the default.
func environment(name, unset string) string {
	if v := os.Getenv("RESTANTE_" + name); v != "" {
		return v
	}
	return unset
}

func newServe() *cobra.Command {
	var flags app.Config
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon until it is told to stop by SIGINT or SIGTERM. It then answers
the calls in flight, ends the plugins and closes the store.

Every setting has a default that works. A flag wins over the environment, and
the environment over the configuration file.`,
		Example: `  restante serve
  restante serve --listen 127.0.0.1:8089 --data /var/lib/restante --plugins /etc/restante/plugins
  restante serve --config /etc/restante/restante.hcl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The program may be anywhere when it reads the file again.
			path := file
			if path != "" {
				var err error
				if path, err = filepath.Abs(path); err != nil {
					return err
				}
			}
			read := func(w *bytes.Buffer) (app.Config, error) { return readSettings(cmd, path, flags, w) }
			return app.Run(cmd.Context(), read, programVersion(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", os.Getenv("RESTANTE_CONFIG"), "configuration file, in HCL (RESTANTE_CONFIG)")
	f.StringVar(&flags.Listen, "listen", app.DefaultListen, "address and port of the API (RESTANTE_LISTEN)")
	f.StringVar(&flags.Data, "data", app.DefaultData, "folder for all that is kept; made if missing (RESTANTE_DATA)")
	f.StringVar(&flags.Plugins, "plugins", "", "folder that plugins are dropped into (RESTANTE_PLUGINS, default DATA/plugins)")
	f.StringVar(&flags.LogLevel, "log-level", app.DefaultLogLevel, "trace, debug, info, warn or error (RESTANTE_LOG_LEVEL)")
	f.StringVar(&flags.LogFormat, "log-format", "auto", "text, json, or auto: text on a terminal (RESTANTE_LOG_FORMAT)")
	f.StringVar(&flags.Sandbox, "sandbox", "enforce", "sandbox for plugins: enforce, best-effort or off (RESTANTE_SANDBOX)")
	return cmd
}

// readSettings reads the file, if there is one, and has the environment and the
// flags win over it.
func readSettings(cmd *cobra.Command, file string, flags app.Config, w *bytes.Buffer) (app.Config, error) {
	var c app.Config
	if file != "" {
		if err := app.ReadConfig(file, &c, w); err != nil {
			return c, err
		}
	}
	for _, s := range []struct {
		to         *string
		flag, name string
		given      string
	}{
		{&c.Listen, "listen", "LISTEN", flags.Listen},
		{&c.Data, "data", "DATA", flags.Data},
		{&c.Plugins, "plugins", "PLUGINS", flags.Plugins},
		{&c.LogLevel, "log-level", "LOG_LEVEL", flags.LogLevel},
		{&c.LogFormat, "log-format", "LOG_FORMAT", flags.LogFormat},
		{&c.Sandbox, "sandbox", "SANDBOX", flags.Sandbox},
	} {
		*s.to = environment(s.name, *s.to)
		if cmd.Flags().Changed(s.flag) {
			*s.to = s.given
		}
	}
	c.Reattach = os.Getenv("RESTANTE_REATTACH")
	return c, nil
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "restante", programVersion()) },
	}
}
