package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/restante/restante/host/app"
)

func newExport() *cobra.Command {
	var flags clientFlags
	var withoutDamaged bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write everything that is stored to a file, for \"restante import\"",
		Long: `Write everything that is stored to a file: messages with their ids, times and read
state, deliveries with their bytes, keys, users, the audit log. "restante import"
puts it into another store.

While a daemon runs, what comes in meanwhile may be missing: stop producers and
receivers first if it is to move. The file holds secrets, and only you can read it.
"-" writes to standard output.`,
		Example: `  restante export before-the-move.restante
  restante export - | ssh other "cat > copy.restante"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			progress := newProgress(cmd.ErrOrStderr(), "exporting: ")
			defer progress.end()
			var done app.Exported
			write := func(w io.Writer) (err error) {
				done, err = app.Export(cmd.Context(), flags.data, w, withoutDamaged, func(p app.ArchiveProgress) { progress.step(p.String()) })
				return err
			}
			if args[0] == "-" {
				if f, ok := cmd.OutOrStdout().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
					return &app.HintError{Err: fmt.Errorf("an archive is nothing for a terminal"), Hint: "name a file, or send it on with |"}
				}
				return write(cmd.OutOrStdout())
			}
			if err := writeNew(args[0], write); err != nil {
				return err
			}
			progress.end()
			return flags.print(cmd.OutOrStdout(), done, func(w io.Writer) {
				fmt.Fprintf(w, "Exported %s.\n", counted(done.Messages, "message"))
				for _, m := range done.Damaged {
					fmt.Fprintf(w, "Left out, as it is damaged: %s\n", m)
				}
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&withoutDamaged, "without-damaged", false, "leave damaged messages out, and name them")
	return cmd
}

func newImport() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Put an export into a new store",
		Long: `Put everything that "restante export" has written into a new store, with the same ids
and read state. The data folder must have no store yet; or else the daemon of it runs,
on a store that daemons share and nothing was added to. Then start all of them again.
The file is checked to its end first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			progress := newProgress(cmd.ErrOrStderr(), "")
			defer progress.end()
			done, err := app.Import(cmd.Context(), flags.data, file, progress.step)
			if err != nil {
				return err
			}
			progress.end()
			return flags.print(cmd.OutOrStdout(), done, func(w io.Writer) { fmt.Fprintf(w, "Imported %s.\n", counted(done.Messages, "message")) })
		},
	}
	flags.add(cmd)
	return cmd
}

// writeNew writes a file that only its owner can read, whole or not at all; it must not
// exist yet.
func writeNew(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &app.HintError{Err: fmt.Errorf("the file %s exists already", path), Hint: "choose another name, or delete it first"}
	}
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(path)
		}
	}()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return err
}
