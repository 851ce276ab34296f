package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var (
	screenshots = flag.String("screenshots", "", "a folder to write a picture of each page to, at two widths, light and dark")
	axeSource   = flag.String("axe", "../../../run/node_modules/axe-core/axe.min.js", "the file of axe-core, which \"make deps\" installs")
)

// browser is a real one, with a fresh profile.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
	axe  string
	// complaints must stay empty: what scripts of messages would do, and what the
	// console says.
	complaints *safeBuffer
}

// newBrowser starts Chromium.
func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	axe, err := os.ReadFile(*axeSource)
	if err != nil {
		t.Fatalf("axe-core is missing, run \"make deps\": %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, base: base, axe: string(axe), complaints: &safeBuffer{}}
	if err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *page.EventJavascriptDialogOpening:
			fmt.Fprintf(b.complaints, "a dialog opened: %s\n", e.Message)
		case *runtime.EventExceptionThrown:
			fmt.Fprintf(b.complaints, "exception: %s\n", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			fmt.Fprintf(b.complaints, "console: %s\n", e.Type)
		case *log.EventEntryAdded: // also what the security policy forbids
			if e.Entry.Source != log.EntrySourceNetwork { // a page that says what is wrong has its status
				fmt.Fprintf(b.complaints, "%s: %s\n", e.Entry.Source, e.Entry.Text)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

// do has the browser do something, within a time.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ask(b, chromedp.Steps(actions...))
}

// ask has the browser do something and returns the outcome.
func ask[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err == nil {
		return value
	}
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	b.t.Fatalf("%v; the page:\n%s", err, text)
	return value
}

// eval runs a script and returns what it gives.
func eval[T any](b *browser, script string) T {
	b.t.Helper()
	return ask(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// leave runs a script that has the browser leave the page, and waits for the next.
func (b *browser) leave(script string) {
	b.t.Helper()
	eval[bool](b, `document.body.dataset.left = "yes"; `+script+"; true")
	b.do(chromedp.WaitReady(chromedp.CSS("body:not([data-left]) footer")))
}

// open opens a page of ours.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS("footer")))
}

// press clicks the button or link that begins with a text, and waits for the next
// page.
func (b *browser) press(text string) {
	b.t.Helper()
	const find = `[...document.querySelectorAll("button, a, summary")].find((e) => e.checkVisibility() && e.textContent.trim().startsWith(%q))`
	button := fmt.Sprintf(find, text)
	if !eval[bool](b, "!!"+button) {
		b.t.Fatalf("there is nothing to press that says %q; the page:\n%s", text, b.text("body"))
	}
	b.leave(button + ".click()")
}

// submit sends a form, and follow clicks what a selector finds.
func (b *browser) submit(form string) {
	b.t.Helper()
	b.leave(fmt.Sprintf("document.querySelector(%q).requestSubmit()", form))
}

func (b *browser) follow(selector string) {
	b.t.Helper()
	b.leave(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// fill writes into a field.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SetValue(chromedp.CSS(selector), text))
}

// enter waits for the page that the next key leads to.
func (b *browser) enter() {
	b.t.Helper()
	eval[bool](b, `document.body.dataset.left = "yes"; true`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitReady(chromedp.CSS("body:not([data-left]) footer")))
}

// tab presses the tab key until something that begins with a text has the focus.
func (b *browser) tab(text string) {
	b.t.Helper()
	for range 60 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if eval[bool](b, fmt.Sprintf(`(document.activeElement.name || document.activeElement.textContent).trim().startsWith(%q)`, text)) {
			return
		}
	}
	b.t.Fatalf("the tab key does not lead to %q; the page:\n%s", text, b.text("body"))
}

// scripts has pages run scripts, or not.
func (b *browser) scripts(run bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return err
	}))
}

// quiet sees that nothing has complained.
func (b *browser) quiet() {
	b.t.Helper()
	if said := b.complaints.String(); said != "" {
		b.t.Errorf("the browser complains: %s", said)
	}
}

// text returns what a part of the page says.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

func (b *browser) says(text string) {
	b.t.Helper()
	if got := b.text("body"); !strings.Contains(got, text) {
		b.t.Errorf("the page does not say %q:\n%s", text, got)
	}
}

// look holds the page to the rules of axe-core, sees that it fits wide and narrow
// windows, light and dark, and takes its pictures.
func (b *browser) look(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			}})
			return err
		}))
		for _, width := range []int64{1280, 360} {
			b.do(chromedp.EmulateViewport(width, 900))
			where := fmt.Sprintf("%s, %s, %d px", name, scheme, width)
			if width > 360 {
				b.check(where, scheme == "light")
			}
			if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
				b.t.Errorf("%s: the page is wider than the window", where)
			}
			if *screenshots != "" {
				b.picture(fmt.Sprintf("%s-%s-%d.png", name, scheme, width))
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

// check runs axe-core: all of it, or what depends on colours alone.
func (b *browser) check(where string, all bool) {
	b.t.Helper()
	only := ""
	if !all {
		only = `, runOnly: ["color-contrast"]`
	}
	// The policy of the pages lets no script in; the browser's own console may.
	eval[bool](b, b.axe+"; true")
	violations := eval[[]string](b, `axe.run(document, {resultTypes: ["violations"]`+only+`}).then((r) => r.violations.map((v) =>
		v.id + ": " + v.help + v.nodes.slice(0, 4).map((n) => "\n    " + n.html.slice(0, 300) + "\n      " + n.failureSummary.replaceAll("\n", " ")).join("")))`)
	for _, v := range violations {
		b.t.Errorf("%s: %s", where, v)
	}
}

func (b *browser) picture(name string) {
	b.t.Helper()
	picture := ask(b, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
