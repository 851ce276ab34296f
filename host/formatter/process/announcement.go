package process

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"

	"github.com/restante/restante/proto/handshake"
)

// announcement is go-plugin's handshake line, CORE|VERSION|NETWORK|ADDRESS and
// then |PROTOCOL|CERTIFICATE, which older plugins leave out.
type announcement struct {
	line          string
	core, version string
	network       string
	address       string
	protocol      string
}

// A line of this form is an announcement, right or wrong. Anything else that a
// program prints hardly looks like it.
var announcementForm = regexp.MustCompile(`^[0-9]{1,9}\|[0-9]{1,9}\|[a-z0-9]{1,16}\|[^|]+(\|.*)?$`)

// maxAnnouncement has room for a certificate, which is unused.
const maxAnnouncement = 8 << 10

func parseAnnouncement(line []byte) (announcement, bool) {
	text := strings.TrimSpace(string(line[:min(len(line), maxAnnouncement)]))
	if len(line) > maxAnnouncement || !announcementForm.MatchString(text) {
		return announcement{}, false
	}
	parts := strings.Split(text, "|")
	a := announcement{line: text, core: parts[0], version: parts[1], network: parts[2], address: parts[3], protocol: "netrpc"}
	if len(parts) > 4 {
		a.protocol = parts[4]
	}
	return a, true
}

// check says in words why the plugin can't be used, if it can't.
func (a announcement) check(folder string) error {
	if a.core != strconv.Itoa(plugin.CoreProtocolVersion) {
		return fmt.Errorf("it speaks version %s of go-plugin's handshake, this daemon speaks %d: build it again with the current SDK", a.core, plugin.CoreProtocolVersion)
	}
	versions := slices.Sorted(maps.Keys(handshake.Host()))
	if version, err := strconv.Atoi(a.version); err != nil || !slices.Contains(versions, version) {
		return fmt.Errorf("it speaks protocol version %s, this daemon speaks %s: install a version of the plugin or of the daemon that fits the other", a.version, span(versions))
	}
	if a.protocol != string(plugin.ProtocolGRPC) {
		return fmt.Errorf("it speaks %q, but formatter plugins speak \"grpc\": build it with the SDK", clip(a.protocol, 40))
	}
	return checkAddress(folder, a.network, a.address)
}

// span writes sorted versions as "1" or "1 to 3".
func span(versions []int) string {
	first, last := versions[0], versions[len(versions)-1]
	if first == last {
		return strconv.Itoa(first)
	}
	return fmt.Sprintf("%d to %d", first, last)
}
