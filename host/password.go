package host

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// PasswordHasher makes and checks slow, salted hashes of passwords. It is safe
// for concurrent use.
type PasswordHasher interface {
	// Hash returns the text that is kept in place of the password.
	Hash(password string) (string, error)
	// Verify reports whether hash was made of the password. It takes the same
	// time whichever of the two is wrong.
	Verify(password, hash string) bool
	// NeedsRehash reports whether Hash would make a stronger hash by now.
	NeedsRehash(hash string) bool
}

// Bounds of a password.
const (
	// MinPassword is the shortest password, in characters.
	MinPassword = 12
	// MaxPasswordBytes is the longest one.
	MaxPasswordBytes = 1024
)

// CheckPassword returns an error that says what to do if the password is not
// good enough for the user of this name; it matches ErrBadPassword. As NIST SP
// 800-63B has it, length counts and kinds of characters do not, and what
// everybody uses is refused.
func CheckPassword(password, name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s", ErrBadPassword, why) }
	plain := folded(password)
	switch {
	case !utf8.ValidString(password):
		return bad("it is not UTF-8 text; type it anew")
	case len(password) > MaxPasswordBytes:
		return bad(fmt.Sprintf("it has more than %d bytes; take a shorter one", MaxPasswordBytes))
	case utf8.RuneCountInString(password) < MinPassword:
		return bad(fmt.Sprintf("it has fewer than %d characters; take a longer one, such as four or more words", MinPassword))
	case plain == folded(name):
		return bad("it is the user name; take another")
	case strings.Trim(plain, plain[:runeLen(plain)]) == "", slices.Contains(commonPasswords[:], strings.ToLower(password)):
		return bad("it is one of those that are guessed first; take another, such as four or more words")
	}
	return nil
}

// runeLen is the length of the first character of a text that is not empty.
func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// commonPasswords are those of 12 characters and more that lists of leaked
// passwords have most often, in lower case. One character again and again is
// refused without being in it.
var commonPasswords = [...]string{
	"123456789012", "1234567890123", "12345678901234", "123456789123", "123456789abc", "1234567890ab",
	"012345678901", "0123456789012", "098765432109", "987654321098", "123123123123", "121212121212",
	"123321123321", "112233445566", "102030405060", "147258369147", "147258369258", "789456123000",
	"abcdefghijkl", "abcdefghijklm", "abcdefghijklmnopqrstuvwxyz", "abc123abc123", "abcd1234abcd", "abcd12345678",
	"a1b2c3d4e5f6", "1a2b3c4d5e6f", "1q2w3e4r5t6y", "1q2w3e4r5t6y7u", "1q2w3e4r5t6y7u8i", "q1w2e3r4t5y6",
	"1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "1qazxsw23edc", "zaq12wsxcde3", "qazwsxedcrfv", "qwertyuiop12",
	"qwertyuiop123", "qwertyuiop[]", "qwertyuiopasdfghjkl", "qwertyuiopasdf", "qwerty123456", "qwerty1234567",
	"qwerty12345678", "qwerty123456789", "123456qwerty", "qwertyqwerty", "qwerty123qwerty", "asdfghjkl123",
	"asdfghjklzxcvbnm", "zxcvbnm12345", "zxcvbnmasdfg", "password1234", "password12345",
	"password123456", "password1234567", "password12345678", "password123456789", "password123!", "password1234!",
	"passwordpassword", "mypassword123", "mypassword12", "newpassword1", "newpassword123", "p@ssw0rd1234",
	"p@ssword1234", "passw0rd1234", "pa$$word1234", "administrator", "administrator1", "administrator123",
	"adminadmin12", "adminadmin123", "admin1234567", "admin12345678", "admin123456789", "adminadminadmin",
	"changeme1234", "changeme12345", "changemechangeme", "letmeinletmein", "letmein12345", "letmein123456",
	"welcome12345", "welcome123456", "welcomewelcome", "iloveyou1234", "iloveyou12345", "iloveyouiloveyou",
	"sunshine1234", "princess1234", "football1234", "baseball1234", "superman1234", "michael12345",
	"monkey123456", "dragon123456", "secret123456", "test12345678", "testtesttest", "usuario12345",
	"correcthorsebatterystaple", "correct horse battery staple", "unbelievable", "restanterestante",
}
