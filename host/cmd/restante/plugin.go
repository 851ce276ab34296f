package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host/app"
)

func newPlugin() *cobra.Command {
	return family(&cobra.Command{
		Use:   "plugin",
		Short: "Write a formatter plugin",
	}, newPluginNew(), newPluginDev())
}

func newPluginNew() *cobra.Command {
	c := app.PluginConfig{Version: programVersion()}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write the repository of a new plugin, which builds and passes its checks",
		Long: `Write the repository of a new plugin: a formatter to begin with, sample messages
and a Makefile. It builds, and passes "restante plugins check", as it is. Nothing
is overwritten.

NAME is the plugin's name: letters, digits and, inside, "-", "_" and ".".

In Go, the default, there are tests with golden files, too. Run from within a
checkout of Restante, the plugin is built with the SDK of that checkout; else with
the SDK of this program's version. A plugin in Python needs python3-grpcio and
python3-protobuf where the daemon runs, and one for Node.js only node itself.`,
		Example: `  restante plugin new student-records
  restante plugin new student-records --lang python
  restante plugin new student-records --group student --module github.com/acme/student-records --dir ~/src/student-records`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Name = args[0]
			progress := newProgress(cmd.ErrOrStderr(), "running: ")
			c.Progress = progress.step
			made, err := app.NewPlugin(cmd.Context(), c)
			progress.end()
			if err != nil {
				return err
			}
			flags := clientFlags{json: asJSON}
			return flags.print(cmd.OutOrStdout(), made, func(w io.Writer) { nextSteps(w, made) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Dir, "dir", "", "folder to write to, new or empty (default NAME)")
	f.StringVar(&c.Language, "lang", "go", "language: go, python or node")
	f.StringVar(&c.Module, "module", "", "path of the Go module (default example.com/NAME)")
	f.StringVar(&c.Group, "group", "", "group that the plugin formats (default NAME)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// nextSteps says what was written and which commands to type now.
func nextSteps(w io.Writer, made app.NewRepository) {
	fmt.Fprintf(w, "The plugin %s is in %s:\n\n", made.Name, made.Dir)
	for _, f := range made.Files {
		fmt.Fprintf(w, "  %s\n", f)
	}
	if made.Incomplete != "" {
		fmt.Fprintf(w, "\nIts go.mod is not complete yet, since \"go mod tidy\" did not work:\n  %s\n",
			strings.ReplaceAll(strings.TrimSpace(made.Incomplete), "\n", "\n  "))
	}
	fmt.Fprintf(w, "\nNow type:\n\n  cd %s\n", shellWord(made.Dir))
	if made.Incomplete != "" {
		fmt.Fprintln(w, "  go mod tidy")
	}
	source := map[string]string{"go": "main.go", "python": "plugin.py", "node": "plugin.js"}[made.Language]
	if made.Language == "go" {
		fmt.Fprintln(w, "  make test")
	}
	fmt.Fprintf(w, "  make build\n  restante plugins check %s --samples %s=samples.ndjson\n", filepath.Join("bin", made.Name), made.Group)
	fmt.Fprintf(w, "\nThen write your format in %s; README.md says how to go on.\n", source)
}

// shellWord quotes a path where a shell would take it apart.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
