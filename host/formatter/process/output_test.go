//go:build unix

package process_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMalformedLogLinesDoNotPanicTheHost(t *testing.T) {
	b := newBench(t)
	b.install("")
	p := b.start()
	lines := []string{`{\"@message\":1}`, `{\"@level\":1}`, `{\"@message\":\"m\",\"@level\":\"info\",\"@timestamp\":7}`, `{\"@message\":null,\"@level\":[]}`, `{`, `null`}
	for _, line := range lines {
		if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"stderr","text":"`+line+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all lines are in the log", func() bool {
		return strings.Contains(b.log.String(), `"@message":"null"`) && strings.Contains(b.log.String(), `"@message":"m"`)
	})
}

func TestNoiseBeforeTheHandshake(t *testing.T) {
	b := newBench(t)
	b.install("noise")
	if _, _, err := b.start().WriteMessages(t.Context(), batch()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.log.String(), "Welcome to the plugin!") {
		t.Error("the noise is not in the log")
	}
}

func TestALongLineDoesNotStopThePlugin(t *testing.T) {
	for _, way := range []string{"stdout", "stderr", "print"} {
		t.Run(way, func(t *testing.T) {
			b := newBench(t)
			b.install("")
			p := b.start()
			for range 3 {
				if _, _, err := p.WriteMessages(t.Context(), batch(`{"do":"`+way+`","text":"`+strings.Repeat("x", 300_000)+`"}`)); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(b.log.String()); n > 2*300_000 {
				t.Errorf("the log has %d bytes", n)
			}
		})
	}
}

func TestAFloodNeitherBlocksThePluginNorFillsTheLog(t *testing.T) {
	for _, way := range []string{"stdout", "stderr", "print"} {
		t.Run(way, func(t *testing.T) {
			b := newBench(t)
			b.install("")
			p := b.start()
			const n = 50_000
			if _, _, err := p.WriteMessages(t.Context(), batch(fmt.Sprintf(`{"do":"%s","n":%d,"text":"all work and no play"}`, way, n))); err != nil {
				t.Fatal(err)
			}
			b.stopWithin(p, 3*time.Second)
			text := b.log.String()
			if lines := strings.Count(text, "\n"); lines > n/20 {
				t.Errorf("the log has %d lines", lines)
			}
			if !strings.Contains(text, "plugin logs too much, lines dropped") {
				t.Error("the log does not say that lines are missing")
			}
		})
	}
}
