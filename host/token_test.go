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
		got, err := tokens.Open(g, token)
		if err != nil || got.String() != ids.String() || got.Count() != ids.Count() {
			r.Fatalf("Open(Seal(%s)) = %s, %v", ids, got, err)
		}
		refuse := func(what string, g host.GroupName, token host.Token) {
			if got, err := tokens.Open(g, token); !errors.Is(err, host.ErrBadToken) {
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
		if got, err := again.Open("g", token); err != nil || !slices.Equal(slices.Collect(got.IDs()), slices.Collect(ids.IDs())) {
			t.Errorf("Open after a restart = %s, %v", got, err)
		}
	}
	other, err := host.OpenTokens(t.Context(), openStore(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open("g", old); !errors.Is(err, host.ErrBadToken) {
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
		if _, err := tokens.Open("g", token); err != nil {
			t.Errorf("Open of the token of %s = %v", name, err)
		}
	}
}
