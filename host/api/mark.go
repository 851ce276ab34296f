package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/restante/restante/host"
)

// markForm is long enough for any token and all rejections with every byte of them
// escaped.
var markForm = bodyLimit{what: "the form", bytes: 3*host.MaxTokenBytes + 4<<10 + host.MaxRejections*(3*host.MaxRejectionBytes+64)}

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
	rejections, err := rejectionsOf(form)
	if err != nil {
		return err
	}
	marked, err := a.exchange.Mark(r.Context(), g, token, rejections, caller(r))
	if err != nil {
		return err
	}
	if a.log.IsDebug() {
		a.log.Debug("messages marked", "request_id", requestID(w), "group", string(g), "count", marked.Marked, "rejected", marked.Rejected, "unread", marked.Unread)
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
	body, err := readBody(w, r, markForm)
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

// rejectionsOf reads the form fields "reject", each of the form ID:REASON. What may
// be in a reason, and which ids, is for the exchange to say.
func rejectionsOf(form url.Values) ([]host.Rejection, error) {
	fields := form["reject"]
	if len(fields) > host.MaxRejections {
		return nil, faultf(errBadRequest, "The form has the field \"reject\" %d times, at most %d are allowed.", len(fields), host.MaxRejections)
	}
	var all []host.Rejection
	for i, field := range fields {
		id, reason, ok := strings.Cut(field, ":")
		n, err := strconv.ParseUint(id, 10, 63)
		if !ok || err != nil || n == 0 {
			return nil, faultf(errBadRequest, "The form field \"reject\" number %d is not of the form ID:REASON, such as \"7:no such student\". Nothing was changed.", i+1)
		}
		all = append(all, host.Rejection{ID: host.ID(n), Reason: reason})
	}
	return all, nil
}
