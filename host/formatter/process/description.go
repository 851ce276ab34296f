package process

import (
	"fmt"
	"strings"

	"github.com/restante/restante/host"
	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// Limits of what a plugin may say of itself; they are written in
// formatter.proto, but for the number of groups.
const (
	maxGroups      = 1000
	maxName        = 64
	maxVersion     = 64
	maxTitle       = 200
	maxDescription = 4000
	maxSchedule    = 200
	maxBuild       = 200
)

// Description is what a plugin says of itself. Every name in it is valid, and
// every text fits its limit.
type Description struct {
	Name    string
	Version string
	Groups  []Group
	Build   Build
	// Settings are what the plugin is to be configured with; see Configure.
	Settings []Setting
}

// Group is one group that a plugin declares.
type Group struct {
	Name               host.GroupName
	Method             host.Method
	Title              string
	Description        string
	Formats            bool
	FormatsHTTPRequest bool
	Schedule           string
}

// Build is what a plugin was built from; all of it may be empty.
type Build struct {
	SDK, Language, Module, Revision string
}

// describe takes over an answer to Discover. What names something must be
// right; text for people is cut to its limit.
func describe(r *formatterv1.DiscoverResponse) (Description, error) {
	bad := func(format string, args ...any) (Description, error) {
		return Description{}, fmt.Errorf("%w: %w", ErrBadReply, fmt.Errorf(format, args...))
	}
	d := Description{
		Name:    r.GetName(),
		Version: oneLine(r.GetVersion(), maxVersion),
		Build: Build{
			SDK:      oneLine(r.GetBuild().GetSdk(), maxBuild),
			Language: oneLine(r.GetBuild().GetLanguage(), maxBuild),
			Module:   oneLine(r.GetBuild().GetModule(), maxBuild),
			Revision: oneLine(r.GetBuild().GetRevision(), maxBuild),
		},
	}
	if !validName(d.Name) {
		return bad("its name %q is not 1 to %d letters, digits and \"-\", \"_\", \".\" inside", clip(d.Name, 2*maxName), maxName)
	}
	switch n := len(r.GetGroups()); {
	case n == 0:
		return bad("it declares no group")
	case n > maxGroups:
		return bad("it declares %d groups, at most %d are allowed", n, maxGroups)
	}
	seen := make(map[host.GroupName]bool, len(r.GetGroups()))
	for _, g := range r.GetGroups() {
		name := host.GroupName(g.GetName())
		if err := host.CheckGroupName(name); err != nil {
			return bad("group %q: %v", clip(g.GetName(), 2*host.MaxGroupNameBytes), clip(err.Error(), maxFailure))
		}
		if seen[name] {
			return bad("it declares the group %q twice", name)
		}
		seen[name] = true
		group := Group{
			Name:               name,
			Title:              oneLine(g.GetTitle(), maxTitle),
			Description:        paragraph(g.GetDescription(), maxDescription),
			Formats:            g.GetFormats(),
			FormatsHTTPRequest: g.GetFormatsHttpRequest(),
			Schedule:           oneLine(g.GetSchedule(), maxSchedule),
		}
		switch g.GetMethod() {
		case formatterv1.Method_METHOD_POLL:
			group.Method = host.Poll
		case formatterv1.Method_METHOD_SEND:
			group.Method = host.Send
		default:
			return bad("group %q has the method %d, which is neither poll nor send", name, g.GetMethod())
		}
		d.Groups = append(d.Groups, group)
	}
	var err error
	if d.Settings, err = settings(r.GetSettings()); err != nil {
		return bad("%w", err)
	}
	return d, nil
}

func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && i < len(name)-1 && strings.IndexByte("-_.", c) >= 0:
		default:
			return false
		}
	}
	return true
}
