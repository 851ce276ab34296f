package sdk

import (
	"encoding/json"
	"maps"
	"slices"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// discover builds the answer to Discover, once.
func discover(p Plugin) *formatterv1.DiscoverResponse {
	resp := &formatterv1.DiscoverResponse{Name: p.Name, Version: p.Version, Build: build()}
	for _, g := range p.Groups {
		resp.Groups = append(resp.Groups, &formatterv1.Group{
			Name:               g.Name,
			Method:             methodToWire(g.Method),
			Title:              g.Title,
			Description:        g.Description,
			Formats:            g.WriteMessages != nil,
			FormatsHttpRequest: g.FormatHTTPRequest != nil,
			Schedule:           g.Schedule,
		})
	}
	for _, s := range p.Settings {
		setting := &formatterv1.Setting{
			Name:        s.Name,
			Type:        formatterv1.SettingType(s.Type), // numbered alike
			Description: s.Description,
			Required:    s.Required,
			Secret:      s.Secret,
		}
		if s.Default != nil {
			text, _ := json.Marshal(s.Default) // Validate has done it before
			setting.Default = string(text)
		}
		resp.Settings = append(resp.Settings, setting)
	}
	return resp
}

func methodToWire(m Method) formatterv1.Method {
	switch m {
	case Poll:
		return formatterv1.Method_METHOD_POLL
	case Send:
		return formatterv1.Method_METHOD_SEND
	default:
		return formatterv1.Method_METHOD_UNSPECIFIED
	}
}

// request is what the two calls with a batch have in common.
type request interface {
	GetGroup() string
	GetToken() string
	GetMessages() []*formatterv1.Message
}

func batchFromWire(req request) Batch {
	b := Batch{
		Group:    req.GetGroup(),
		Token:    req.GetToken(),
		Messages: make([]Message, len(req.GetMessages())),
	}
	for i, m := range req.GetMessages() {
		b.Messages[i] = Message{ID: m.GetId(), Time: m.GetTime().AsTime(), Data: m.GetData()}
	}
	return b
}

func documentFromWire(d *formatterv1.Document) Document {
	return Document{ContentType: d.GetContentType(), Filename: d.GetFilename(), Body: d.GetBody()}
}

func documentToWire(d Document) *formatterv1.Document {
	return &formatterv1.Document{ContentType: d.ContentType, Filename: d.Filename, Body: d.Body}
}

// requestToWire sorts the headers: a map has no order, and the answer must
// always be the same.
func requestToWire(r HTTPRequest) *formatterv1.FormatHTTPRequestResponse {
	resp := &formatterv1.FormatHTTPRequestResponse{Method: r.Method, Url: r.URL}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		for _, value := range r.Headers[name] {
			resp.Headers = append(resp.Headers, &formatterv1.Header{Name: name, Value: value})
		}
	}
	return resp
}
