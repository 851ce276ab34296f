package endpoint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

const (
	secretPrefix = "whsec_"
	minSecret    = 24
	maxSecret    = 64
	maxSecrets   = 2
)

// parseSecrets returns the keys of Standard Webhooks secrets.
func parseSecrets(secrets []string) ([][]byte, error) {
	if len(secrets) > maxSecrets {
		return nil, wrong("secrets", "has %d; at most two can be live: the new one, and the old one for as long as receivers need it", len(secrets))
	}
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		text, prefixed := strings.CutPrefix(s, secretPrefix)
		key, err := base64.StdEncoding.Strict().DecodeString(text)
		if !prefixed || err != nil || strings.ContainsAny(text, "\r\n") || len(key) < minSecret || len(key) > maxSecret {
			return nil, wrong("secrets", "must be %q and base64 of %d to %d random bytes, as from: echo %s$(openssl rand -base64 32)",
				secretPrefix, minSecret, maxSecret, secretPrefix)
		}
		keys[i] = key
	}
	return keys, nil
}

// sign returns the header webhook-signature of the Standard Webhooks specification:
// a signature for each key, so that a receiver may know any of them.
func sign(keys [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
