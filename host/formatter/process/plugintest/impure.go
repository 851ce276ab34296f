//go:build unix

package plugintest

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	formatterv1 "github.com/restante/restante/proto/formatter/v1"
)

// hostileImpure has the modes that write something else into every document.
func hostileImpure(name string) (hostile, bool) {
	var text func(n int) string
	switch name {
	case "impure-random":
		text = func(int) string { return rand.Text() }
	case "impure-map":
		text = func(int) string {
			var words []string
			for word := range map[string]bool{"anise": true, "basil": true, "cress": true, "dill": true} {
				words = append(words, word)
			}
			return strings.Join(words, " ")
		}
	case "impure-time":
		text = func(int) string { return time.Now().Format(time.RFC3339Nano) }
	case "impure-pid":
		text = func(int) string { return fmt.Sprint("by process ", os.Getpid()) }
	case "impure-counter":
		text = func(n int) string { return fmt.Sprint("no. ", n) }
	case "impure-zone":
		text = func(int) string { return time.Unix(0, 0).Format(time.RFC1123Z) }
	case "impure-late": // only once it was called a hundred times
		text = func(n int) string {
			if n < 100 {
				return ""
			}
			return fmt.Sprint("no. ", n)
		}
	}
	if name == "impure-fails-elsewhere" { // in another time zone
		return hostile{write: func(_ int, r *formatterv1.WriteMessagesResponse) error {
			if _, offset := time.Now().Zone(); offset != 0 {
				return fmt.Errorf("not here")
			}
			r.Document.Body = append(r.Document.Body, fmt.Sprint(os.Getpid())...)
			return nil
		}}, true
	}
	write := func(n int, r *formatterv1.WriteMessagesResponse) error {
		r.Document.Body = append(r.Document.Body, text(n)...)
		return nil
	}
	return hostile{write: write}, text != nil
}
