// Command bench measures the daemon beside the alternatives, all in one run,
// and prints ratios: the machine's own speed drops out of them. Run it with
// "make bench", which builds the daemon and the plugins first.
//
//   - Durable single adds over HTTP, beside the same adds straight into the
//     store, and beside a bare handler that authenticates, reads and validates
//     as the daemon does but stores nothing.
//   - The cycle of fetch and mark with little and with much history.
//   - A fetch through a plugin beside one in the default format.
//   - Memory and start time with much history.
//   - A plugin's start and calls in the sandbox and without it.
//   - The adds and the cycle on a cluster of three daemons, and adds as its groups
//     grow in number.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type settings struct {
	bin     string
	folder  string
	each    time.Duration // how long one figure is measured at a time
	rounds  int           // how often each figure is measured; the median counts
	history int
	running []*daemon
}

// end kills what still runs and removes what was written.
func (s *settings) end(made string) {
	for _, d := range s.running {
		d.kill(syscall.SIGKILL)
	}
	if made != "" {
		os.RemoveAll(made)
	}
}

func main() {
	var s settings
	bare := flag.Bool("bare", false, "be the bare handler (used by the benchmark itself)")
	only := flag.String("only", "", "adds, cycle, start, sandbox or cluster; all if empty")
	flag.StringVar(&s.bin, "bin", "bin", "folder of restante and plugins/")
	flag.StringVar(&s.folder, "folder", "", "folder for data; a temporary one if empty. Its disk is what is measured")
	flag.DurationVar(&s.each, "each", 2*time.Second, "how long each figure is measured at a time")
	flag.IntVar(&s.rounds, "rounds", 3, "how often; the median counts")
	flag.IntVar(&s.history, "history", 1_000_000, "messages of much history")
	flag.Parse()
	// A reader that goes away, such as "head", ends it as well, and the daemons with it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	if *bare {
		exit(serveBare())
	}
	made := ""
	if s.folder == "" {
		var err error
		if made, err = os.MkdirTemp("", "restante-bench-"); err != nil {
			exit(err)
		}
		s.folder = made
	}
	defer s.end(made)
	for _, part := range []struct {
		name string
		run  func(context.Context, *settings) error
	}{{"adds", benchAdds}, {"cycle", benchCycle}, {"start", benchStart}, {"sandbox", benchSandbox}, {"cluster", benchCluster}} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(ctx, &s); err != nil {
			s.end(made)
			exit(fmt.Errorf("%s: %w", part.name, err))
		}
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
