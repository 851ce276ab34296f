//go:build unix

package formatter

import (
	"fmt"
	"os"
	"syscall"
)

// exposed says how to close a file or folder that others than its owner and us
// may change, or "". Whoever can write to it decides what the daemon runs.
func exposed(path string, info os.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode()&0o022 != 0:
		return fmt.Sprintf("other users may write to it: run chmod go-w %s", path)
	case ok && int(stat.Uid) != os.Geteuid() && stat.Uid != 0:
		return fmt.Sprintf("it belongs to another user: run chown %d %s", os.Geteuid(), path)
	}
	return ""
}
