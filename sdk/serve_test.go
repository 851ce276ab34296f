package sdk_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
	"github.com/restante/restante/proto/handshake"
)

// start runs the test binary as a plugin under go-plugin's own client.
func start(t *testing.T) *handshake.Client {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleKey + "=plugin"}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Host(),
		Cmd:              cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(handshake.MaxMessageBytes), grpc.MaxCallSendMsgSize(handshake.MaxMessageBytes))},
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("start the plugin: %v", err)
	}
	service, err := protocol.Dispense(handshake.Service)
	if err != nil {
		t.Fatalf("dispense: %v", err)
	}
	return service.(*handshake.Client)
}

func TestServe(t *testing.T) {
	c := start(t)

	t.Run("discover", func(t *testing.T) {
		d, err := c.Discover(t.Context(), &formatterv1.DiscoverRequest{HostVersion: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if d.GetName() != "test-plugin" || d.GetVersion() != "1.2.3" {
			t.Errorf("Discover = %v", d)
		}
		first, last := d.GetGroups()[0], d.GetGroups()[len(d.GetGroups())-1]
		if first.GetMethod() != formatterv1.Method_METHOD_POLL || !first.GetFormats() || first.GetTitle() != "Group size" {
			t.Errorf("the first group = %v", first)
		}
		if last.GetMethod() != formatterv1.Method_METHOD_SEND || last.GetFormats() || last.GetSchedule() != "@daily" {
			t.Errorf("the last group = %v", last)
		}
		build := d.GetBuild()
		if !strings.HasPrefix(build.GetLanguage(), "go1.") || !strings.HasPrefix(build.GetSdk(), "github.com/restante/restante") {
			t.Errorf("build = %v", build)
		}
	})

	t.Run("20 MiB both ways", func(t *testing.T) {
		data := bytes.Repeat([]byte(" "), 20<<20)
		resp, err := write(t, c, "echo", &formatterv1.Message{Id: 1, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(resp.GetDocument().GetBody(), data) {
			t.Errorf("%d bytes came back, want the %d that went", len(resp.GetDocument().GetBody()), len(data))
		}
	})

	t.Run("panic", func(t *testing.T) {
		_, err := write(t, c, "panic", &formatterv1.Message{Id: 1})
		text := status.Convert(err).Message()
		if status.Code(err) != codes.Internal || !strings.Contains(text, "index out of range [1]") {
			t.Errorf("a panic gave %v", err)
		}
		if !strings.Contains(text, "main_test.go:") || strings.Contains(text, "debug.Stack") {
			t.Errorf("the stack is not that of the formatter:\n%s", text)
		}
		if _, err := write(t, c, "size"); err != nil {
			t.Errorf("WriteMessages after a panic: %v", err)
		}
	})

	t.Run("print", func(t *testing.T) {
		for range 5 {
			if _, err := write(t, c, "print"); err != nil {
				t.Fatalf("a formatter that prints: %v", err)
			}
		}
	})

	t.Run("error", func(t *testing.T) {
		_, err := write(t, c, "error")
		if status.Code(err) != codes.Unknown || status.Convert(err).Message() != "no luck: \uFFFD" {
			t.Errorf("an error gave %v", err)
		}
	})

	t.Run("unknown group", func(t *testing.T) {
		if _, err := write(t, c, "nobody"); status.Code(err) != codes.NotFound {
			t.Errorf("an unknown group gave %v", err)
		}
	})

	t.Run("default format", func(t *testing.T) {
		if _, err := write(t, c, "default"); status.Code(err) != codes.Unimplemented {
			t.Errorf("a group without a formatter gave %v", err)
		}
	})
}

func write(t *testing.T, c *handshake.Client, group string, messages ...*formatterv1.Message) (*formatterv1.WriteMessagesResponse, error) {
	t.Helper()
	return c.WriteMessages(t.Context(), &formatterv1.WriteMessagesRequest{Group: group, Messages: messages})
}

func TestServeByHand(t *testing.T) {
	tests := map[string]struct {
		role string
		want []string
	}{
		"a good plugin": {"plugin", []string{
			"test-plugin 1.2.3 is a formatter plugin for Restante.",
			"  size     poll  Group size\n", "  default  send\n", "plugin folder", "cp " + os.Args[0],
		}},
		"a faulty plugin": {"faulty", []string{
			"faulty: the sdk.Plugin given to sdk.Serve is not valid:", "Version: it is empty",
			`Groups[0] ("a/b"): Name: the character '/' is not allowed`, "Method: it must be sdk.Poll or sdk.Send",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = []string{roleKey + "=" + test.role}
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
				t.Errorf("it ended with %v, want status 1", err)
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output has %q", stdout.String())
			}
			for _, want := range test.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("standard error does not have %q:\n%s", want, stderr.String())
				}
			}
		})
	}
}
