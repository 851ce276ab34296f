package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/restante/restante/host"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"ago":       ago,
	"number":    number[uint64],
	"size":      size[int64],
	"bytes":     size[int],
	"seconds":   seconds,
	"path":      url.PathEscape,
	"short":     short,
	"chart":     chart,
	"plural":    plural,
	"diffLines": diffLines,
	"join":      func(names []host.GroupName) string { return joined(names) },
	"caller":    caller,
	"kindName":  kindName,
	"stateTone": stateTone,
	"sendTone":  sendTone,
	"tryTone":   attemptTone,
	"breaker":   breaker,
	"clock":     clock,
	"took":      took,
	"duration":  host.Duration,
	"where":     where,
	"stored":    size[uint64],
	"tell":      sentence,
	"text":      func(v any) string { return fmt.Sprint(v) },
}

// staticSums are the digests of the static files.
var staticSums = func() map[string]string {
	sums := map[string]string{}
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		sums[strings.TrimPrefix(name, "static/")] = hex.EncodeToString(sum[:8])
	}
	return sums
}()

// ago writes a time for people, relative to now, with the exact one on hover: in
// UTC, and in the reader's zone where scripts run.
func ago(t time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="muted">never</span>`
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.Format(time.RFC3339), t.Format("2006-01-02 15:04:05 UTC"), relative(time.Since(t))))
}

func relative(d time.Duration) string {
	format := "%s ago"
	if d < 0 {
		format, d = "in %s", -d
	}
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf(format, fmt.Sprintf("%d s", d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf(format, fmt.Sprintf("%d min", d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf(format, fmt.Sprintf("%d h", d/time.Hour))
	}
	return fmt.Sprintf(format, fmt.Sprintf("%d days", d/(24*time.Hour)))
}

// number writes a number with commas.
func number[N uint64 | int](n N) string {
	digits := strconv.FormatUint(uint64(n), 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// size writes a number of bytes.
func size[N int | int64 | uint64](n N) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// seconds writes a short time, given in seconds.
func seconds(s float64) string {
	switch {
	case s == 0:
		return "–"
	case s < 0.001:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f s", s)
}

// short cuts a text to about so many bytes of valid UTF-8.
func short(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + one + "s"
}

func joined(names []host.GroupName) string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return strings.Join(all, ", ")
}

// caller says who called, in short.
func caller(c host.Caller) string {
	switch {
	case c.Key != "" && c.Address != "":
		return "key " + c.Key + " from " + c.Address
	case c.Key != "":
		return "key " + c.Key
	case c.Address != "":
		return c.Address
	}
	return "–"
}

// kindName says in words what sort of thing is wrong.
func kindName(k host.ErrorKind) string {
	switch k {
	case host.ErrorBlocked:
		return "Queue blocked"
	case host.ErrorWaiting:
		return "Waiting too long"
	case host.ErrorSilent:
		return "Poller silent"
	case host.ErrorUnmarked:
		return "Never marked"
	case host.ErrorSend:
		return "Not sent"
	case host.ErrorPlugin:
		return "Plugin out of service"
	case host.ErrorDisk:
		return "Disk nearly full"
	case host.ErrorHeld:
		return "Messages held"
	case host.ErrorRejected:
		return "Rejected by receiver"
	case host.ErrorBatch:
		return "Batch too much"
	case host.ErrorRecord:
		return "Delivery not recorded"
	}
	return string(k)
}

// where is the page of the queue that a report is about.
func where(k host.ErrorKind, g host.GroupName) string {
	if k == host.ErrorSend {
		return queuePath(g) + "/sending"
	}
	return queuePath(g)
}

// sendTone is the colour of a state of sending.
func sendTone(s host.SendState) string {
	switch s {
	case host.SendIdle, host.SendSending:
		return "ok"
	case host.SendBlocked, host.SendGaveUp:
		return "bad"
	}
	return "warn"
}

// breaker says what a state of a circuit breaker means.
func breaker(state string) string {
	switch state {
	case "closed":
		return "closed: the receiver is called as usual"
	case "open":
		return "open: the receiver failed again and again, and is left alone"
	case "half-open":
		return "half-open: one request finds out whether the receiver is well again"
	}
	return state
}

// clock writes a time as clocks in a time zone show it.
func clock(t time.Time, zone string) string {
	in, err := time.LoadLocation(zone)
	if err != nil { // not on this machine
		return t.UTC().Format("Mon 2006-01-02 15:04 UTC")
	}
	return t.In(in).Format("Mon 2006-01-02 15:04")
}

// sentence makes one of words.
func sentence(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 || strings.HasSuffix(text, ".") {
		return text
	}
	return string(unicode.ToUpper(r)) + text[n:] + "."
}

// took writes how long something took.
func took(d time.Duration) string { return seconds(d.Seconds()) }

// stateTone is the colour of a plugin's state.
func stateTone(s host.PluginState) string {
	switch s {
	case host.PluginActive:
		return "ok"
	case host.PluginStarting:
		return "warn"
	}
	return "bad"
}
