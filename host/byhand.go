package host

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reservedKey begins the idempotency keys that only we make.
const reservedKey = "restante:"

const byHandKey = reservedKey + "by-hand:"

// byHand returns the idempotency key of a message that a person adds: who it is,
// and what makes it safe to add it twice.
func byHand(who, nonce string) string {
	const most = 150 // of the characters that a key may have
	for len(url.QueryEscape(who)) > most {
		_, last := utf8.DecodeLastRuneInString(who)
		who = who[:len(who)-last]
	}
	return byHandKey + url.QueryEscape(who) + ":" + nonce
}

// AddedByHand returns who has added a message with an idempotency key by hand,
// and false if nobody has.
func AddedByHand(key string) (who string, ok bool) {
	rest, ok := strings.CutPrefix(key, byHandKey)
	if !ok {
		return "", false
	}
	escaped, _, _ := strings.Cut(rest, ":")
	who, err := url.QueryUnescape(escaped)
	return who, err == nil
}

// String writes the number.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Intersect returns the ids that are in both sets.
func Intersect(a, b Ranges) Ranges {
	var both Ranges
	for r := range a.All() {
		for part := range b.within(r) {
			both.Add(part)
		}
	}
	return both
}

// Release hands held messages out again, each in its old place, and returns how
// many. Ids of messages that are not held are passed over.
func (x *Exchange) Release(ctx context.Context, g GroupName, ids Ranges) (moved uint64, after Counts, err error) {
	if _, err := x.Queues.Queue(g); err != nil {
		return 0, Counts{}, err
	}
	var held Ranges
	for r := range ids.All() {
		for before := min(r.Last, MaxID-1) + 1; before > r.First; {
			listed, err := x.Store.List(ctx, g, before, MaxFetch, Held)
			if err != nil {
				return 0, Counts{}, err
			}
			if len(listed) == 0 {
				break
			}
			for _, m := range listed {
				if before = m.ID; r.First <= m.ID {
					held.Add(Range{m.ID, m.ID})
				}
			}
		}
	}
	return x.Store.Move(ctx, g, held, Unread)
}

// FormatAgain formats the messages of a delivery as they would leave today: with
// the token that they had, unless the keys of tokens were rotated since. It
// changes nothing.
func (x *Exchange) FormatAgain(ctx context.Context, d Delivery) (Document, error) {
	ids, err := d.Messages()
	if err != nil {
		return Document{}, err
	}
	return x.preview(ctx, d.Group, ids, x.Tokens.Seal(d.Group, ids))
}
