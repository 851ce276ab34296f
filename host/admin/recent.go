package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/restante/restante/host"
)

// recent knows who was signed in lately. While the store can't be read nobody else
// knows, and then people must still see how the cluster is, and that alone: somebody
// may have been signed out meanwhile. It is safe for concurrent use.
type recent struct {
	now func() time.Time
	mu  sync.Mutex
	all map[tokenSum]recentUser
}

// tokenSum is the SHA-256 of a token: tokens are not kept.
type tokenSum = [sha256.Size]byte

type recentUser struct {
	session host.Session
	user    host.User
	at      time.Time
}

const (
	// recentTime is for how long somebody is known.
	recentTime = time.Hour
	// maxRecent is how many are, at most.
	maxRecent = 1000
)

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, all: map[tokenSum]recentUser{}}
}

func (k *recent) put(token string, s host.Session, u host.User) {
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := sha256.Sum256([]byte(token))
	if _, known := k.all[sum]; !known && len(k.all) >= maxRecent {
		maps.DeleteFunc(k.all, func(_ tokenSum, r recentUser) bool { return k.now().Sub(r.at) >= recentTime })
		if len(k.all) >= maxRecent {
			return
		}
	}
	k.all[sum] = recentUser{s, u, k.now()}
}

func (k *recent) forget(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, sha256.Sum256([]byte(token)))
}

func (k *recent) find(token string) (recentUser, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, known := k.all[sha256.Sum256([]byte(token))]
	now := k.now()
	return r, known && now.Sub(r.at) < recentTime && now.Before(r.session.Expires)
}

const (
	// sessionTime is how long a page waits for the session on a shared store.
	sessionTime = 5 * time.Second
	// outageTime is how long the page waits that is for outages.
	outageTime = 1500 * time.Millisecond
)

// whose returns whose token this is. It fails with host.ErrNoSession.
func (v *visit) whose(token string) (host.Session, host.User, error) {
	if v.a.Cluster == nil {
		return v.a.Users.Session(v.ctx(), token)
	}
	ctx := v.ctx()
	if v.r.Method != http.MethodPost { // a form that was filled in may wait
		most := sessionTime
		if v.outage {
			most = outageTime
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	s, u, err := v.a.Users.Session(ctx, token)
	switch {
	case err == nil:
		v.a.recent.put(token, s, u)
	case errors.Is(err, host.ErrNoSession):
		v.a.recent.forget(token)
	case v.outage && (errors.Is(err, host.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)):
		if r, known := v.a.recent.find(token); known {
			v.cut = true
			return r.session, r.user, nil
		}
	}
	return s, u, err
}
