//go:build unix

package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// hostile is what a Spec's Mode does. Each field may be nil.
type hostile struct {
	// first is called once, with the first call of Discover: the handshake is
	// over then, and the host listens.
	first func()
	// discover and write may spoil a proper answer; n counts the calls from 1.
	discover func(n int, r *formatterv1.DiscoverResponse) error
	write    func(n int, r *formatterv1.WriteMessagesResponse) error
	// server returns options that serve in an improper way.
	server func() []grpc.ServerOption
}

// newHostile knows every mode; some have an argument after a colon.
func newHostile(mode string) hostile {
	name, arg, _ := strings.Cut(mode, ":")
	number, _ := strconv.Atoi(arg)
	if h, ok := hostileAtDiscover(name, arg, number); ok {
		return h
	}
	if h, ok := hostileAtWrite(name, number); ok {
		return h
	}
	if h, ok := hostileInGRPC(name, number); ok {
		return h
	}
	if h, ok := hostileImpure(name); ok {
		return h
	}
	switch name {
	case "": // as good as can be
		return hostile{}
	case "flood-stderr":
		return hostile{first: func() { go flood(func() { fmt.Fprintln(stderr, "all work and no play") }) }}
	case "flood-stdout":
		return hostile{first: func() { go flood(func() { fmt.Fprintln(stdout, "all work and no play") }) }}
	case "flood-print": // by way of go-plugin's stream
		return hostile{first: func() { go flood(func() { fmt.Println("all work and no play") }) }}
	case "binary": // no line ever ends, and then lines of any bytes
		return hostile{first: func() {
			_, _ = stdout.Write([]byte(strings.Repeat("\x00\xff\xfe\x1b[2J", 100_000)))
			_, _ = stdout.Write([]byte(strings.Repeat("\n\x00\x01|\xff\n1|1|unix|/var/run/docker.sock|grpc|\n", 1000)))
		}}
	case "long-lines":
		return hostile{first: func() {
			for _, f := range []*os.File{stdout, stderr, os.Stdout, os.Stderr} {
				fmt.Fprintln(f, strings.Repeat("x", 300_000))
			}
		}}
	case "log-lines": // each of these has the form of hclog's, and is none
		return hostile{first: func() {
			for _, line := range []string{`{"@message":1}`, `{"@level":1}`, `{"@message":"m","@level":[]}`, `{"@message":null,"@level":"info"}`,
				`{"@message":"m","@level":"info","@timestamp":7,"@module":{}}`, `{"@level":"off","@message":"\u0000"}`, "{", "null", "[]", "{}"} {
				fmt.Fprintln(stderr, line)
				fmt.Fprintln(os.Stderr, line)
			}
		}}
	case "no-socket": // removes its socket, and the folder of it
		return hostile{first: func() { _ = os.RemoveAll(os.Getenv(plugin.EnvUnixSocketDir)) }}
	case "litter": // leaves files behind, in a folder that can't be entered
		return hostile{first: func() {
			folder := filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "litter")
			_ = os.Mkdir(folder, 0o700)
			_ = os.WriteFile(filepath.Join(folder, "file"), make([]byte, 1<<20), 0o400)
			_ = os.Chmod(folder, 0o500)
		}}
	}
	panic("unknown mode: " + mode)
}

// hostileAtDiscover has the modes that lie or die when asked what they are.
func hostileAtDiscover(name, arg string, number int) (hostile, bool) {
	var f func(n int, r *formatterv1.DiscoverResponse) error
	switch name {
	case "discover-exit":
		f = func(int, *formatterv1.DiscoverResponse) error { exit(number); return nil }
	case "discover-panic":
		f = func(int, *formatterv1.DiscoverResponse) error { panic("no idea who I am") }
	case "discover-hang":
		f = func(int, *formatterv1.DiscoverResponse) error { forever(); return nil }
	case "discover-none":
		f = func(_ int, r *formatterv1.DiscoverResponse) error { r.Groups = nil; return nil }
	case "discover-many":
		f = func(_ int, r *formatterv1.DiscoverResponse) error {
			for i := len(r.Groups); i < number; i++ {
				r.Groups = append(r.Groups, &formatterv1.Group{Name: fmt.Sprint("g", i), Method: formatterv1.Method_METHOD_POLL})
			}
			return nil
		}
	case "discover-large":
		return hostile{server: largeServer(&formatterv1.DiscoverResponse{}, number)}, true
	case "discover-changes": // other groups with every answer and every start; the file ARG counts these
		f = func(n int, r *formatterv1.DiscoverResponse) error {
			starts, _ := os.ReadFile(arg)
			if n == 1 {
				starts = append(starts, '.')
				_ = os.WriteFile(arg, starts, 0o600)
			}
			if n+len(starts) > 2 {
				r.Groups[0].Name = fmt.Sprintf("%s-%d", r.GetGroups()[0].GetName(), n+len(starts))
			}
			return nil
		}
	case "discover-bad-text":
		return hostile{server: rawServer, discover: func(_ int, r *formatterv1.DiscoverResponse) error {
			r.Groups[0].Title = "bad " + rawMark
			return nil
		}}, true
	}
	return hostile{discover: f}, f != nil
}

