//go:build unix

package plugintest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/restante/restante/proto/handshake"
)

// RunPlugin is the plugin's main function: it does not return if the running
// program was made by Install, and does nothing if not. Call it first in
// TestMain.
func RunPlugin() {
	s, found := spec()
	if !found {
		return
	}
	start(s)
	exit(0)
}

// start starts the plugin in the way that the spec says.
func start(s Spec) {
	how, arg, _ := strings.Cut(s.Start, ":")
	switch how {
	case "":
	case "noise":
		fmt.Println("Welcome to the plugin!")
		fmt.Print("a|b|c\n\n{}\n")
	case "flood-stdout":
		for {
			fmt.Println(strings.Repeat("x", 4000))
		}
	case "exit":
		fmt.Fprintln(os.Stderr, "config file missing")
		code, _ := strconv.Atoi(arg)
		exit(code)
	case "hang":
		fmt.Println("thinking")
		forever()
	case "panic":
		panic("no way to start")
	case "signal":
		number, _ := strconv.Atoi(arg)
		_ = syscall.Kill(os.Getpid(), syscall.Signal(number))
		forever()
	case "say": // a handshake line of any kind
		fmt.Println(strings.ReplaceAll(arg, "DIR", os.Getenv(plugin.EnvUnixSocketDir)))
		forever()
	case "mute": // a socket that nobody answers on
		path := os.Getenv(plugin.EnvUnixSocketDir) + "/s"
		l, err := net.Listen("unix", path)
		if err != nil {
			panic(err)
		}
		defer func() { _ = l.Close() }()
		fmt.Printf("1|1|unix|%s|grpc|\n", path)
		forever()
	case "stopped":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		forever()
	case "link": // announces what a link leads to
		path := os.Getenv(plugin.EnvUnixSocketDir) + "/s"
		_ = os.Symlink(arg, path)
		fmt.Printf("1|1|unix|%s|grpc|\n", path)
		forever()
	case "close-stdout":
		_ = os.Stdout.Close()
		forever()
	case "grandchild": // holds our pipes when we are gone
		child := exec.Command("/bin/sleep", arg)
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintf(os.Stderr, "grandchild %d\n", child.Process.Pid)
	case "netrpc":
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  handshake.Config(),
			VersionedPlugins: handshake.Plugin(newService(s)),
		})
	case "stdin": // ends only when its standard input does
		go serve(s)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	case "deaf": // ignores every request to end
		go serve(s)
		ignoreTerm()
		forever()
	default:
		panic("unknown way to start: " + s.Start)
	}
	serve(s)
}

func serve(s Spec) {
	own := newService(s)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugin(own),
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			opts = append(opts, grpc.MaxRecvMsgSize(handshake.MaxMessageBytes))
			if own.server != nil {
				opts = append(opts, own.server()...)
			}
			return grpc.NewServer(opts...)
		},
	})
}

// exit ends the process at once; os.Exit takes a second under the race detector.
func exit(code int) { syscall.Exit(code) }

// forever blocks without the runtime's knowing of a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}
