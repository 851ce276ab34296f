package formatter

import (
	"context"
	"sync"
)

// letter is what has happened to a file since it last looked.
type letter struct {
	seen  *sight // it settled like this
	gone  bool   // it is not in the folder any more
	poked bool   // another plugin went away
	// failing: too many calls of a version on trial fail.
	failing bool
	orders  []order
	impure  []impureVersion // they were found out
	first   bool            // the file is of the first scan
}

// mailbox hands news to the goroutine of a file. Later news are added to
// earlier ones that were not read yet, so nobody ever waits.
type mailbox struct {
	arrived chan struct{}

	mu      sync.Mutex
	unread  letter
	attempt context.CancelFunc
}

func newMailbox() *mailbox { return &mailbox{arrived: make(chan struct{}, 1)} }

// put adds news. If the file changed or is gone, an attempt to start it as it
// was before is pointless and is given up.
func (m *mailbox) put(news func(*letter)) {
	m.mu.Lock()
	news(&m.unread)
	if m.attempt != nil && (m.unread.seen != nil || m.unread.gone) {
		m.attempt()
	}
	m.mu.Unlock()
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// take returns the news and forgets them.
func (m *mailbox) take() letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := m.unread
	m.unread = letter{}
	return news
}

// try returns a context that ends with ctx or with news that make an attempt
// pointless. Call done after the attempt.
func (m *mailbox) try(ctx context.Context) (attempt context.Context, done func()) {
	attempt, cancel := context.WithCancel(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unread.seen != nil || m.unread.gone {
		cancel()
	}
	m.attempt = cancel
	return attempt, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.attempt = nil
		cancel()
	}
}
