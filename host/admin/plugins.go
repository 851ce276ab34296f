package admin

import (
	"fmt"
	"net/url"

	"github.com/restante/restante/host"
)

// pluginsPage lists the files of the plugin folder.
type pluginsPage struct {
	frame
	Plugins []host.PluginStatus
}

// plugins answers GET /admin/plugins.
func (a *Admin) plugins(v *visit) error {
	p := pluginsPage{Plugins: a.Plugins.List()}
	v.frame(&p.frame, "Plugins", "plugins")
	return v.show("plugins", p)
}

// pluginPage shows one plugin.
type pluginPage struct {
	frame
	Plugin host.PluginStatus
	// Before says that there is a version to go back to.
	Before bool
}

func (a *Admin) pluginFile(v *visit) (host.PluginStatus, error) {
	for _, p := range a.Plugins.List() {
		if p.File == v.r.PathValue("file") {
			return p, nil
		}
	}
	return host.PluginStatus{}, errNotFound
}

// plugin answers GET /admin/plugins/{file}.
func (a *Admin) plugin(v *visit) error {
	status, err := a.pluginFile(v)
	if err != nil {
		return err
	}
	p := pluginPage{Plugin: status}
	// What two versions make of messages shows what is in them.
	if c := status.Comparison; c != nil && c.Changed() {
		if err := v.audit("plugin comparison looked at", "", status.File, ""); err != nil {
			return err
		}
	}
	for _, old := range status.Versions {
		p.Before = p.Before || old.Digest != status.Digest && !old.Served.IsZero() && old.Quarantined == ""
	}
	v.frame(&p.frame, status.File, "plugins")
	p.Still = status.Comparison != nil && status.Comparison.Changed()
	return v.show("plugin", p)
}

// pluginActions are what can be done to a plugin.
var pluginActions = map[string]struct {
	question, text, button, did, action string
	danger                              bool
	do                                  func(Plugins, *visit, string) error
}{
	"approve": {
		"Have the waiting version of %s serve?", "From then on its documents leave, as the comparison shows them.", "Approve", "%s approved.", "plugin approved", false,
		func(p Plugins, v *visit, file string) error { return p.Approve(v.ctx(), file) },
	},
	"rollback": {
		"Roll %s back to the version before?", "The version that serves now is put into quarantine: it serves again only if somebody approves it.", "Roll back", "%s rolled back.", "plugin rolled back", true,
		func(p Plugins, v *visit, file string) error { return p.RollBack(v.ctx(), file) },
	},
	"restart": {
		"Start %s anew?", "A new process takes over when it is ready; nothing that is being formatted is cut off.", "Restart", "%s restarted.", "plugin restarted", false,
		func(p Plugins, v *visit, file string) error { return p.Restart(v.ctx(), file) },
	},
}

// confirmPlugin answers GET /admin/plugins/{file}/{action}.
func (a *Admin) confirmPlugin(v *visit) error {
	status, err := a.pluginFile(v)
	if err != nil {
		return err
	}
	act, ok := pluginActions[v.r.PathValue("action")]
	if !ok {
		return errNotFound
	}
	p := confirmPage{
		Question: fmt.Sprintf(act.question, status.File), Text: act.text, Action: v.r.URL.Path, Button: act.button,
		Back: "/admin/plugins/" + url.PathEscape(status.File), Danger: act.danger,
	}
	v.frame(&p.frame, p.Question, "plugins")
	return v.show("confirm", p)
}

// changePlugin answers POST /admin/plugins/{file}/{action}.
func (a *Admin) changePlugin(v *visit) error {
	status, err := a.pluginFile(v)
	if err != nil {
		return err
	}
	act, ok := pluginActions[v.r.PathValue("action")]
	if !ok {
		return errNotFound
	}
	err = v.audited(act.action, "", status.File, func() error {
		if err := act.do(a.Plugins, v, status.File); err != nil {
			return badf("%s.", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.redirect("/admin/plugins/"+url.PathEscape(status.File), fmt.Sprintf(act.did, status.File))
}
