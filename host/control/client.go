package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/restante/restante/host"
)

// Client calls a Server. It is safe for concurrent use.
type Client struct{ http http.Client }

// Dial returns a client of the daemon whose data folder this is. It does not
// connect yet: call Status to find out whether the daemon is there.
func Dial(data string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, data) },
	}}}
}

// Direct returns a client of a handler in this very process, for commands that
// work on a store while no daemon runs.
func Direct(h http.Handler) *Client { return &Client{http.Client{Transport: direct{h}}} }

// direct is a transport that calls a handler.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	w := answer{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(&w, r)
	return &http.Response{
		Status:     http.StatusText(w.status),
		StatusCode: w.status,
		Header:     w.header,
		Body:       io.NopCloser(&w.body),
		Request:    r,
	}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends a request and reads the JSON reply. It fails with an *Error if
// the daemon reports one.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body io.Reader, reply any) error {
	text, err := c.read(ctx, method, path, query, body)
	if err != nil || reply == nil {
		return err
	}
	if err := json.Unmarshal(text, reply); err != nil {
		return fmt.Errorf("the daemon's answer is malformed: %w", err)
	}
	return nil
}

func (c *Client) read(ctx context.Context, method, path string, query url.Values, body io.Reader) ([]byte, error) {
	response, err := c.open(ctx, method, path, query, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return readAll(response)
}

// open sends a request and returns the reply, whose body is to be read and closed. It
// fails with an *Error if the daemon reports one.
func (c *Client) open(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://restante"+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call the daemon: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	text, err := readAll(response)
	if err != nil {
		return nil, err
	}
	failure := Error{Status: response.StatusCode}
	if err := json.Unmarshal(text, &failure); err != nil || failure.Message == "" {
		return nil, fmt.Errorf("the daemon answered %s to %s %s: it may be another version", response.Status, method, path)
	}
	return nil, &failure
}

func readAll(response *http.Response) ([]byte, error) {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return text, nil
}

// Status asks who is there.
func (c *Client) Status(ctx context.Context) (reply Status, err error) {
	err = c.call(ctx, "GET", "/status", nil, nil, &reply)
	return reply, err
}

// Reload has the daemon read its configuration again.
func (c *Client) Reload(ctx context.Context) (reply Reloaded, err error) {
	err = c.call(ctx, "POST", "/reload", nil, nil, &reply)
	return reply, err
}

// Queues returns all queues in the order of their names.
func (c *Client) Queues(ctx context.Context) (reply []Queue, err error) {
	err = c.call(ctx, "GET", "/queues", nil, nil, &reply)
	return reply, err
}

func messagesPath(g host.GroupName) string { return "/queues/" + string(g) + "/messages" }

// Add adds messages; see host.Exchange.Add.
func (c *Client) Add(ctx context.Context, r host.AddRequest) ([]host.ID, error) {
	query := url.Values{}
	if r.Lines {
		query.Set("lines", "")
	}
	if r.Key != "" {
		query.Set("key", r.Key)
	}
	var reply idsReply
	err := c.call(ctx, "POST", messagesPath(r.Group), query, bytes.NewReader(r.Body), &reply)
	return reply.IDs, err
}

// Messages lists messages newest first; see host.History.List.
func (c *Client) Messages(ctx context.Context, g host.GroupName, before host.ID, limit int, only ...host.Status) (reply []Message, err error) {
	query := url.Values{"before": {strconv.FormatUint(uint64(before), 10)}, "limit": {strconv.Itoa(limit)}}
	for _, status := range only {
		query.Add("status", status.String())
	}
	err = c.call(ctx, "GET", messagesPath(g), query, nil, &reply)
	return reply, err
}

// Message returns one message and the deliveries that carried it.
func (c *Client) Message(ctx context.Context, g host.GroupName, id host.ID) (reply Message, err error) {
	err = c.call(ctx, "GET", messagesPath(g)+"/"+strconv.FormatUint(uint64(id), 10), nil, nil, &reply)
	return reply, err
}

// Preview returns messages as their receiver would get them.
func (c *Client) Preview(ctx context.Context, g host.GroupName, ids host.Ranges) ([]byte, error) {
	return c.read(ctx, "GET", "/queues/"+string(g)+"/preview", url.Values{"ids": {ids.String()}}, nil)
}

// MakeUnread hands messages out again.
func (c *Client) MakeUnread(ctx context.Context, g host.GroupName, ids host.Ranges) (reply Changed, err error) {
	err = c.call(ctx, "POST", "/queues/"+string(g)+"/unread", url.Values{"ids": {ids.String()}}, nil, &reply)
	return reply, err
}

// Hold keeps messages back until they are made unread.
func (c *Client) Hold(ctx context.Context, g host.GroupName, ids host.Ranges) (reply Changed, err error) {
	err = c.call(ctx, "POST", "/queues/"+string(g)+"/hold", url.Values{"ids": {ids.String()}}, nil, &reply)
	return reply, err
}

// Release gives the group of a plugin that is gone to the next that declares it.
// It returns the queue as it was.
func (c *Client) Release(ctx context.Context, g host.GroupName) (reply host.Queue, err error) {
	err = c.call(ctx, "POST", "/queues/"+string(g)+"/release", nil, nil, &reply)
	return reply, err
}

// Prune deletes read messages that were added before a time.
func (c *Client) Prune(ctx context.Context, g host.GroupName, before time.Time) (reply Changed, err error) {
	err = c.call(ctx, "POST", "/queues/"+string(g)+"/prune", url.Values{"before": {before.UTC().Format(time.RFC3339Nano)}}, nil, &reply)
	return reply, err
}

// Keys lists all API keys, newest first.
func (c *Client) Keys(ctx context.Context) (reply []host.Key, err error) {
	err = c.call(ctx, "GET", "/keys", nil, nil, &reply)
	return reply, err
}

// CreateKey makes an API key.
func (c *Client) CreateKey(ctx context.Context, g host.Grant) (reply NewKey, err error) {
	body, err := json.Marshal(g)
	if err != nil {
		return reply, err
	}
	err = c.call(ctx, "POST", "/keys", nil, bytes.NewReader(body), &reply)
	return reply, err
}

// RevokeKey ends an API key.
func (c *Client) RevokeKey(ctx context.Context, id string) (reply host.Key, err error) {
	err = c.call(ctx, "POST", "/keys/"+url.PathEscape(id)+"/revoke", nil, nil, &reply)
	return reply, err
}

// RotateTokens seals tokens with a new key from now on.
func (c *Client) RotateTokens(ctx context.Context) error {
	return c.call(ctx, "POST", "/token-keys", nil, nil, nil)
}

// Approve has the held version of a plugin serve.
func (c *Client) Approve(ctx context.Context, name string) error {
	return c.call(ctx, "POST", "/plugins/"+url.PathEscape(name)+"/approve", nil, nil, nil)
}

// RollBack has the version of a plugin before the one that serves take over.
func (c *Client) RollBack(ctx context.Context, name string) error {
	return c.call(ctx, "POST", "/plugins/"+url.PathEscape(name)+"/rollback", nil, nil, nil)
}

// Restart starts a plugin anew.
func (c *Client) Restart(ctx context.Context, name string) error {
	return c.call(ctx, "POST", "/plugins/"+url.PathEscape(name)+"/restart", nil, nil, nil)
}

// PreviewPlugin compares a file, whose path is absolute, with the active plugin
// of the same name.
func (c *Client) PreviewPlugin(ctx context.Context, path string) (reply host.Comparison, err error) {
	err = c.call(ctx, "GET", "/plugin-preview", url.Values{"path": {path}}, nil, &reply)
	return reply, err
}

// LockPlugins pins the plugins as they are in the folder now, and returns their
// digests by file.
func (c *Client) LockPlugins(ctx context.Context) (reply map[string]string, err error) {
	err = c.call(ctx, "POST", "/plugin-lock", nil, nil, &reply)
	return reply, err
}

// Plugins lists the files of the plugin folder.
func (c *Client) Plugins(ctx context.Context) (reply []host.PluginStatus, err error) {
	err = c.call(ctx, "GET", "/plugins", nil, nil, &reply)
	return reply, err
}
