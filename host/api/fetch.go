package api

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

// fetch answers GET /poll/{group}/fetch.
func (a *API) fetch(w http.ResponseWriter, r *http.Request, g host.GroupName) error {
	limit, wait, err := fetchQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if wait > 0 {
		if err := a.await(w, r, g, min(wait, a.maxWait)); err != nil {
			return err
		}
	}
	fetched, err := a.exchange.Fetch(r.Context(), g, limit, caller(r))
	if err != nil {
		return err
	}
	if a.log.IsDebug() {
		a.log.Debug("messages fetched", "request_id", requestID(w), "group", string(g), "delivery", fetched.Delivery,
			"count", fetched.IDs.Count(), "unread", fetched.Unread, "bytes", len(fetched.Document.Body))
	}
	a.writeFetched(w, r, fetched)
	return nil
}

// fetchQuery reads the parameters limit and wait. Others are passed over, as
// pollers may add some against caches.
func fetchQuery(raw string) (limit int, wait time.Duration, err error) {
	limit = host.DefaultFetch
	if raw == "" {
		return limit, 0, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return 0, 0, faultf(errBadRequest, "The query after the \"?\" is malformed. Write it as limit=16&wait=30, with other characters escaped.")
	}
	if err := number(query, "limit", 1, host.MaxFetch, &limit); err != nil {
		return 0, 0, err
	}
	seconds := 0
	if err := number(query, "wait", 0, int(LongestWait/time.Second), &seconds); err != nil {
		return 0, 0, err
	}
	return limit, time.Duration(seconds) * time.Second, nil
}

// number reads a parameter into n, which stays as it is without one.
func number(query url.Values, name string, least, most int, n *int) error {
	values, ok := query[name]
	if !ok {
		return nil
	}
	if len(values) > 1 {
		return faultf(errBadRequest, "The query parameter %q is there %d times. Give it once.", name, len(values))
	}
	v, err := strconv.ParseUint(values[0], 10, 31)
	if err != nil || int(v) < least || int(v) > most {
		return faultf(errBadRequest, "The query parameter %q is %q. It has to be a whole number from %d to %d.", name, values[0], least, most)
	}
	*n = int(v)
	return nil
}

// slowest is the slowest line that can take a document in time, in bytes a
// second.
const slowest = 32 << 10

func (a *API) writeFetched(w http.ResponseWriter, r *http.Request, f host.Fetched) {
	digest := base64.StdEncoding.EncodeToString(f.SHA256[:])
	etag := `"` + digest + `"`
	h := w.Header()
	h.Set("Restante-Token", string(f.Token))
	h.Set("Restante-Count", strconv.FormatUint(f.IDs.Count(), 10))
	h.Set("Restante-Unread", strconv.FormatUint(f.Unread, 10))
	h.Set("Restante-Delivery", f.Delivery)
	h.Set("ETag", etag)
	if matches(r.Header["If-None-Match"], etag) {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	d := f.Document
	h.Set("Content-Digest", "sha-256=:"+digest+":")
	h.Set("Content-Disposition", disposition(d.Filename))
	now := time.Now()
	if signature := a.signer(f.Group).Sign(f.Delivery, now, d.Body); signature != "" {
		h.Set("Webhook-Id", f.Delivery)
		h.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		h.Set("Webhook-Signature", signature)
	}
	// Formatting, and waiting, have taken time that the client had no part in.
	setWriteDeadline(w, writeTimeout+time.Duration(len(d.Body)/slowest)*time.Second)
	write(w, http.StatusOK, d.ContentType, d.Body)
}

// disposition writes a Content-Disposition header (RFC 6266).
func disposition(filename string) string {
	if filename == "" {
		return "attachment"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": filename})
}

// matches reports whether If-None-Match headers name the entity tag (RFC 9110,
// section 13.1.2).
func matches(headers []string, etag string) bool {
	for _, header := range headers {
		for element := range elements(header) {
			if element == "*" || strings.TrimPrefix(element, "W/") == etag {
				return true
			}
		}
	}
	return false
}
