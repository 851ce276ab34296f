package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
	"github.com/restante/restante/host/formatter/purity"
)

// grouped is the check of one group.
type grouped struct {
	*checker
	name    host.GroupName
	samples []json.RawMessage
	made    bool // the samples are made up

	wrote bool   // a document of some messages was seen
	hangs string // the check in which it did not answer
}

// group checks one group.
func (c *checker) group(ctx context.Context, g process.Group) {
	if !g.Formats {
		c.check(g.Name, "formats", func(l *Check) {
			l.is(Skipped, "the plugin leaves this group to the daemon's default format", "")
		})
		return
	}
	r := &grouped{checker: c, name: g.Name, samples: c.config.Samples[g.Name]}
	large := func() []json.RawMessage { return filled(r.samples, largeMessages, c.config.LargeBytes) }
	if r.made = len(r.samples) == 0; r.made {
		r.samples = generated(12, 0)
		large = func() []json.RawMessage {
			return filled(generated(largeBytes/(4<<10), 4<<10-244), largeMessages, c.config.LargeBytes)
		}
	}
	r.batch(ctx, "empty batch", nil)
	r.batch(ctx, "one message", r.samples[:1])
	r.batch(ctx, "1,000 messages", filled(r.samples, manyMessages, largeBytes))
	r.batch(ctx, largeBatch, large())
	r.memory()
	r.unicode(ctx)
	r.repeated(ctx)
	if r.made {
		c.check(g.Name, "samples", func(l *Check) {
			l.Seen = "made-up JSON objects were used"
			l.Do = fmt.Sprintf("check it with messages as the producer sends them: --samples %s=FILE.ndjson", g.Name)
			if !r.wrote {
				l.Status = Warning
				l.Seen += ", and the plugin accepted none: only the document of an empty batch was looked at"
			}
		})
	}
	if g.FormatsHTTPRequest {
		r.request(ctx)
	}
}

// batch checks that a batch gives a valid document or rejections.
func (r *grouped) batch(ctx context.Context, name string, data []json.RawMessage) {
	r.check(r.name, name, func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		o, _, rejected := r.first.writeAccepted(ctx, batch(r.name, data))
		if name == largeBatch && errors.Is(o.Err, process.ErrBadReply) {
			r.half(ctx, l, o.Err, data)
			return
		}
		r.judge(ctx, l, o, len(data), rejected)
		bytes := 0
		for _, d := range data {
			bytes += len(d)
		}
		if name == largeBatch && o.Err == nil {
			l.Seen = fmt.Sprintf("%s of %s: %s", count(len(data), "message"), size(bytes), l.Seen)
		}
	})
}

const largeBatch = "large batch"

// half tries the half of a large batch whose document was no good: a format
// that grows much may go beyond what an answer can carry, which is no fault.
func (r *grouped) half(ctx context.Context, l *Check, fault error, data []json.RawMessage) {
	data = data[:len(data)/2]
	o, _, rejected := r.first.writeAccepted(ctx, batch(r.name, data))
	if o.Err != nil {
		r.failed(ctx, l, &r.first, fault)
		return
	}
	r.judge(ctx, l, o, len(data), rejected)
	l.warn("for half of the batch; for all of it: "+fault.Error(), "a poller of this group has to ask for fewer messages when they are large")
}

func (r *grouped) unicode(ctx context.Context) {
	data := odd(r.samples)
	r.check(r.name, "unicode", func(l *Check) {
		if r.skip(ctx, l) {
			return
		}
		if len(data) == 0 {
			l.is(Skipped, "no sample has a text in it", "")
			return
		}
		o, _, rejected := r.first.writeAccepted(ctx, batch(r.name, data))
		r.judge(ctx, l, o, len(data), rejected)
	})
}

// skip passes a check over if the plugin hangs in this group, which would cost
// a time limit for each check, or if there is no process.
func (r *grouped) skip(ctx context.Context, l *Check) bool {
	if r.hangs != "" {
		l.is(Skipped, fmt.Sprintf("it did not answer in %q", r.hangs), "")
		return true
	}
	for _, s := range []**subject{&r.first, &r.second} {
		if err := r.revive(ctx, s, false); err != nil {
			l.is(Failed, "it could not be started again: "+err.Error(), "")
			return true
		}
	}
	return false
}

// judge fills in what came of a batch of n messages.
func (r *grouped) judge(ctx context.Context, l *Check, o purity.Answer, n int, rejected []host.Rejection) {
	if o.Err != nil {
		r.failed(ctx, l, &r.first, o.Err)
		return
	}
	switch {
	case len(rejected) == n && n > 0:
		l.Seen = fmt.Sprintf("rejected all of %s, %s", count(n, "message"), milliseconds(o.Took))
		if !r.made {
			l.warn("no sample could be formatted", "")
		}
	case len(o.Rejections) > 0:
		l.Seen = fmt.Sprintf("rejected %s of %s, a few at a time", thousands(len(rejected)), count(n, "message"))
		l.warn(fmt.Sprintf("given up after %d rounds", maxRounds), "look at the whole batch and reject everything that is wrong in one go")
	default:
		r.wrote = r.wrote || n > 0
		l.Seen = fmt.Sprintf("%s, %s", about(o.Document), milliseconds(o.Took))
		if len(rejected) > 0 {
			l.Seen += fmt.Sprintf("; rejected %s of %s", thousands(len(rejected)), count(n, "message"))
		}
	}
	l.Details = reasons(rejected)
	if o.Document.Filename == "" && len(o.Rejections) == 0 {
		l.Seen += "; no file name"
	}
}

// failed fills in an error of a call to a process, and ends one that hangs.
func (r *grouped) failed(ctx context.Context, l *Check, s **subject, err error) {
	l.is(Failed, err.Error(), advice(err))
	l.Details = (*s).excerpt(err)
	if errors.Is(err, process.ErrTimeout) {
		r.hangs = l.Name
		_ = r.revive(ctx, s, true) // the next group says so if it fails
	}
}

// about describes a document.
func about(d host.Document) string {
	text := size(len(d.Body)) + ", " + d.ContentType
	if d.Filename != "" {
		text += ", " + d.Filename
	}
	return text
}

// reasons lists rejections, one for each reason.
func reasons(rejected []host.Rejection) []string {
	var lines []string
	seen := make(map[string]bool)
	for _, r := range rejected {
		if !seen[r.Reason] {
			seen[r.Reason] = true
			lines = append(lines, fmt.Sprintf("message %d rejected: %s", r.ID, r.Reason))
		}
	}
	return quoted(lines)
}
