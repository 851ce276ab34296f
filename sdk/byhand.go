package sdk

import (
	"fmt"
	"strings"
)

// byHandText is for a person who started the plugin as if it were a command.
func byHandText(p Plugin, program string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s is a formatter plugin for Restante. It does nothing when it is run by\n", p.Name, p.Version)
	fmt.Fprintf(&b, "hand: the Restante daemon starts it.\n\nGroups of messages that it serves:\n")

	width := 0
	for _, g := range p.Groups {
		width = max(width, len(g.Name))
	}
	for _, g := range p.Groups {
		line := fmt.Sprintf("  %-*s  %-4s  %s", width, g.Name, g.Method, g.Title)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}

	fmt.Fprintf(&b, "\nTo install it, copy the file into the daemon's plugin folder, which is what\n")
	fmt.Fprintf(&b, "\"restante serve --plugins FOLDER\" names:\n\n  cp %s FOLDER/\n\n", program)
	fmt.Fprintf(&b, "The daemon notices it by itself; \"restante plugins list\" shows it.\n")
	return b.String()
}

// faultText is for the author of a plugin whose description is wrong.
func faultText(p Plugin, err error) string {
	name := p.Name
	if name == "" {
		name = "plugin"
	}
	lines := strings.Split(err.Error(), "\n")
	return fmt.Sprintf("%s: the sdk.Plugin given to sdk.Serve is not valid:\n  %s\n",
		name, strings.Join(lines, "\n  "))
}
