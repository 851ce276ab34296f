package api

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is the body of every answer that is an error (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"requestId"`
}

// problemTypes is where openapi.yaml explains each type, as a JSON pointer.
const problemTypes = "/api/openapi.yaml#/x-problems/"

func writeProblem(w http.ResponseWriter, k kind, detail string) {
	body, _ := json.Marshal(problem{
		Type:      problemTypes + k.name,
		Title:     k.title,
		Status:    k.status,
		Detail:    detail,
		RequestID: requestID(w),
	})
	if k.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(k.retry))
	}
	write(w, k.status, "application/problem+json", body)
}

// write sends a whole response. What the client can't take is lost: it has
// gone away, and there is nobody left to tell.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
