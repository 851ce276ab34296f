package host_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/restante/restante/host"
)

func drawIDs(t *rapid.T) (ids host.Ranges) {
	for range rapid.IntRange(0, 8).Draw(t, "ranges") {
		first := host.ID(rapid.Uint64Range(1, 1<<40).Draw(t, "first"))
		ids.Add(host.Range{First: first, Last: first + host.ID(rapid.Uint64Range(0, 1000).Draw(t, "more"))})
	}
	return ids
}

func TestTokensAreExactAndSealed(t *testing.T) {
	tokens, err := host.OpenTokens(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		ids := drawIDs(r)
		g := host.GroupName(rapid.StringMatching(`[a-z0-9][a-z0-9._:-]{0,12}`).Draw(r, "group"))
		token := tokens.Seal(g, ids)
		if tokens.Seal(g, ids) != token {
			r.Fatalf("two tokens for %s", ids)
		}
		got, err := tokens.Open(t.Context(), g, token)
		if err != nil || got.String() != ids.String() || got.Count() != ids.Count() {
			r.Fatalf("Open(Seal(%s)) = %s, %v", ids, got, err)
		}
		refuse := func(what string, g host.GroupName, token host.Token) {
			if got, err := tokens.Open(t.Context(), g, token); !errors.Is(err, host.ErrBadToken) {
				r.Fatalf("Open of %s = %s, %v, want ErrBadToken", what, got, err)
			}
		}
		refuse("another group's token", g+"x", token)
		raw, err := base64.RawURLEncoding.DecodeString(string(token))
		if err != nil {
			r.Fatal(err)
		}
		refuse("a token cut short", g, token[:rapid.IntRange(0, len(token)-1).Draw(r, "cut")])
		at, flip := rapid.IntRange(0, len(raw)-1).Draw(r, "at"), rapid.ByteRange(1, 255).Draw(r, "flip")
		raw[at] ^= flip
		refuse("a forged token", g, host.Token(base64.RawURLEncoding.EncodeToString(raw)))
		raw[at] ^= flip
		refuse("a token with more bytes", g, host.Token(base64.RawURLEncoding.EncodeToString(append(raw, 0))))
		refuse("a token with white space", g, token+"\n")
		if host.Token(rapid.String().Draw(r, "junk")) != token {
			refuse("junk", g, host.Token(rapid.String().Draw(r, "junk")))
		}
	})
}

func TestTokensOutliveRotationAndRestart(t *testing.T) {
	store := openStore(t)
	first, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	ids := host.NewRanges(1, 2, 3, 8)
	old := first.Seal("g", ids)
	if err := first.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := first.Seal("g", ids)
	if old == fresh {
		t.Error("the token is the same after the keys were rotated")
	}
	again, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []host.Token{old, fresh} {
		if got, err := again.Open(t.Context(), "g", token); err != nil || !slices.Equal(slices.Collect(got.IDs()), slices.Collect(ids.IDs())) {
			t.Errorf("Open after a restart = %s, %v", got, err)
		}
	}
	other, err := host.OpenTokens(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(t.Context(), "g", old); !errors.Is(err, host.ErrBadToken) {
		t.Errorf("Open with another store's keys = %v, want ErrBadToken", err)
	}
}

func TestTokenSizes(t *testing.T) {
	tokens, err := host.OpenTokens(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	var apart host.Ranges
	for i := range host.MaxFetch {
		apart.Add(host.Range{First: host.ID(i+1) << 53, Last: host.ID(i+1) << 53})
	}
	for name, ids := range map[string]host.Ranges{"none": {}, "the first": host.NewRanges(1), "1,000 far apart": apart} {
		token := tokens.Seal("g", ids)
		t.Logf("%s: %d bytes", name, len(token))
		if len(token) > host.MaxTokenBytes {
			t.Errorf("the token of %s has %d bytes", name, len(token))
		}
		if _, err := tokens.Open(t.Context(), "g", token); err != nil {
			t.Errorf("Open of the token of %s = %v", name, err)
		}
	}
}

func TestTokensOfOtherDaemons(t *testing.T) {
	store := newSharedStore(t)
	a, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	b, err := host.OpenTokens(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	ids := host.NewRanges(1, 3)
	if err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := a.Seal("g", ids)
	store.away(errBroken)
	if _, err := b.Open(t.Context(), "g", token); !errors.Is(err, host.ErrUnavailable) {
		t.Errorf("Open without the store = %v, want ErrUnavailable", err)
	}
	store.away(nil)
	if b.Seal("g", ids) == token {
		t.Fatal("b knows the key already, so nothing is tested")
	}
	if got, err := b.Open(t.Context(), "g", token); err != nil || got.String() != ids.String() {
		t.Errorf("Open of a token with a new key = %v, %v", got, err)
	}
	if b.Seal("g", ids) != token {
		t.Error("new tokens are sealed with an old key")
	}
	// A key that nobody has made is no reason to read all the others.
	forged := []byte(token)
	forged[2] = '_' // the number of the key
	before := store.reader.Load()
	if _, err := b.Open(t.Context(), "g", host.Token(forged)); !errors.Is(err, host.ErrBadToken) {
		t.Errorf("Open of a forged token = %v, want ErrBadToken", err)
	}
	if n := store.reader.Load() - before; n != 1 {
		t.Errorf("for a forged token %d records were read, want 1", n)
	}
	// To rotate is to make a key, also where the last one is not known.
	if err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := a.Seal("g", ids)
	if err := b.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sealed := b.Seal("g", ids); sealed == last || sealed == token {
		t.Error("Rotate made no key of its own")
	}
	if err := a.Refresh(t.Context()); err != nil || a.Seal("g", ids) != b.Seal("g", ids) {
		t.Errorf("after Refresh = %v the two seal with different keys", err)
	}
}
