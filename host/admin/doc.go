// Package admin serves the pages that people look at, under /admin/: queues,
// messages, deliveries, plugins, the error inbox, the audit log, users.
//
// Start at routes.go, the list of everything that is served, and page.go, which
// writes a page. A page is a struct with a frame (what every page has) and a
// template of the same name in templates. Pages are whole without scripts;
// static/app.js only refreshes numbers and selects rows.
//
// Nothing from a message, a plugin or a poller is trusted: templates escape it,
// documents are shown as text or offered for download, and the content security
// policy allows no script but our own file.
//
// It may import host, and of the standard library what it likes.
package admin
