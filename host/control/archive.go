package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Trailers of an export: an error in words if it failed on the way, and what it has.
const (
	exportError  = "Restante-Export-Error"
	exportResult = "Restante-Export-Result"
)

// export answers with an archive of all that is stored, after the audit log knows of
// it.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	err := errNoDaemon
	if s.Export != nil {
		err = s.Audit.Record(r.Context(), localEntry(r.Context(), "everything exported"))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	unhurried(w)
	w.Header().Set("Trailer", exportError+", "+exportResult)
	w.Header().Set("Content-Type", "application/zstd")
	result, err := s.Export(r.Context(), w, r.URL.Query().Has("without-damaged"))
	if err != nil {
		w.Header().Set(exportError, url.QueryEscape(err.Error()))
	}
	w.Header().Set(exportResult, url.QueryEscape(string(result)))
}

// importAll is told of in the audit log when it is done, as the archive has an audit
// log of its own.
func (s *Server) importAll(w http.ResponseWriter, r *http.Request) {
	err := errNoDaemon
	if s.Import != nil {
		unhurried(w)
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		err = s.Import(r.Context(), r.Body)
	}
	if err == nil {
		err = s.Audit.Record(r.Context(), localEntry(r.Context(), "everything imported"))
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
	query := url.Values{}
	if withoutDamaged {
		query.Set("without-damaged", "")
	}
	response, err := c.open(ctx, "GET", "/export", query, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
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
