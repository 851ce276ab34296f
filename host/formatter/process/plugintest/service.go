//go:build unix

package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// Do is the data of a message that tells the plugin what to do instead of
// formatting.
type Do struct {
	Do   string `json:"do"`
	Text string `json:"text,omitempty"`
	N    int    `json:"n,omitempty"`
}

// stdout and stderr are the process's own, before go-plugin puts its pipes in
// their place.
var stdout, stderr = os.Stdout, os.Stderr

type service struct {
	formatterv1.UnimplementedFormatterServer
	spec Spec
	hostile

	mu                sync.Mutex
	discoveries, asks int // calls so far
}

func newService(s Spec) *service { return &service{spec: s, hostile: newHostile(s.Mode)} }

// count adds a call to a counter and returns its number.
func (s *service) count(calls *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	*calls++
	return *calls
}

func ignoreTerm() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT) }

// Discover answers with the groups of the spec. A group "send:NAME" is a send
// group, and "weird:WHAT" is an answer that breaks the contract.
func (s *service) Discover(context.Context, *formatterv1.DiscoverRequest) (*formatterv1.DiscoverResponse, error) {
	r := &formatterv1.DiscoverResponse{Name: s.spec.Name, Version: s.spec.Version}
	if s.spec.Settings {
		r.Settings = []*formatterv1.Setting{{Name: "mode", Type: formatterv1.SettingType_SETTING_TYPE_STRING}}
	}
	for _, name := range s.spec.Groups {
		g := &formatterv1.Group{Name: name, Method: formatterv1.Method_METHOD_POLL, Title: "Title of " + name, Formats: true}
		switch kind, rest, _ := strings.Cut(name, ":"); kind {
		case "send":
			g.Name, g.Method, g.Schedule = rest, formatterv1.Method_METHOD_SEND, "@daily"
		case "request": // says how it is sent
			g.Name, g.Method, g.FormatsHttpRequest = rest, formatterv1.Method_METHOD_SEND, true
		case "weird":
			switch rest {
			case "many":
				for i := range 1001 {
					r.Groups = append(r.Groups, &formatterv1.Group{Name: fmt.Sprint("g", i), Method: formatterv1.Method_METHOD_POLL})
				}
			case "method":
				g.Name, g.Method = "g", formatterv1.Method_METHOD_UNSPECIFIED
			case "name":
				g.Name = "../etc"
			case "twice":
				g.Name = "g"
				r.Groups = append(r.Groups, g)
			case "long":
				g.Name, g.Title, g.Description = "g", strings.Repeat("ü\n", 1000), strings.Repeat("ü\n\x1b", 10000)
			case "hang":
				time.Sleep(time.Hour)
			case "error":
				return nil, errors.New("no discovery today")
			}
		}
		r.Groups = append(r.Groups, g)
	}
	n := s.count(&s.discoveries)
	if n == 1 && s.first != nil {
		s.first()
	}
	if s.discover != nil {
		return r, s.discover(n, r)
	}
	return r, nil
}

// WriteMessages writes "GROUP/TOKEN/VERSION" and a line for each message.
func (s *service) WriteMessages(ctx context.Context, q *formatterv1.WriteMessagesRequest) (*formatterv1.WriteMessagesResponse, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "%s/%s/%s\n", q.GetGroup(), q.GetToken(), s.spec.Version)
	d := &formatterv1.Document{ContentType: "text/plain", Filename: q.GetGroup() + ".txt"}
	for _, m := range q.GetMessages() {
		var do Do
		if json.Unmarshal(m.GetData(), &do) == nil && do.Do != "" {
			if do.Do == "error-in-2" {
				if s.spec.Version == "2" {
					return nil, errors.New(do.Text)
				}
				continue
			}
			if r, err, done := act(ctx, do, m, d, &body); done {
				return r, err
			}
			continue
		}
		fmt.Fprintf(&body, "%d %s %s\n", m.GetId(), m.GetTime().AsTime().Format(time.RFC3339), m.GetData())
	}
	if d.Body == nil {
		d.Body = body.Bytes()
	}
	r := &formatterv1.WriteMessagesResponse{Document: d}
	if s.write != nil {
		return r, s.write(s.count(&s.asks), r)
	}
	return r, nil
}

