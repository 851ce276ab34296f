package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/restante/restante/host"
)

// The bodies of requests to add.
var (
	oneMessage   = bodyLimit{what: "a message", bytes: host.MaxMessageBytes, slack: 4 << 10}
	manyMessages = bodyLimit{what: "a request with NDJSON", bytes: host.MaxAdditionBytes}
)

// add answers POST /add/{group}. The body is one JSON value or, if its media
// type says so, NDJSON.
func (a *API) add(w http.ResponseWriter, r *http.Request, g host.GroupName) error {
	lines, err := isNDJSON(w, r)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	limit := oneMessage
	if lines {
		limit = manyMessages
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	defer body.release()

	ids, err := a.exchange.Add(r.Context(), host.AddRequest{Group: g, Body: body.bytes, Lines: lines, Key: key})
	if err != nil {
		return err
	}
	if a.log.IsDebug() {
		a.log.Debug("messages added", "request_id", requestID(w), "group", string(g), "first", ids[0], "count", len(ids))
	}
	write(w, http.StatusCreated, jsonType, appendAdded(make([]byte, 0, 32+8*len(ids)), ids, lines))
	return nil
}

func appendAdded(b []byte, ids []host.ID, lines bool) []byte {
	if !lines {
		b = append(b, `{"id":`...)
		b = strconv.AppendUint(b, uint64(ids[0]), 10)
		return append(b, '}')
	}
	b = append(b, `{"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	return append(b, "]}"...)
}

func isNDJSON(w http.ResponseWriter, r *http.Request) (bool, error) {
	const remedy = "Say what the body is: -H 'Content-Type: application/json' for one JSON value, or application/x-ndjson for one value on each line."
	media, err := mediaType(w, r, remedy)
	if err != nil {
		return false, err
	}
	switch {
	case media == "", media == jsonType, strings.HasSuffix(media, "+json"):
		return false, nil
	case media == "application/x-ndjson", media == "application/ndjson", media == "application/jsonl":
		return true, nil
	}
	return false, faultf(errMediaType, "Messages are not accepted as %q. %s", media, remedy)
}

// idempotencyKey returns the key of a request, empty if there is none. It may
// come bare or, as the draft standard has it, as a quoted string.
func idempotencyKey(h http.Header) (string, error) {
	values := h["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	switch {
	case len(values) > 1:
		return "", faultf(errBadRequest, "There are %d Idempotency-Key headers. Send one.", len(values))
	case key == "":
		return "", faultf(errBadRequest, "The Idempotency-Key is empty. Leave the header out, or give it 1 to %d characters.", host.MaxKeyBytes)
	case len(key) > host.MaxKeyBytes:
		return "", faultf(errBadRequest, "The Idempotency-Key has %d characters. At most %d are allowed.", len(key), host.MaxKeyBytes)
	case strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", faultf(errBadRequest, "The Idempotency-Key has characters outside printable ASCII. Use letters, digits and signs.")
	}
	return key, nil
}
