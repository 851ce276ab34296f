package password

import (
	"strings"
	"testing"
)

// quick is a Hasher for tests.
var quick = &Hasher{cost{memory: 64, time: 1, threads: 1}}

func TestHasher(t *testing.T) {
	first, err := quick.Hash("four words are enough")
	if err != nil {
		t.Fatal(err)
	}
	second, err := quick.Hash("four words are enough")
	if err != nil || first == second {
		t.Errorf("two hashes are %q and %q, %v", first, second, err)
	}
	for _, hash := range []string{first, second} {
		if !quick.Verify("four words are enough", hash) {
			t.Errorf("%q is no hash of its password", hash)
		}
		for _, wrong := range []string{"", "four words are enough ", "Four words are enough"} {
			if quick.Verify(wrong, hash) {
				t.Errorf("%q is a hash of %q", hash, wrong)
			}
		}
	}
	composed, err := quick.Hash("caf\u00e9 cr\u00e8me br\u00fbl\u00e9e")
	if err != nil || !quick.Verify("cafe\u0301 cre\u0300me bru\u0302le\u0301e", composed) {
		t.Error("composed and decomposed letters differ")
	}
}

// TestReference checks hashes that the reference implementation in C made; they
// are in its src/test.c.
func TestReference(t *testing.T) {
	for _, hash := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		if !New().Verify("password", hash) {
			t.Errorf("%q is no hash of its password", hash)
		}
		if New().Verify("differentpassword", hash) {
			t.Errorf("%q is a hash of another password", hash)
		}
	}
}

func TestNeedsRehash(t *testing.T) {
	strong, err := New().Hash("four words are enough")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(strong, "$argon2id$v=19$m=65536,t=3,p=4$") || New().NeedsRehash(strong) || !quick.Verify("four words are enough", strong) {
		t.Errorf("Hash = %q", strong)
	}
	weak, err := quick.Hash("four words are enough")
	if err != nil || !New().NeedsRehash(weak) || quick.NeedsRehash(weak) || !New().NeedsRehash("") {
		t.Errorf("NeedsRehash of %q, %v", weak, err)
	}
}

func TestParseRefuses(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, hash := range map[string]string{
		"nothing":            "",
		"another function":   "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + key,
		"an older version":   "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key,
		"no version":         "$argon2id$m=256,t=2,p=1$" + salt + "$" + key,
		"all memory":         "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key,
		"too much memory":    "$argon2id$v=19$m=262145,t=2,p=1$" + salt + "$" + key,
		"no memory":          "$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key,
		"little memory":      "$argon2id$v=19$m=15,t=2,p=2$" + salt + "$" + key,
		"too much time":      "$argon2id$v=19$m=256,t=17,p=1$" + salt + "$" + key,
		"no time":            "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + key,
		"many lanes":         "$argon2id$v=19$m=256,t=2,p=257$" + salt + "$" + key,
		"a sign":             "$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + key,
		"a zero":             "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + key,
		"another order":      "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + key,
		"one more parameter": "$argon2id$v=19$m=256,t=2,p=1,x=1$" + salt + "$" + key,
		"a short salt":       "$argon2id$v=19$m=256,t=2,p=1$c29t$" + key,
		"a short key":        "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$c29tZXNhbHQ",
		"no key":             "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"padding":            "$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + key,
		"a line end":         "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "\n",
		"a long key":         "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + strings.Repeat("AAAA", 22),
		"one more part":      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + key + "$",
	} {
		if _, err := parse(hash); err == nil || quick.Verify("password", hash) {
			t.Errorf("%s: parse(%q) = %v", name, hash, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parse(s)
		if err != nil {
			return
		}
		if e.String() != s {
			t.Errorf("parse(%q) writes %q", s, e)
		}
		if e.memory > maxMemory || e.time < 1 || e.time > maxTime || e.threads < 1 || e.threads > maxThreads || len(e.salt) > maxBytes || len(e.key) > maxBytes {
			t.Errorf("parse(%q) = %+v", s, e)
		}
	})
}
