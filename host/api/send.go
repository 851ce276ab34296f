package api

import (
	"encoding/json"
	"net/http"

	"github.com/restante/restante/host"
)

// sendReply is what a caller may know: what the receiver said is for the operator.
type sendReply struct {
	Outstanding uint64         `json:"outstanding"`
	State       host.SendState `json:"state"`
}

// sendSoon answers POST /send/{group}. It does not wait until anything is sent.
func (a *API) sendSoon(w http.ResponseWriter, r *http.Request, g host.GroupName) error {
	s, err := a.send(r.Context(), g)
	if err != nil {
		return err
	}
	body, err := json.Marshal(sendReply{s.Outstanding, s.State})
	if err != nil {
		return err
	}
	write(w, http.StatusAccepted, jsonType, body)
	return nil
}
