package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// LayerName names one part of the sandbox.
type LayerName string

// The layers.
const (
	// Namespaces are a network, processes, host name, shared memory and a root
	// folder of its own, with nothing in them.
	Namespaces LayerName = "namespaces"
	// FileRules are the kernel's Landlock: which files may be used, and how.
	FileRules LayerName = "file rules"
	// CallFilter is the filter of system calls (seccomp), with no new
	// privileges.
	CallFilter LayerName = "system call filter"
	// ResourceLimits bound memory, files and threads.
	ResourceLimits LayerName = "resource limits"
)

// Layer says whether one part of the sandbox can be had here.
type Layer struct {
	Name LayerName
	OK   bool
	// Reason is why not, and Remedy what an operator can do about it. Both are
	// empty if OK.
	Reason, Remedy string
}

// Tier is what the layers come to.
type Tier string

// The tiers, from best to worst.
const (
	// Full has every layer.
	Full Tier = "full"
	// NoNamespaces has every layer but Namespaces.
	NoNamespaces Tier = "no namespaces"
	// Partial has some layers.
	Partial Tier = "partial"
	// None has no layer.
	None Tier = "none"
)

// Support is what this system gives this user, as Probe found it. The zero
// Support has no layers. It is not changed after Probe.
type Support struct {
	layers []Layer
	// userNamespace: namespaces are made with a user namespace around them.
	userNamespace bool
	// otherUser: plugins can be given another user than ours, who is root.
	otherUser bool
}

// Layers returns all layers, always in the same order.
func (s Support) Layers() []Layer { return slices.Clone(s.layers) }

// Has tells whether a layer can be had.
func (s Support) Has(name LayerName) bool {
	return slices.ContainsFunc(s.layers, func(l Layer) bool { return l.Name == name && l.OK })
}

// OtherUser tells whether programs get the user nobody in place of ours, which
// is root.
func (s Support) OtherUser() bool { return s.otherUser }

// Missing returns a *MissingError for the layers that can't be had, or nil.
func (s Support) Missing() error {
	var missing []Layer
	for _, l := range s.layers {
		if !l.OK {
			missing = append(missing, l)
		}
	}
	switch {
	case len(s.layers) == 0:
		return &MissingError{Layers: []Layer{{Name: "sandbox", Reason: "it was not looked for"}}}
	case len(missing) == 0:
		return nil
	}
	return &MissingError{Layers: missing}
}

// Tier returns what the layers come to.
func (s Support) Tier() Tier {
	had := 0
	for _, l := range s.layers {
		if l.OK {
			had++
		}
	}
	switch {
	case had == 0:
		return None
	case had == len(s.layers):
		return Full
	case had == len(s.layers)-1 && !s.Has(Namespaces):
		return NoNamespaces
	}
	return Partial
}

// String says in a sentence for the operator how far plugins are shut in.
func (s Support) String() string {
	var had []string
	for _, l := range s.layers {
		if l.OK {
			had = append(had, string(l.Name))
		}
	}
	switch s.Tier() {
	case Full:
		return "full: plugins have no network, no files but their own, no other processes, and bounded memory"
	case NoNamespaces:
		return "no namespaces: plugins can't open files, connect or start programs, but can see which files exist on this computer"
	case Partial:
		return fmt.Sprintf("partial: plugins are held by %s alone, and something may get through", strings.Join(had, " and "))
	}
	return "none: plugins can do whatever this user can do"
}
