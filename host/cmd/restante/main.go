// Command restante holds integration messages until other systems call for
// them. "restante serve" is the daemon; the other commands talk to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	if err := execute(ctx, newRoot()); err != nil {
		report(os.Stderr, err)
		os.Exit(1)
	}
}

// execute runs the command that the arguments name. An error from before its
// work began is about the arguments, and gets a hint at how to write them.
func execute(ctx context.Context, root *cobra.Command) error {
	begun := false
	var watch func(*cobra.Command)
	watch = func(cmd *cobra.Command) {
		if work := cmd.RunE; work != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				begun = true
				return work(cmd, args)
			}
		}
		for _, sub := range cmd.Commands() {
			watch(sub)
		}
	}
	watch(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		return &app.HintError{Err: err, Hint: fmt.Sprintf("usage: %s; see %q", cmd.UseLine(), cmd.CommandPath()+" --help")}
	}
	return err
}

// family makes a command that only holds others: by itself it shows its help,
// and a word that it does not know is an error.
func family(cmd *cobra.Command, members ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(members...)
	return cmd
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "restante",
		Short: "Hold integration messages and hand them to other systems in the format that each wants",
		Long: `Restante holds integration messages until other systems call for them.

Producers add JSON messages to groups. For each group a plugin writes batches in
the format that the other system wants. That system fetches the oldest unread
messages as one document with a token, and posts the token back to mark them
read.

"restante serve" is the daemon. The other commands find it by its data folder
and need no API key; when no daemon runs they work on the folder itself, as far as
that needs no plugin.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newServe(), newReload(), newAdd(), newQueues(), newMessages(), newDeliveries(), newSend(), newVerify(), newExport(), newImport(), newCluster(), newErrors(), newAudit(), newKeys(), newUsers(), newPlugins(), newPlugin(), newVersion())
	return root
}

// report prints what went wrong and what to do about it.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "restante: error: %v\n", err)
	var hint string
	if h, ok := errors.AsType[*app.HintError](err); ok {
		hint = h.Hint
	} else if e, ok := errors.AsType[*control.Error](err); ok {
		hint = e.Hint
	}
	if hint != "" {
		fmt.Fprintf(w, "restante: hint: %s\n", hint)
	}
}

// version is set by the Makefile; a plain "go build" or "go install" leaves it
// to the build information.
var version string

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
