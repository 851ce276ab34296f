//go:build unix

package process_test

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/process/plugintest"
)

func TestFilesThatAreNoPlugins(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("needs /proc")
	}
	foreign := append([]byte(nil), program...)
	machine, other := uint16(183), "arm64"
	if runtime.GOARCH == other {
		machine, other = 62, "amd64"
	}
	binary.LittleEndian.PutUint16(foreign[18:], machine)

	for _, c := range []struct {
		name      string
		content   []byte
		want      string
		permanent bool
	}{
		{"text", []byte("id,name\n1,Ann\n"), "it is a text file that begins with \"id,name 1,Ann\"", true},
		{"empty", nil, "the file is empty", true},
		{"no interpreter", []byte("#!/usr/bin/does-not-exist -x\n"), `its interpreter "/usr/bin/does-not-exist" is not installed`, false},
		{"no program for env", []byte("#!/usr/bin/env does-not-exist\n"), `its interpreter "does-not-exist" is not installed in /usr/bin or /bin`, false},
		{"carriage return", []byte("#!/bin/sh\r\necho\r\n"), "carriage return", false},
		{"script", []byte("#!/bin/sh\necho hello world\nexit 4\n"), "it exited with status 4 before it announced itself; it printed: hello world", false},
		{"other machine", foreign, "it is a program for linux/" + other + ", and this computer is linux/" + runtime.GOARCH, true},
		{"only a header", foreign[:64], "linux/" + other, true},
		{"cut short", program[:len(program)/2], "the file is cut short", true},
		{"cut very short", program[:100], "the file is cut short or damaged", true},
		{"windows", []byte("MZ" + strings.Repeat("\x00\xff", 200)), "it is a program for windows", true},
		{"mac", []byte("\xcf\xfa\xed\xfe" + strings.Repeat("\x00\xff", 200)), "it is a program for darwin", true},
		{"noise", []byte(strings.Repeat("\xff\xfe\x00", 200)), "it is not a program", true},
		{"a program", must(os.ReadFile("/bin/true")), "it exited with status 0 before it announced itself; it printed nothing", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.config.Path = plugintest.WriteFile(t, b.folder, "student", c.content)
			fault := b.refused()
			if !strings.Contains(fault.Reason, c.want) || fault.Permanent != c.permanent {
				t.Errorf("Start() = %q (permanent %v), want %q (%v)", fault.Reason, fault.Permanent, c.want, c.permanent)
			}
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestPluginsThatDoNotComeUp(t *testing.T) {
	for _, c := range []struct {
		start, want string
		permanent   bool
	}{
		{"exit:3", "it exited with status 3 before it announced itself; it printed: config file missing", false},
		{"hang", "it did not announce itself within 1.5s; it printed: thinking", false},
		{"mute", "it announced itself but could not be called within 1.5s", false},
		{"panic", "it crashed before it was ready: panic: no way to start", false},
		{"signal:9", "it was ended by a signal (killed, perhaps for want of memory) before it was ready", false},
		{"signal:11", "it crashed before it was ready: SIGSEGV: segmentation violation", false},
		{"close-stdout", "it closed its standard output before it announced itself", false},
		{"flood-stdout", "printed more than 1 MiB", true},
		{"netrpc", `it speaks "netrpc"`, true},
		{"say:1|99|unix|DIR/s|grpc|", "it speaks protocol version 99, this daemon speaks 1", true},
		{"say:1|99999999999999999999|unix|DIR/s|grpc|", "did not announce itself", false},
		{"say:2|1|unix|DIR/s|grpc|", "version 2 of go-plugin's handshake, this daemon speaks 1", true},
		{"say:1|1|unix|DIR/s", "netrpc", true},
	} {
		t.Run(c.start, func(t *testing.T) {
			b := newBench(t)
			b.install(c.start)
			switch c.start {
			case "hang", "mute", "say:1|99999999999999999999|unix|DIR/s|grpc|":
				b.config.StartTimeout = 1500 * time.Millisecond
			}
			fault := b.refused()
			if !strings.Contains(fault.Reason, c.want) || fault.Permanent != c.permanent {
				t.Errorf("Start() = %q (permanent %v), want %q (%v)", fault.Reason, fault.Permanent, c.want, c.permanent)
			}
		})
	}
}

func TestStartIsGivenUp(t *testing.T) {
	b := newBench(t)
	b.install("hang")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := process.Start(ctx, b.config); err != context.DeadlineExceeded {
		t.Errorf("Start() = %v, want the error of the context", err)
	}
}
