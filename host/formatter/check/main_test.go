//go:build unix

package check

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/restante/restante/host/formatter/process/plugintest"
	formatterv1 "github.com/restante/restante/proto/formatter/v1"
	"github.com/restante/restante/proto/handshake"
)

// The test binary, copied under the name of one of these, is a plugin that
// writes the messages and then what the function gives for their number.
var impure = map[string]func(messages int) string{
	"pure":    func(int) string { return "" },
	"time":    func(int) string { return "written " + time.Now().Format(time.RFC3339) },
	"date":    func(int) string { return "Date: " + time.Now().UTC().Format("2006-01-02") },
	"pid":     func(int) string { return fmt.Sprint("by ", os.Getpid()) },
	"counter": func(int) string { return fmt.Sprint("call ", calls.Add(1)) },
	"random":  func(int) string { return "id " + rand.Text() },
	"map": func(int) string {
		text := ""
		for name := range map[string]int{"ann": 1, "bob": 2, "cid": 3, "dan": 4, "eve": 5, "fay": 6, "gus": 7} {
			text += name + ","
		}
		return text
	},
	"leaver": func(int) string {
		child := exec.Command("/bin/sleep", "60")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
		return ""
	},
	"vain": func(n int) string { // too much for the large batch, and for no other
		if n > 200 && n != manyMessages {
			return strings.Repeat("x", 65<<20)
		}
		return ""
	},
}

var calls atomic.Int64

func TestMain(m *testing.M) {
	plugintest.RunPlugin()
	if ending, ok := impure[filepath.Base(os.Args[0])]; ok {
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  handshake.Config(),
			VersionedPlugins: handshake.Plugin(&service{ending: ending}),
			Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
			GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
				return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(handshake.MaxMessageBytes))...)
			},
		})
		syscall.Exit(0) // os.Exit takes a second under the race detector
	}
	// All that a check makes lies in a folder of the tests' own.
	folder, err := os.MkdirTemp("/tmp", "rc")
	if err != nil {
		panic(err)
	}
	_ = os.Unsetenv("XDG_RUNTIME_DIR")
	_ = os.Setenv("TMPDIR", folder)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if left, _ := filepath.Glob(folder + "/restante-*"); len(left) > 0 {
			fmt.Println("folders are left:", left)
			code = 1
		}
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}))
}

type service struct {
	formatterv1.UnimplementedFormatterServer
	ending func(messages int) string
}

func (s *service) Discover(context.Context, *formatterv1.DiscoverRequest) (*formatterv1.DiscoverResponse, error) {
	return &formatterv1.DiscoverResponse{Name: "test", Version: "1", Groups: []*formatterv1.Group{
		{Name: "g", Title: "Group", Method: formatterv1.Method_METHOD_POLL, Formats: true},
		{Name: "plain", Title: "Default format", Method: formatterv1.Method_METHOD_POLL},
	}}, nil
}

func (s *service) WriteMessages(_ context.Context, q *formatterv1.WriteMessagesRequest) (*formatterv1.WriteMessagesResponse, error) {
	var body strings.Builder
	for _, m := range q.GetMessages() {
		fmt.Fprintf(&body, "%d %s\n", m.GetId(), m.GetData())
	}
	body.WriteString(s.ending(len(q.GetMessages())))
	return &formatterv1.WriteMessagesResponse{Document: &formatterv1.Document{
		ContentType: "text/plain", Filename: "g.txt", Body: []byte(body.String()),
	}}, nil
}

// self copies the test binary under a name.
func self(t *testing.T, name string) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return plugintest.WriteFile(t, t.TempDir(), name, text)
}
