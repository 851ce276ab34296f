package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restante/restante/sdk"
)

// roleKey makes the test binary a plugin: its value says which one.
const roleKey = "SDK_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleKey) {
	case "plugin":
		sdk.Serve(testPlugin())
		fmt.Fprintln(os.Stderr, "main returned")
		return
	case "faulty":
		sdk.Serve(sdk.Plugin{Name: "faulty", Groups: []sdk.Group{{Name: "a/b"}}})
		return
	}
	goleak.VerifyTestMain(m)
}

// stdoutBefore is what a logger made before Serve would write to.
var stdoutBefore = os.Stdout

// testPlugin has a group for each thing that a formatter may do.
func testPlugin() sdk.Plugin {
	group := func(name string, write func(context.Context, sdk.Batch) (sdk.Document, error)) sdk.Group {
		return sdk.Group{Name: name, Method: sdk.Poll, Title: "Group " + name, WriteMessages: write}
	}
	text := func(format string, args ...any) sdk.Document {
		return sdk.Document{ContentType: "text/plain", Filename: "t.txt", Body: fmt.Appendf(nil, format, args...)}
	}
	return sdk.Plugin{Name: "test-plugin", Version: "1.2.3", Groups: []sdk.Group{
		group("size", func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			total := 0
			for _, m := range b.Messages {
				total += len(m.Data)
			}
			return text("%d messages, %d bytes", len(b.Messages), total), nil
		}),
		group("echo", func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			d := text("")
			for _, m := range b.Messages {
				d.Body = append(d.Body, m.Data...)
			}
			return d, nil
		}),
		group("panic", func(_ context.Context, b sdk.Batch) (sdk.Document, error) {
			return text("%d", b.Messages[len(b.Messages)].ID), nil
		}),
		group("print", func(context.Context, sdk.Batch) (sdk.Document, error) {
			long := strings.Repeat("x", 200_000)
			fmt.Println("printed", long)
			fmt.Fprintln(os.Stderr, "printed to stderr", long)
			fmt.Fprintln(stdoutBefore, "printed to the first stdout", long)
			println("printed by the runtime")
			return text("printed"), nil
		}),
		group("log", func(context.Context, sdk.Batch) (sdk.Document, error) {
			sdk.Logger().Info("through hclog", "count", 1)
			sdk.Logger().Debug("below the level")
			slog.Warn("through slog", slog.Group("request", "id", 7))
			log.Print("through log")
			return text("logged"), nil
		}),
		group("slow", func(context.Context, sdk.Batch) (sdk.Document, error) {
			fmt.Println("slow: begun")
			var line string
			_, err := fmt.Fscanln(gate(), &line)
			return text("slow, %s", line), err
		}),
		group("error", func(ctx context.Context, _ sdk.Batch) (sdk.Document, error) {
			return sdk.Document{}, errors.New("no luck: \xff")
		}),
		{Name: "default", Method: sdk.Send, Schedule: "@daily"},
	}}
}

// gate is a pipe that the test opens when a slow call may finish.
func gate() *os.File {
	const fd = 3 // the first of exec.Cmd's ExtraFiles
	return os.NewFile(fd, "gate")
}
