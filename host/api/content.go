package api

import (
	"mime"
	"net/http"
	"strings"
)

// mediaType returns the media type of a request's body in lower case, empty if
// the request does not say. Bodies have to be UTF-8 and not compressed; remedy
// is what to do if the header can't be read.
func mediaType(w http.ResponseWriter, r *http.Request, remedy string) (string, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return "", faultf(errMediaType, "The body has the Content-Encoding %q. Send it without one.", coding)
	}
	header := r.Header.Get("Content-Type")
	if header == "" || header == jsonType || header == formType {
		return header, nil // nothing to parse, and nearly always so
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", faultf(errMediaType, "The Content-Type %q is malformed. %s", header, remedy)
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", faultf(errMediaType, "The body has the charset %q. Send it as UTF-8.", charset)
	}
	return media, nil
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	textType = "text/plain; charset=utf-8"
)
