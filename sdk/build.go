package sdk

import (
	"runtime"
	"runtime/debug"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// modulePath is the module that this package belongs to.
const modulePath = "github.com/restante/restante"

// build says what the running program was built from, as far as the Go
// toolchain recorded it.
func build() *formatterv1.Build {
	b := &formatterv1.Build{Sdk: modulePath, Language: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Path == modulePath {
		b.Sdk = named(&info.Main)
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			b.Sdk = named(dep)
		}
	}
	b.Module = named(&info.Main)

	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if b.Revision != "" {
		b.Revision += dirty
	}
	return b
}

func named(m *debug.Module) string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + " " + m.Version
}
