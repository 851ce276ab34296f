package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

func newAdd() *cobra.Command {
	var flags clientFlags
	var key string
	var lines bool
	cmd := &cobra.Command{
		Use:   "add GROUP [FILE]",
		Short: "Add messages to a group",
		Long: `Add messages to a group and print their ids, one on a line. They are on disk
then.

The file, or standard input if there is none, holds one JSON value, or NDJSON:
one value on a line, of which all are added or none. The text decides which it
is, unless --lines says NDJSON.`,
		Example: `  echo '{"student":"S1","action":"enrol"}' | restante add student
  restante add student messages.ndjson
  restante add student --key order-4711 order.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := groupArgument(args[0])
			if err != nil {
				return err
			}
			name, body, err := readInput(cmd.InOrStdin(), args[1:])
			if err != nil {
				return err
			}
			r := host.AddRequest{Group: g, Body: body, Lines: lines || isLines(body), Key: key}
			return flags.with(cmd.Context(), func(c *control.Client) error {
				ids, err := c.Add(cmd.Context(), r)
				if err != nil {
					return fmt.Errorf("add %s: %w", name, err)
				}
				return flags.print(cmd.OutOrStdout(), map[string]any{"ids": ids}, func(w io.Writer) {
					for _, id := range ids {
						row(w, id)
					}
				})
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&key, "key", "", "idempotency key: a repeated command answers the first ids and adds nothing")
	cmd.Flags().BoolVar(&lines, "lines", false, "the input is NDJSON, one value on a line")
	return cmd
}

// isLines reports whether the text is NDJSON: no JSON value as a whole, but
// one on its first line.
func isLines(body []byte) bool {
	if _, err := host.CheckData(body); err == nil {
		return false
	}
	first, rest, more := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if !more || strings.TrimSpace(rest) == "" {
		return false
	}
	_, err := host.CheckData([]byte(first))
	return err == nil
}

// readInput returns the messages and the name of where they come from.
func readInput(stdin io.Reader, args []string) (name string, body []byte, err error) {
	name = "standard input"
	if len(args) > 0 && args[0] != "-" {
		name = args[0]
		f, err := os.Open(name)
		if err != nil {
			return "", nil, fmt.Errorf("read the messages: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	body, err = io.ReadAll(io.LimitReader(stdin, host.MaxAdditionBytes+1))
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(body) > host.MaxAdditionBytes {
		return "", nil, &app.HintError{
			Err:  fmt.Errorf("%s has more than %d bytes, which is the most for one request", name, host.MaxAdditionBytes),
			Hint: "split it, for example with: split -C 8m --filter='restante add GROUP' " + name,
		}
	}
	return name, body, nil
}
