package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/app"
	"github.com/restante/restante/host/control"
)

// clientFlags are the flags of every command that talks to the daemon.
type clientFlags struct {
	data string
	json bool
}

func (f *clientFlags) add(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&f.data, "data", environment("DATA", app.DefaultData), "the daemon's data folder (RESTANTE_DATA)")
	cmd.PersistentFlags().BoolVar(&f.json, "json", false, "print JSON")
}

// with calls do with a client of the daemon.
func (f *clientFlags) with(ctx context.Context, do func(*control.Client) error) error {
	client, close, err := app.Connect(ctx, f.data)
	if err != nil {
		return err
	}
	return errors.Join(do(client), close())
}

// withGroup calls do with a client of the daemon and the group that is named.
func (f *clientFlags) withGroup(ctx context.Context, name string, do func(*control.Client, host.GroupName) error) error {
	g, err := groupArgument(name)
	if err != nil {
		return err
	}
	return f.with(ctx, func(c *control.Client) error { return do(c, g) })
}

// print writes a value as JSON if that was asked for, else by text.
func (f *clientFlags) print(w io.Writer, value any, text func(w io.Writer)) error {
	if f.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	text(table)
	return table.Flush()
}

func groupArgument(s string) (host.GroupName, error) {
	g := host.GroupName(s)
	return g, host.CheckGroupName(g)
}

// when writes a time for people, in their own zone.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// cell makes text from outside fit into a cell of a table: one line, without
// what could take over a terminal, and not too long.
func cell(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return s
}

func row(w io.Writer, cells ...any) {
	for i, c := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, c)
	}
	fmt.Fprintln(w)
}
