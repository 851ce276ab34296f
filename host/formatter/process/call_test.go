//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

func TestDiscoverAndWriteMessages(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	d, err := p.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "student-records" || d.Version != "1.0.0" || len(d.Groups) != 1 {
		t.Errorf("Discover() = %+v", d)
	}
	want := process.Group{Name: "student", Method: host.Poll, Title: "Title of student", Formats: true}
	if d.Groups[0] != want {
		t.Errorf("group = %+v, want %+v", d.Groups[0], want)
	}
	doc, rejections, err := p.WriteMessages(t.Context(), batch(`{"a":1}`, `"two"`))
	if err != nil || rejections != nil {
		t.Fatal(rejections, err)
	}
	const text = "student/TOKEN/1.0.0\n1 2019-02-15T14:02:01Z {\"a\":1}\n2 2019-02-15T14:02:01Z \"two\"\n"
	if string(doc.Body) != text || doc.ContentType != "text/plain" || doc.Filename != "student.txt" {
		t.Errorf("WriteMessages() = %q", doc)
	}
}

func TestReplies(t *testing.T) {
	b := newBench(t)
	b.install("")
	b.config.MaxMessageBytes = 8 << 20
	p := b.start()
	for _, c := range []struct {
		name, do, want string
		is             error
	}{
		{"nothing", `{"do":"none"}`, "neither a document nor a rejected message", process.ErrBadReply},
		{"stranger", `{"do":"reject","n":7,"text":"x"}`, "rejected message 8, which is not in the batch", process.ErrBadReply},
		{"large", `{"do":"large","n":9000000}`, "it is larger than 8 MiB", process.ErrBadReply},
		{"type", `{"do":"type","text":"plain\r\nSet-Cookie: a"}`, "content type", process.ErrBadReply},
		{"error", `{"do":"error","text":"no\tstudent\n7"}`, "it failed: no student 7", nil},
		{"long error", `{"do":"error","text":"` + strings.Repeat("é ", 5000) + `"}`, "é…", nil},
		{"stack", `{"do":"error","text":"the formatter panicked: boom\n\nmain.f()\n\tx.go:1"}`, "it failed: the formatter panicked: boom", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := p.WriteMessages(t.Context(), batch(c.do))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("WriteMessages() = %v, want %q", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\t") {
				t.Errorf("%q is not one line of up to 500 bytes", err)
			}
		})
	}
	// All that left the plugin as it was.
	if _, _, err := p.WriteMessages(t.Context(), batch(`1`)); err != nil {
		t.Error(err)
	}
}

func TestRejections(t *testing.T) {
	b := newBench(t)
	b.install("")
	_, rejections, err := b.start().WriteMessages(t.Context(), batch(`{"do":"reject","text":"no\nname"}`))
	if err != nil || !slices.Equal(rejections, []host.Rejection{{ID: 1, Reason: "no name"}}) {
		t.Errorf("WriteMessages() = %v, %v", rejections, err)
	}
}

func TestRequestTooLarge(t *testing.T) {
	b := newBench(t)
	b.install("")
	b.config.MaxMessageBytes = 6 << 20
	p := b.start()
	// More than gRPC's own 4 MiB.
	if _, _, err := p.WriteMessages(t.Context(), batch(`"`+strings.Repeat("x", 5<<20)+`"`)); err != nil {
		t.Errorf("5 MiB: %v", err)
	}
	_, _, err := p.WriteMessages(t.Context(), batch(`"`+strings.Repeat("x", 7<<20)+`"`))
	if err == nil || !strings.Contains(err.Error(), "at most 6 MiB are allowed") {
		t.Errorf("7 MiB: %v", err)
	}
}

func TestCallTimeout(t *testing.T) {
	b := newBench(t)
	b.install("")
	b.config.CallTimeout = 300 * time.Millisecond
	p := b.start()
	if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"spin"}`)); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("WriteMessages() = %v, want ErrTimeout", err)
	}
	p.Kill("a call took too long")
	<-p.Done()
	if got := p.Exit().String(); got != "it was killed: a call took too long" {
		t.Errorf("Exit() = %q", got)
	}
	if _, _, err := p.WriteMessages(t.Context(), batch()); !errors.Is(err, process.ErrEnded) {
		t.Errorf("WriteMessages() after the end = %v, want ErrEnded", err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := p.WriteMessages(ctx, batch(`{"do":"wait","n":400}`)); err != context.DeadlineExceeded {
		t.Errorf("WriteMessages() = %v, want the caller's deadline", err)
	}
}

func TestCrashInACall(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	_, _, err := p.WriteMessages(t.Context(), batch(`{"do":"panic","text":"boom"}`))
	if !errors.Is(err, process.ErrEnded) {
		t.Errorf("WriteMessages() = %v, want ErrEnded", err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Done is not closed")
	}
	exit := p.Exit()
	if exit.Code != 2 || exit.String() != "it crashed: panic: boom" {
		t.Errorf("Exit() = %d %s", exit.Code, exit)
	}
	if !strings.Contains(exit.Panic, "plugintest.act") || len(exit.Stderr) == 0 {
		t.Errorf("Exit() has no stack: %q, %q", exit.Panic, exit.Stderr)
	}
	if !strings.Contains(b.log.String(), `"@message":"plugin panicked"`) {
		t.Error("the panic is not in the log")
	}
}

func TestExitStatusInACall(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"stderr","text":"out of ink"}`, `{"do":"exit","n":7}`)); !errors.Is(err, process.ErrEnded) {
		t.Errorf("WriteMessages() = %v, want ErrEnded", err)
	}
	if got, want := p.Exit().String(), "it exited with status 7; its last words: out of ink"; got != want {
		t.Errorf("Exit() = %q, want %q", got, want)
	}
}

func TestDescriptionsThatBreakTheContract(t *testing.T) {
	for _, c := range []struct{ group, want string }{
		{"weird:many", "declares 1002 groups"},
		{"weird:method", "neither poll nor send"},
		{"weird:name", `group "../etc"`},
		{"weird:twice", "twice"},
		{"weird:hang", "did not answer in time"},
		{"weird:error", "it failed: no discovery today"},
	} {
		t.Run(c.group, func(t *testing.T) {
			b := newBench(t)
			b.installSpec("p", c.group)
			b.config.DiscoverTimeout = 300 * time.Millisecond
			if c.group != "weird:hang" {
				b.config.DiscoverTimeout = 0
			}
			if _, err := b.start().Discover(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Discover() = %v, want %q", err, c.want)
			}
		})
	}
	t.Run("long", func(t *testing.T) {
		b := newBench(t)
		b.installSpec("p", "weird:long")
		d, err := b.start().Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if g := d.Groups[0]; len(g.Title) > 200 || len(g.Description) > 4000 || strings.Contains(g.Title, "\n") || strings.Contains(g.Description, "\x1b") {
			t.Errorf("Discover() = %d bytes of title, %d of description: %q", len(g.Title), len(g.Description), g.Title)
		}
	})
	for _, name := range []string{"", "-a", "a b", "a/", strings.Repeat("a", 65)} {
		t.Run(fmt.Sprintf("name %.10q", name), func(t *testing.T) {
			b := newBench(t)
			b.installSpec(name, "g")
			if _, err := b.start().Discover(t.Context()); !errors.Is(err, process.ErrBadReply) {
				t.Errorf("Discover() = %v, want ErrBadReply", err)
			}
		})
	}
}
