package natsstore

import (
	"encoding/base32"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/restante/restante/host"
)

// maxPrefix is the longest prefix of streams.
const maxPrefix = 32

// checkPrefix allows no "_", which ends the prefix in the names of streams, so
// that no prefix can name the streams of another.
func checkPrefix(prefix string) error {
	if len(prefix) > maxPrefix {
		return fmt.Errorf("the prefix %q has %d bytes, at most %d are allowed", prefix, len(prefix), maxPrefix)
	}
	for i := range len(prefix) {
		if c := prefix[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' {
			return fmt.Errorf("the prefix %q has %q: use letters, digits and \"-\"", prefix, string(c))
		}
	}
	return nil
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// names makes the names of streams and subjects with a prefix.
type names string

func (n names) groupStreams() string { return string(n) + "_m_" }

func (n names) group(g host.GroupName) string { return n.groupStreams() + encodeGroup(g) }

func (n names) messages(g host.GroupName) string { return string(n) + ".m." + encodeGroup(g) }

// handovers is where a daemon takes additions over from others.
func (n names) handovers(writer string) string { return string(n) + ".a." + writer }

// notices is where daemons tell that messages of a group became unread.
func (n names) notices(g string) string { return string(n) + ".n." + g }

// longName is from how many bytes on the name of a group is written in base32,
// since the name of a stream has at most 255.
const longName = 200

const special = ".:_" // of the names of groups, which have "-" too

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// encodeGroup writes the name of a group in lower-case letters, digits, "-" and
// "_", as streams are folders, and some file systems know no case: "_a" is "A" and
// "_0" to "_2" are the special characters. A long one is "__" and base32.
func encodeGroup(g host.GroupName) string {
	var b strings.Builder
	for i := range len(g) {
		c := g[i]
		switch at := strings.IndexByte(special, c); {
		case at >= 0:
			b.WriteByte('_')
			b.WriteByte('0' + byte(at))
		case isUpper(c):
			b.WriteByte('_')
			b.WriteByte(c - 'A' + 'a')
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > longName {
		return "__" + base32Lower.EncodeToString([]byte(g))
	}
	return b.String()
}

var errNotEncoded = errors.New("not the name of a group")

// decodeGroup accepts only what encodeGroup writes.
func decodeGroup(text string) (host.GroupName, error) {
	var b []byte
	if long, ok := strings.CutPrefix(text, "__"); ok {
		b, _ = base32Lower.DecodeString(long)
	} else {
		for i := 0; i < len(text); i++ {
			c := text[i]
			if c == '_' {
				if i++; i == len(text) {
					return "", errNotEncoded
				}
				switch c = text[i]; {
				case isDigit(c) && int(c-'0') < len(special):
					c = special[c-'0']
				case isLower(c):
					c = c - 'a' + 'A'
				default:
					return "", errNotEncoded
				}
			}
			b = append(b, c)
		}
	}
	g := host.GroupName(b)
	if host.CheckGroupName(g) != nil || encodeGroup(g) != text {
		return "", errNotEncoded
	}
	return g, nil
}

// maxToken is how long a part of a subject may get. A server takes lines of up to
// 4 KiB unless told otherwise.
const maxToken = 1200

const hexDigits = "0123456789abcdef"

// encodeToken writes any text as one part of a subject: letters, digits and "-"
// stay, other bytes are "_" and two hexadecimal digits, and no text is "_".
func encodeToken(text string) string {
	if text == "" {
		return "_"
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isLower(c) || isUpper(c) || isDigit(c) || c == '-' {
			b.WriteByte(c)
		} else {
			b.WriteByte('_')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// decodeToken reads what encodeToken writes.
func decodeToken(token string) (string, error) {
	if token == "_" {
		return "", nil
	}
	var b []byte
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '_' {
			if i+2 >= len(token) {
				return "", fmt.Errorf("%q is cut short", token)
			}
			high, low := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if high < 0 || low < 0 {
				return "", fmt.Errorf("%q has no hexadecimal digits behind \"_\"", token)
			}
			c = byte(high<<4 | low)
			i += 2
		}
		b = append(b, c)
	}
	return string(b), nil
}

// shardOf spreads names over n tables, the same for all versions of the program.
func shardOf(name string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % uint32(n))
}