func act(ctx context.Context, do Do, m *formatterv1.Message, d *formatterv1.Document, body *bytes.Buffer) (*formatterv1.WriteMessagesResponse, error, bool) {
	switch do.Do {
	case "panic":
		panic(do.Text)
	case "exit":
		exit(do.N)
	case "error":
		return nil, errors.New(do.Text), true
	case "none":
		return &formatterv1.WriteMessagesResponse{}, nil, true
	case "reject":
		id := m.GetId() + uint64(do.N)
		return &formatterv1.WriteMessagesResponse{Rejections: []*formatterv1.Rejection{{Id: id, Reason: do.Text}, {Id: id}}}, nil, true
	case "spin":
		for {
			if do.N++; do.N < 0 {
				break
			}
		}
	case "wait":
		time.Sleep(time.Duration(do.N) * time.Millisecond)
	case "hold": // until the file TEXT is gone
		for {
			if _, err := os.Stat(do.Text); err != nil {
				return nil, nil, false
			}
			time.Sleep(10 * time.Millisecond)
		}
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		forever()
	case "hangup": // close every connection and live on
		hangUp()
		time.Sleep(time.Hour)
	case "large":
		d.Body = make([]byte, do.N)
	case "type":
		d.ContentType = do.Text
	case "environment":
		for _, v := range os.Environ() {
			fmt.Fprintln(body, v)
		}
	case "stderr":
		for range max(do.N, 1) {
			fmt.Fprintln(stderr, do.Text)
		}
	case "stdout":
		for range max(do.N, 1) {
			fmt.Fprintln(stdout, do.Text)
		}
	case "print": // by way of go-plugin's stream
		for range max(do.N, 1) {
			fmt.Println(do.Text)
		}
	}
	return nil, nil, false
}

// FormatHTTPRequest puts the batch to a path of the group, with the version and the
// size of the document in headers, unless a message tells it what to do instead.
func (s *service) FormatHTTPRequest(ctx context.Context, q *formatterv1.FormatHTTPRequestRequest) (*formatterv1.FormatHTTPRequestResponse, error) {
	r := &formatterv1.FormatHTTPRequestResponse{
		Method: "PUT", Url: fmt.Sprintf("/%s?count=%d", q.GetGroup(), len(q.GetMessages())),
		Headers: []*formatterv1.Header{
			{Name: "X-Version", Value: s.spec.Version},
			{Name: "X-Size", Value: fmt.Sprint(len(q.GetDocument().GetBody()))},
		},
	}
	for _, m := range q.GetMessages() {
		var do Do
		if json.Unmarshal(m.GetData(), &do) != nil {
			continue
		}
		switch do.Do {
		case "request-url":
			r.Url = do.Text
		case "request-time":
			r.Headers[0].Value = time.Now().String()
		case "request-error":
			return nil, errors.New(do.Text)
		case "request-large":
			r.Headers[0].Value = strings.Repeat("x", do.N)
		case "request-wait":
			time.Sleep(time.Duration(do.N) * time.Millisecond)
		}
	}
	return r, ctx.Err()
}

// hangUp closes all sockets of the process.
func hangUp() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + entry.Name()); strings.HasPrefix(target, "socket:") {
			var fd int
			_, _ = fmt.Sscan(entry.Name(), &fd)
			_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
		}
	}
}

// Configure does what the setting "mode" says.
func (s *service) Configure(_ context.Context, r *formatterv1.ConfigureRequest) (*formatterv1.ConfigureResponse, error) {
	fmt.Fprintln(stderr, "configured with "+string(r.GetSettings()))
	if strings.Contains(string(r.GetSettings()), "exit") {
		exit(9)
	}
	return &formatterv1.ConfigureResponse{}, nil
}
