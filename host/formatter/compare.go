package formatter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	// compareLimit bounds a whole comparison. What was not compared by then
	// counts as equal, and is not counted among the messages.
	compareLimit = time.Minute
)

// compare has two versions format the same stored messages: "shadowing" in
// words of deployment. It fails only if ctx is over or the messages can't be
// read.
func (p *Plugins) compare(ctx context.Context, from, to *running) (host.Comparison, error) {
	c := host.Comparison{
		From: from.description.Version, FromDigest: from.version.digest,
		To: to.description.Version, ToDigest: to.version.digest,
	}
	deadline := time.Now().Add(compareLimit)
	for _, declared := range from.description.Groups {
		if _, refused := from.refused[declared.Name]; refused || !declared.Formats {
			continue
		}
		g := host.GroupComparison{Group: declared.Name}
		switch next, ok := to.group(declared.Name); {
		case !ok:
			g.Broken = fmt.Sprintf("it does not declare the group %q any more", declared.Name)
		case !next.Formats:
			g.Broken = fmt.Sprintf("it does not format the group %q any more", declared.Name)
		default:
			messages, err := p.config.Recent(ctx, declared.Name, comparedMessages)
			if err != nil {
				return c, fmt.Errorf("read messages of %q to compare with: %w", declared.Name, err)
			}
			compareGroup(ctx, &g, from.process, to.process, messages, deadline)
		}
		c.Groups = append(c.Groups, g)
	}
	return c, ctx.Err()
}

// compareGroup compares batch by batch, and a batch that differs message by
// message. The empty batch is compared as well.
func compareGroup(ctx context.Context, g *host.GroupComparison, from, to *process.Process, messages []host.Message, deadline time.Time) {
	batches := append([][]host.Message{nil}, slices.Collect(slices.Chunk(messages, comparedBatch))...)
	for _, batch := range batches {
		if ctx.Err() != nil || time.Now().After(deadline) || g.Broken != "" {
			return
		}
		before, after := ask(ctx, from, g.Group, batch), ask(ctx, to, g.Group, batch)
		g.Messages += len(batch)
		if before.equal(after) {
			continue
		}
		changed := g.Changed
		if len(batch) > 1 {
			for _, m := range batch {
				one := []host.Message{m}
				note(g, ask(ctx, from, g.Group, one), ask(ctx, to, g.Group, one), m.ID)
			}
		}
		if g.Changed == changed && g.Broken == "" {
			id := host.ID(0)
			if len(batch) == 1 {
				id = batch[0].ID
			}
			note(g, before, after, id)
		}
	}
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
	return w.document.ContentType == other.document.ContentType && w.document.Filename == other.document.Filename &&
		bytes.Equal(w.document.Body, other.document.Body)
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
		g.Differences = append(g.Differences, host.Difference{ID: id, Diff: diff(before.document, after.document)})
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
