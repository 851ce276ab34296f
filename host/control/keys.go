package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/restante/restante/host"
)

// maxGrantBytes is the longest request for a key.
const maxGrantBytes = 1 << 20

func (s *Server) listKeys(*http.Request) (any, error) { return s.Keys.List(), nil }

func (s *Server) createKey(r *http.Request) (any, error) {
	var grant host.Grant
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxGrantBytes)).Decode(&grant); err != nil {
		return nil, fmt.Errorf("read what the key is for: %w", err)
	}
	if err := grant.Check(time.Now()); err != nil {
		return nil, err
	}
	for _, g := range grant.Groups {
		if _, err := s.Exchange.Queues.Queue(g); err != nil && g != host.EveryGroup {
			return nil, fmt.Errorf("group %q is unknown: a plugin or a queue block in the configuration has to declare it first", g)
		}
	}
	text, key, err := s.Keys.Create(r.Context(), grant)
	if err == nil {
		s.Log.Info("API key created", "key", key.ID, "groups", key.Groups, "allow", key.Allow)
	}
	return NewKey{Key: key, Text: text}, err
}

func (s *Server) revokeKey(r *http.Request) (any, error) {
	key, err := s.Keys.Revoke(r.Context(), r.PathValue("id"))
	if err == nil {
		s.Log.Info("API key revoked", "key", key.ID)
	}
	return key, err
}

func (s *Server) rotateTokens(r *http.Request) (any, error) {
	err := s.Exchange.Tokens.Rotate(r.Context())
	if err == nil {
		s.Log.Info("token key rotated")
	}
	return struct{}{}, err
}
