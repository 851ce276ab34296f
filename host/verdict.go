package host

import (
	"slices"
	"time"
)

// maxVerdicts is how many batches of a group are remembered as failing.
const maxVerdicts = 8

// verdict is that a plugin can't format a batch.
type verdict struct {
	judged
	edition    Edition
	until      time.Time
	rejections []Rejection
	notHeld    string
}

// judged is a batch: how many messages were wanted, and which there were.
type judged struct {
	limit int
	ids   []ID
}

func judgedOf(b Batch, limit int) judged {
	j := judged{limit: limit, ids: make([]ID, len(b.Messages))}
	for i, m := range b.Messages {
		j.ids[i] = m.ID
	}
	return j
}

// known returns the verdict that holds for a batch, or nil. It fails with an
// *UnavailableError while a message of the group is being looked for.
func (s *Faults) known(q Queue, b judged) (*verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[q.Group]
	if g == nil {
		return nil, nil
	}
	if g.search != nil {
		return nil, beingLookedFor(q)
	}
	i := slices.IndexFunc(g.verdicts, func(v verdict) bool { return v.isOf(b) && s.config.Now().Before(v.until) })
	if i < 0 {
		return nil, nil
	}
	v := g.verdicts[i]
	if v.edition != s.config.Formatters.Edition(q.Plugin) {
		return nil, nil
	}
	return &v, nil
}

func beingLookedFor(q Queue) error {
	return &UnavailableError{Plugin: q.Plugin, Reason: "it failed, and the message at fault is being looked for; try again in a moment"}
}

func (v verdict) err(q Queue) error {
	return &RejectedError{Plugin: q.Plugin, Rejections: slices.Clone(v.rejections), NotHeld: v.notHeld}
}

// isOf tells whether two batches are the same, but for messages that were added
// meanwhile: each would have the plugin fail once more.
func (b judged) isOf(later judged) bool {
	return b.limit == later.limit && len(b.ids) <= len(later.ids) && slices.Equal(b.ids, later.ids[:len(b.ids)])
}

// remember keeps a verdict, and tells whether it is news.
func (s *Faults) remember(g *groupFaults, v verdict) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !slices.ContainsFunc(g.verdicts, func(old verdict) bool {
		return old.edition == v.edition && idsOf(old.rejections).String() == idsOf(v.rejections).String() && old.notHeld == v.notHeld
	})
	g.verdicts = slices.DeleteFunc(g.verdicts, func(old verdict) bool { return old.isOf(v.judged) })
	if len(g.verdicts) == maxVerdicts {
		g.verdicts = slices.Delete(g.verdicts, 0, 1)
	}
	g.verdicts = append(g.verdicts, v)
	return news
}

// works forgets what a batch that could be formatted has disproved: that messages
// in it, or before it, stand in the way.
func (s *Faults) works(q Queue, b Batch) {
	s.mu.Lock()
	g := s.groups[q.Group]
	if g == nil {
		s.mu.Unlock()
		return
	}
	blocked := len(g.verdicts) > 0
	last, ids := ID(0), b.IDs()
	if n := len(b.Messages); n > 0 {
		last, g.swept = b.Messages[n-1].ID, nil
	}
	g.verdicts = slices.DeleteFunc(g.verdicts, func(v verdict) bool {
		return !slices.ContainsFunc(v.rejections, func(r Rejection) bool {
			return len(b.Messages) > 0 && r.ID > last && !ids.Contains(r.ID)
		})
	})
	free := blocked && len(g.verdicts) == 0
	s.mu.Unlock()
	if free {
		s.config.Cleared(q.Group)
	}
}
