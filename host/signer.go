package host

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Signer signs documents as the Standard Webhooks specification has it
// (https://www.standardwebhooks.com), whose libraries verify them in most languages.
// It is safe for concurrent use; nil does not sign.
type Signer struct{ keys [][]byte }

// Limits of a Signer's secrets.
const (
	// SecretPrefix is what each begins with.
	SecretPrefix = "whsec_"
	// minSecret and maxSecret are how many bytes one has without the prefix and
	// base64, by the specification.
	minSecret = 24
	maxSecret = 64
	// maxSecrets is how many there are: the new one, and the old one for as long as
	// receivers need it.
	maxSecrets = 2
)

// NewSigner returns the signer for secrets; nil for none. The error names no secret.
func NewSigner(secrets []string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	if len(secrets) > maxSecrets {
		return nil, fmt.Errorf("has %d; at most two can be live: the new one, and the old one for as long as receivers need it", len(secrets))
	}
	s := &Signer{}
	for _, text := range secrets {
		text, prefixed := strings.CutPrefix(text, SecretPrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if !prefixed || err != nil || strings.ContainsAny(text, "\r\n") || len(key) < minSecret || len(key) > maxSecret {
			return nil, fmt.Errorf("must be %q and base64 of %d to %d random bytes, as from: echo %s$(openssl rand -base64 32)",
				SecretPrefix, minSecret, maxSecret, SecretPrefix)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// Sign returns the header webhook-signature: a signature for each secret, so that a
// receiver may know any of them, or nothing if there is none. The id and the time, in
// seconds since 1970, are the headers webhook-id and webhook-timestamp.
func (s *Signer) Sign(id string, at time.Time, body []byte) string {
	if s == nil {
		return ""
	}
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
