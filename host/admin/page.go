package admin

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/restante/restante/host"
)

//go:embed templates static
var files embed.FS

// frame is what every page has.
type frame struct {
	Title string
	// Section is the entry of the navigation that the page belongs to.
	Section string
	User    host.User
	// Errors counts the reports that nobody has seen.
	Errors int
	// Notice is the outcome of what was just done.
	Notice string
	// Warning is what every page says now, such as why nothing is sent.
	Warning string
	// Refresh is after how many seconds a page comes again by itself; 0 is never.
	Refresh int
	// Still keeps scripts from asking for the page again and again, as each look at
	// it is written down.
	Still bool
	// Shared says that daemons share the store.
	Shared  bool
	Version string
}

// May tells whether the user may do what needs a role.
func (f frame) May(role string) bool { return f.User.Name != "" && f.User.Role.Allows(host.Role(role)) }

func (v *visit) frame(f *frame, title, section string) {
	*f = frame{Title: title, Section: section, User: v.user, Notice: v.notice(), Warning: v.a.Notice(), Shared: v.a.Cluster != nil, Version: v.a.Version}
	if v.user.Name == "" || v.cut {
		return
	}
	open, err := v.open()
	if err != nil {
		v.a.Log.Warn("error inbox not read", "error", err)
	}
	for _, r := range open {
		if r.Unacknowledged() {
			f.Errors++
		}
	}
}

// pages are the templates by the names of their files.
var pages = parse()

func parse() map[string]*template.Template {
	base := template.Must(template.New("base.html").Funcs(functions).ParseFS(files, "templates/base.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		short := strings.TrimSuffix(path.Base(name), ".html")
		all[short] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
	}
	return all
}

// render writes a page, whole or not at all.
func (v *visit) render(status int, name string, page any) error {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "base.html", page); err != nil {
		if status >= 400 { // it was the page that tells of an error
			v.a.Log.Error("page not written", "page", name, "error", err)
			http.Error(v.w, "Something went wrong inside the server.", http.StatusInternalServerError)
			return nil
		}
		return fmt.Errorf("write page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // who has gone does not get it
	return nil
}

func (v *visit) show(name string, page any) error { return v.render(http.StatusOK, name, page) }

// static serves GET /admin/static/{file}.
func (a *Admin) static(v *visit) error {
	name := v.r.PathValue("file")
	data, err := files.ReadFile("static/" + name)
	if err != nil {
		return errNotFound
	}
	h := v.w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", `"`+staticSums[name]+`"`)
	http.ServeContent(v.w, v.r, name, time.Time{}, bytes.NewReader(data))
	return nil
}
