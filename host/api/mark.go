package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/restante/restante/host"
)

// tokenForm is long enough for any token with every byte of it escaped.
var tokenForm = bodyLimit{what: "the form", bytes: 3*host.MaxTokenBytes + 4<<10}

// mark answers POST /poll/{group}/mark.
func (a *API) mark(w http.ResponseWriter, r *http.Request, g host.GroupName) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	token, err := tokenOf(form, r.URL)
	if err != nil {
		return err
	}
	marked, err := a.exchange.Mark(r.Context(), g, token, caller(r))
	if err != nil {
		return err
	}
	if a.log.IsDebug() {
		a.log.Debug("messages marked", "request_id", requestID(w), "group", string(g), "count", marked.Marked, "unread", marked.Unread)
	}
	if prefersJSON(r.Header["Accept"]) {
		body, err := json.Marshal(marked)
		if err != nil {
			return err
		}
		write(w, http.StatusOK, jsonType, body)
		return nil
	}
	write(w, http.StatusOK, textType, fmt.Appendf(nil, "Marked: %d, Unread: %d", marked.Marked, marked.Unread))
	return nil
}

func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	const remedy = "Send the token as a form, as curl does with --data-urlencode \"token=…\": -H 'Content-Type: application/x-www-form-urlencoded'."
	media, err := mediaType(w, r, remedy)
	if err != nil {
		return nil, err
	}
	if media != "" && media != formType {
		return nil, faultf(errMediaType, "A token is not accepted as %q. %s", media, remedy)
	}
	body, err := readBody(w, r, tokenForm)
	if err != nil {
		return nil, err
	}
	defer body.release()
	form, err := url.ParseQuery(string(body.bytes))
	if err != nil {
		return nil, faultf(errBadRequest, "The form in the body is malformed. %s", remedy)
	}
	return form, nil
}

func tokenOf(form url.Values, u *url.URL) (host.Token, error) {
	switch tokens := form["token"]; {
	case len(tokens) > 1:
		return "", faultf(errBadRequest, "The form has the field \"token\" %d times. Mark one batch at a time.", len(tokens))
	case len(tokens) == 1 && tokens[0] != "":
		return host.Token(tokens[0]), nil
	case u.Query().Has("token"):
		return "", faultf(errBadRequest, "The token is in the URL, where it is not accepted. Send it in the body, as the form field \"token\".")
	}
	return "", faultf(errBadRequest, "The form field \"token\" is missing or empty. Send the token that came with the messages.")
}