// hostileAtWrite has the modes that spoil the answer to WriteMessages.
func hostileAtWrite(name string, number int) (hostile, bool) {
	var f func(n int, r *formatterv1.WriteMessagesResponse) error
	switch name {
	case "hang":
		f = func(int, *formatterv1.WriteMessagesResponse) error { forever(); return nil }
	case "late":
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			time.Sleep(time.Duration(number) * time.Millisecond)
			return nil
		}
	case "spin":
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			for i := 1; i != 0; i |= 1 {
			}
			return nil
		}
	case "stop":
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			forever() // the signal may take a moment to stop this thread, too
			return nil
		}
	case "exit":
		f = func(int, *formatterv1.WriteMessagesResponse) error { exit(number); return nil }
	case "third": // dies over every third call
		f = func(n int, _ *formatterv1.WriteMessagesResponse) error {
			if n == 3 {
				panic("two are enough")
			}
			return nil
		}
	case "hang-up":
		f = func(int, *formatterv1.WriteMessagesResponse) error { hangUp(); forever(); return nil }
	case "leak": // keeps this many bytes of every call
		var kept [][]byte
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			more, err := syscall.Mmap(-1, 0, number, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				return err
			}
			for i := 0; i < len(more); i += 4096 {
				more[i] = 1
			}
			kept = append(kept, more)
			return nil
		}
	case "large":
		return hostile{server: largeServer(&formatterv1.WriteMessagesResponse{}, number)}, true
	case "long-error":
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			return errors.New(strings.Repeat("no ", number/3))
		}
	case "code": // this gRPC status, with a text that pretends to be gRPC's own
		f = func(int, *formatterv1.WriteMessagesResponse) error {
			return status.Error(codes.Code(number), "larger than max (1 vs. 1)")
		}
	case "neither":
		f = func(_ int, r *formatterv1.WriteMessagesResponse) error { r.Document = nil; return nil }
	case "reject": // a message by this number
		f = func(_ int, r *formatterv1.WriteMessagesResponse) error {
			r.Rejections = append(r.Rejections, &formatterv1.Rejection{Id: uint64(number), Reason: "I don't like it"})
			return nil
		}
	case "no-type":
		f = func(_ int, r *formatterv1.WriteMessagesResponse) error { r.Document.ContentType = ""; return nil }
	case "type-of-two-lines":
		f = func(_ int, r *formatterv1.WriteMessagesResponse) error {
			r.Document.ContentType = "text/plain\r\nSet-Cookie: a=b"
			return nil
		}
	case "file-with-slash":
		f = func(_ int, r *formatterv1.WriteMessagesResponse) error {
			r.Document.Filename = "../../etc/passwd"
			return nil
		}
	}
	return hostile{write: f}, f != nil
}

// hostileInGRPC has the modes that break the rules below the contract.
func hostileInGRPC(name string, number int) (hostile, bool) {
	spoil := func(f func(r *formatterv1.WriteMessagesResponse)) (hostile, bool) {
		return hostile{server: rawServer, write: func(_ int, r *formatterv1.WriteMessagesResponse) error { f(r); return nil }}, true
	}
	switch name {
	case "bad-text-type":
		return spoil(func(r *formatterv1.WriteMessagesResponse) { r.Document.ContentType = "text/" + rawMark })
	case "bad-text-file":
		return spoil(func(r *formatterv1.WriteMessagesResponse) { r.Document.Filename = rawMark })
	case "bad-text-reason":
		return spoil(func(r *formatterv1.WriteMessagesResponse) {
			r.Rejections = []*formatterv1.Rejection{{Id: 1, Reason: rawMark}}
		})
	case "bad-text-error":
		return hostile{write: func(int, *formatterv1.WriteMessagesResponse) error {
			return status.Error(codes.Internal, "\xff\xfe\x00bad\x1b[2J\r\nday")
		}}, true
	case "garbage": // no protobuf at all
		return hostile{server: func() []grpc.ServerOption {
			return []grpc.ServerOption{grpc.ForceServerCodec(rawCodec{garbage: true})}
		}}, true
	case "not-serving":
		return hostile{server: func() []grpc.ServerOption {
			return []grpc.ServerOption{grpc.ChainUnaryInterceptor(func(ctx context.Context, q any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
				if info.FullMethod == grpc_health_v1.Health_Check_FullMethodName {
					return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}, nil
				}
				return call(ctx, q)
			})}
		}}, true
	case "goes-away": // hangs up as politely as HTTP/2 allows, after so many milliseconds
		return hostile{server: func() []grpc.ServerOption {
			age := time.Duration(number) * time.Millisecond
			return []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: age, MaxConnectionAgeGrace: age})}
		}}, true
	}
	return hostile{}, false
}

// flood does one thing as fast as it can.
func flood(f func()) {
	for {
		f()
	}
}
