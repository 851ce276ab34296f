package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Trailers of an export: an error in words if it failed on the way, and what it has.
const (
	exportError  = "Restante-Export-Error"
	exportResult = "Restante-Export-Result"
)

// Archives copies all that is stored out of the store, and into it.
type Archives interface {
	// Export returns what the archive has, as JSON.
	Export(ctx context.Context, w io.Writer, withoutDamaged bool) (json.RawMessage, error)
	Import(ctx context.Context, r io.Reader) error
}

// export answers with the archive itself, after the audit log knows of it.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	err := s.archivesAudited(r, "everything exported")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	unhurried(w)
	w.Header().Set("Trailer", exportError+", "+exportResult)
	w.Header().Set("Content-Type", "application/zstd")
	result, err := s.Archives.Export(r.Context(), w, r.URL.Query().Has("without-damaged"))
	if err != nil {
		w.Header().Set(exportError, url.QueryEscape(err.Error()))
	}
	w.Header().Set(exportResult, url.QueryEscape(string(result)))
}

func (s *Server) archivesAudited(r *http.Request, action string) error {
	if s.Archives == nil {
		return errNoDaemon
	}
	return s.Audit.Record(r.Context(), localEntry(r.Context(), action))
}

// importAll is told of in the audit log when it is done, as the archive has an audit
// log of its own.
func (s *Server) importAll(w http.ResponseWriter, r *http.Request) {
	err := errNoDaemon
	if s.Archives != nil {
		unhurried(w)
		_ = http.NewResponseController(w).SetReadDeadline(noDeadline)
		err = s.Archives.Import(r.Context(), r.Body)
	}
	if err == nil {
		err = s.archivesAudited(r, "everything imported")
	}
	if err == nil {
		err = s.answer(w, struct{}{})
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// Export writes an archive of all that the daemon has stored, and returns what it has
// as JSON.
func (c *Client) Export(ctx context.Context, w io.Writer, withoutDamaged bool) (json.RawMessage, error) {
	query := ""
	if withoutDamaged {
		query = "?without-damaged"
	}
	r, err := http.NewRequestWithContext(ctx, "GET", "http://restante/export"+query, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call the daemon: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		return nil, refusal(response, text)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return nil, fmt.Errorf("read the archive from the daemon: %w", err)
	}
	trailer := func(name string) string {
		text, _ := url.QueryUnescape(response.Trailer.Get(name))
		return text
	}
	if text := trailer(exportError); text != "" {
		return nil, errors.New(text)
	}
	return json.RawMessage(trailer(exportResult)), nil
}

// Import puts an archive into the daemon's store.
func (c *Client) Import(ctx context.Context, r io.Reader) error {
	return c.call(ctx, "POST", "/import", nil, io.NopCloser(r), nil)
}
