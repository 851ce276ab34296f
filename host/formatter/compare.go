package formatter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/restante/restante/host"
	"github.com/restante/restante/host/formatter/process"
)

const (
	// comparedMessages is how many stored messages of each group two versions
	// of a plugin are compared on: the newest ones.
	comparedMessages = 64
	// comparedBatch is how many of them are in one batch.
	comparedBatch = host.DefaultFetch
	// maxDifferences is how many differences of a group are kept.
	maxDifferences = 5
	// compareLimit bounds a whole comparison.
	compareLimit = 20 * time.Second
)

// compare has two versions format the same stored messages. The older one does
// so in a process of its own, as a message that hangs or kills it must not harm
// the one that serves. It fails only if ctx is over or nothing can be compared.
func (p *Plugins) compare(ctx context.Context, file string, serving, to *running) (host.Comparison, error) {
	c := host.Comparison{
		From: serving.description.Version, FromDigest: serving.version.digest,
		To: to.description.Version, ToDigest: to.version.digest,
	}
	same := func(process.Description) (string, error) { return serving.settings, nil }
	from, err := p.launch(ctx, file, serving.version, same)
	if err != nil {
		return c, fmt.Errorf("start the version before once more, to compare with it: %w", err)
	}
	defer p.retiring.Go(func() { p.end(ctx, file, from) })
	p.mu.RLock()
	refused := maps.Clone(serving.refused)
	p.mu.RUnlock()
	// If the process that serves ends, to bring it back comes first.
	ctx, done := until(ctx, serving.process.Done(), errServingEnded)
	defer done()
	within, cancel := context.WithTimeout(ctx, compareLimit)
	defer cancel()
	for _, declared := range serving.description.Groups {
		if _, foreign := refused[declared.Name]; foreign || !declared.Formats {
			continue
		}
		g := host.GroupComparison{Group: declared.Name}
		switch next, ok := to.group(declared.Name); {
		case !ok:
			g.Broken = fmt.Sprintf("it does not declare the group %q any more", declared.Name)
		case !next.Formats:
			g.Broken = fmt.Sprintf("it does not format the group %q any more", declared.Name)
		default:
			messages, err := p.config.Recent(within, declared.Name, comparedMessages)
			if err != nil {
				return c, fmt.Errorf("read messages of %q to compare with: %w", declared.Name, err)
			}
			if !compareGroup(within, &g, from.process, to.process, messages) {
				c.Incomplete = true
			}
		}
		c.Groups = append(c.Groups, g)
	}
	return c, context.Cause(ctx)
}

// errServingEnded: a comparison was given up.
var errServingEnded = errors.New("the process that serves ended during the comparison")

// end ends a process that only served a comparison.
func (p *Plugins) end(ctx context.Context, file string, r *running) {
	if err := r.process.Stop(context.WithoutCancel(ctx)); err != nil {
		p.log.Error("plugin process left", "file", file, "error", err)
		return
	}
	r.world.wait()
}

// compareGroup compares batch by batch, and a batch that differs message by
// message. The empty batch is compared as well. It tells whether it came to the
// end.
func compareGroup(ctx context.Context, g *host.GroupComparison, from, to *process.Process, messages []host.Message) bool {
	over := func() bool {
		select {
		case <-from.Done():
			return true
		case <-ctx.Done():
			return true
		default:
			return false
		}
	}
	batches := append([][]host.Message{nil}, slices.Collect(slices.Chunk(messages, comparedBatch))...)
	for _, batch := range batches {
		before, after := ask(ctx, from, g.Group, batch), ask(ctx, to, g.Group, batch)
		if over() {
			return false
		}
		g.Messages += len(batch)
		if before.equal(after) {
			continue
		}
		changed := g.Changed
		for _, m := range batch {
			one := []host.Message{m}
			before, after := ask(ctx, from, g.Group, one), ask(ctx, to, g.Group, one)
			if over() {
				return false
			}
			if note(g, before, after, m.ID); g.Broken != "" {
				return true
			}
		}
		if g.Changed == changed {
			if note(g, before, after, 0); g.Broken != "" {
				return true
			}
		}
	}
	return true
}

// written is what one version made of one batch.
type written struct {
	document   host.Document
	rejections []host.Rejection
	err        error
}

func ask(ctx context.Context, p *process.Process, g host.GroupName, messages []host.Message) (w written) {
	b := host.Batch{Group: g, Token: host.PreviewToken, Messages: messages}
	w.document, w.rejections, w.err = p.WriteMessages(ctx, b)
	return w
}

func (w written) ok() bool { return w.err == nil && len(w.rejections) == 0 }

// equal tells whether nobody would notice: the same document, or none from
// either.
func (w written) equal(other written) bool {
	if !w.ok() || !other.ok() {
		return !w.ok() && !other.ok()
	}
	return w.document.Equal(other.document)
}

// note adds what differs, if anything does. That the newer version formats what
// the older one could not is no difference: nothing of it ever left.
func note(g *host.GroupComparison, before, after written, id host.ID) {
	if before.equal(after) || !before.ok() {
		return
	}
	if !after.ok() {
		g.Broken = fmt.Sprintf("it can't format %s of %q, which the version before could: %s", named(id), g.Group, after.why())
		return
	}
	if id != 0 {
		g.Changed++
	}
	if len(g.Differences) < maxDifferences {
		g.Differences = append(g.Differences, host.Difference{ID: id, Diff: Diff(before.document, after.document)})
	}
}

func named(id host.ID) string {
	if id == 0 {
		return "a batch"
	}
	return fmt.Sprintf("message %d", id)
}

func (w written) why() string {
	if len(w.rejections) > 0 {
		return w.rejections[0].Reason
	}
	if errors.Is(w.err, process.ErrTimeout) {
		return "it took too long"
	}
	return w.err.Error()
}
